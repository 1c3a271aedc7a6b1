"""Where a model is stored: beside its rows, or in a DuckDB that is named."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing

import duckdb

from segql.engines import DuckDBEngine, Engine
from segql.errors import SegqlError
from segql.model import Model
from segql.registry import Registry


def registry_of(
    engine: Engine,
    name: str | None,
    registry: duckdb.DuckDBPyConnection | str | None,
    stack: ExitStack,
) -> DuckDBEngine:
    """Find the DuckDB that a model is stored in."""
    if isinstance(engine, DuckDBEngine):
        if registry is not None and registry is not engine.connection:
            raise SegqlError(
                f"registry got {registry!r}, but the rows are in DuckDB, where the model is stored "
                "with them; accepted: leave it out"
            )
        return engine
    if name is None or registry is None:
        if name is not None or registry is not None:
            raise SegqlError(
                f"name got {name!r} and registry got {registry!r}; accepted on {engine.dialect}: "
                "both (a DuckDB connection or file keeps the model), or neither (nothing is kept)"
            )
        return engine.near
    if isinstance(registry, duckdb.DuckDBPyConnection):
        return DuckDBEngine(registry)
    return DuckDBEngine(stack.enter_context(closing(registry_file(registry))))


def registry_file(path: str | os.PathLike[str]) -> duckdb.DuckDBPyConnection:
    """Open the DuckDB file that keeps models, or make one that every client since 1.4 opens."""
    try:
        return duckdb.connect(os.fspath(path), config={"storage_compatibility_version": "v1.4.0"})
    except (duckdb.Error, TypeError) as error:
        said = " ".join(str(error).split())[:200]
        raise SegqlError(
            f"registry got {path!r}, which cannot be opened: {said}; accepted: a DuckDB "
            "connection or the path of its file"
        ) from error


def model_of(engine: Engine, name: str | Model, version: int | None) -> Model:
    """Take a model as it is, or read it from the registry beside the rows."""
    if isinstance(name, Model):
        return name
    if not isinstance(engine, DuckDBEngine):
        raise SegqlError(
            f"model got {name!r}, but {engine.dialect} holds no registry; accepted: the model "
            "itself, as segql.load(duckdb_connection, name) or segql.fit gives it"
        )
    return Registry(engine).load(name, version)
