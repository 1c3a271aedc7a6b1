"""Engines: each runs SQL where the data lives and brings back aggregates."""

from __future__ import annotations

from typing import Any

from duckdb import DuckDBPyConnection

from segql.engines.base import Engine
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError

__all__ = ["DuckDBEngine", "Engine", "engine_of"]


def engine_of(con: Any) -> Engine:
    """Take the engine of a connection, by the connection's type."""
    if isinstance(con, Engine):
        return con
    # Wrappers of a connection, as dbt-duckdb has one, are no subclass of it.
    if isinstance(con, DuckDBPyConnection) or hasattr(con, "execute"):
        return DuckDBEngine(con)
    # Not imported to be asked: PySpark is an extra, and takes a second to load.
    kinds = {(kind.__module__.split(".")[0], kind.__name__) for kind in type(con).__mro__}
    if ("pyspark", "SparkSession") in kinds:
        from segql.engines.spark import SparkEngine

        return SparkEngine(con)
    raise SegqlError(
        f"the connection is a {type(con).__module__}.{type(con).__name__}; accepted: a DuckDB "
        "connection or a Spark session"
    )
