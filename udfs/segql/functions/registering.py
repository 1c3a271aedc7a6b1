"""Register all that a session may call: the kernels, and the functions that change models."""

from __future__ import annotations

import duckdb

from segql.engines.duckdb import DuckDBEngine
from segql.functions.models import register_model_functions
from segql.functions.session import register_functions


def register(con: duckdb.DuckDBPyConnection) -> None:
    """Register segql's session functions on a connection and its cursors.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Registering twice is harmless. A connection that is still open when Python exits is
        closed then.

    Raises
    ------
    SegqlError
        Inside a transaction, where DuckDB creates no function.

    Warns
    -----
    UserWarning
        When the file's storage version shuts out DuckDB 1.x clients.
    """
    register_functions(con)
    register_model_functions(con)
    DuckDBEngine(con).warn_about_storage()
