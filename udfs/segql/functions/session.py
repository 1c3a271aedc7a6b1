"""Session functions: the kernels of a fit, callable on any list of points while Python is there."""

from __future__ import annotations

import atexit
import contextlib
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError
from segql.functions.clustering import CLUSTERING
from segql.functions.declared import Declared, SessionFunction, callable_of
from segql.functions.measures import MEASURES
from segql.functions.scaling import SCALING, check_components

__all__ = ["FUNCTIONS", "check_components", "create", "register_functions"]

#: The pure functions: they look at their arguments alone.
FUNCTIONS: tuple[SessionFunction, ...] = (*SCALING, *CLUSTERING, *MEASURES)

#: What DuckDB calls. Made once, so that it lives as long as the process: DuckDB frees what a
#: connection registered when that connection goes, though its cursors can still call it.
_CALLABLES = {function.name: callable_of(function) for function in FUNCTIONS}

_registered: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()


@atexit.register
def _close_connections() -> None:
    """Close what is still open: DuckDB lists Python functions that outlive Python as leaks."""
    for con in list(_registered):
        with contextlib.suppress(duckdb.Error):
            con.close()


_CREATING = threading.Lock()


def register_functions(con: duckdb.DuckDBPyConnection) -> None:
    """Register the pure functions that the connection does not have yet."""
    create(con, [(function, _CALLABLES[function.name]) for function in FUNCTIONS])


def create(
    con: duckdb.DuckDBPyConnection,
    functions: Iterable[tuple[Declared, Callable[..., Any]]],
) -> None:
    """Create the functions that the connection does not have yet.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    functions : iterable of (Declared, callable)
        What is declared, and what DuckDB calls with a column an argument. The callable must live
        as long as the database is open.
    """
    wanted = list(functions)
    # Two threads that both miss a function would both make it, and the second one fails.
    with _CREATING:
        _create_missing(con, wanted)
    _registered.add(con)


def _create_missing(
    con: duckdb.DuckDBPyConnection, wanted: list[tuple[Declared, Callable[..., Any]]]
) -> None:
    names = ", ".join(f"'{function.name}'" for function, _ in wanted)
    known = {
        row[0]
        for row in con.execute(
            "select distinct function_name from duckdb_functions() "
            f"where function_name in ({names})"
        ).fetchall()
    }
    missing = [item for item in wanted if item[0].name not in known]
    if missing and DuckDBEngine(con).in_transaction():
        # A rollback would take them back, and the connection would refuse to make them again.
        raise SegqlError(
            "functions are not created inside a transaction: call segql.register(con) before BEGIN"
        )
    for function, on_columns in missing:
        # parameters None: any number of arguments of any type reach the function.
        con.create_function(
            function.name,
            on_columns,
            None,
            duckdb.sqltype(function.sql_type),
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
            side_effects=function.volatile,
        )
