"""What happens to models after the fit: another version made current, a model dropped."""

from __future__ import annotations

from typing import Any

import duckdb

from segql import schema
from segql.engines.duckdb import REGISTRY_LOCK, DuckDBEngine
from segql.errors import SegqlError, UnknownModelError, unknown
from segql.functions.macros import dropped_macros, publish_statements, scalar_expressions
from segql.model import Model
from segql.registry import Registry


def use_version(con: duckdb.DuckDBPyConnection, name: str, version: int) -> Model:
    """Make a version of a model the current one: roll back a refit, or forward again.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    name : str
        A model of the registry.
    version : int
        One of its published versions, see ``segql.models``.

    Returns
    -------
    Model
        The version that is current now. Macros and ``is_current`` change together.

    Raises
    ------
    UnknownModelError
        When there is no such model or version; the known ones are listed.
    SegqlError
        When the database is read-only.
    """
    engine = DuckDBEngine(con)
    registry = Registry(engine)
    registry.check_open_for_writing()
    _check_version(version)
    registry.update()
    with REGISTRY_LOCK, engine.transaction():
        model = registry.load(name, version)
        for statement in publish_statements(model, scalar_expressions(model), schema.mark(engine)):
            engine.run(statement)
    return model


def drop(con: duckdb.DuckDBPyConnection, name: str, version: int | None = None) -> list[int]:
    """Remove a model, or one version of it that is not the current one.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    name : str
        A model of the registry.
    version : int, optional
        By default all versions go, and with them every macro of the model.

    Returns
    -------
    list of int
        The versions that are gone.

    Raises
    ------
    UnknownModelError
        When there is no such model or version; the known ones are listed.
    SegqlError
        When the version is the current one, or the database is read-only; nothing is dropped then.
    """
    engine = DuckDBEngine(con)
    registry = Registry(engine)
    registry.check_open_for_writing()
    if version is not None:
        _check_version(version)
    registry.update()
    with REGISTRY_LOCK, engine.transaction():
        known = registry.exists() and isinstance(name, str)
        found = {} if not known else dict(
            engine.rows(
                "select model_version, is_current from segql.models where model_name = ? "
                "order by 1",
                [name],
            )
        )  # fmt: skip
        if not found:
            raise UnknownModelError(unknown("model", name, registry.names()))
        if version is not None and version not in found:
            raise UnknownModelError(f"model {name!r}: {unknown('version', version, found)}")
        if version is not None and found[version]:
            others = [str(number) for number in found if number != version]
            accepted = f"make another one current first ({', '.join(others)})" if others else ""
            raise SegqlError(
                f"version {version} is the current one of model {name!r}; accepted: "
                f"{accepted + ', or ' if accepted else ''}drop the whole model"
            )
        gone = list(found) if version is None else [version]
        kept = [] if version is None else _keys(engine, name, version)
        _delete(engine, name, gone)
        if version is None:
            engine.run("delete from segql.retired where model_name = ?", [name])
        for key in kept:
            engine.run("insert into segql.retired values (?, ?, ?)", [name, version, key])
        for statement in dropped_macros(name, gone, current=version is None):
            engine.run(statement)
        registry.announce()
    return gone


def _keys(engine: DuckDBEngine, name: str, version: int) -> list[str]:
    """Segment keys of a version: no later one may give them to other customers."""
    rows = engine.rows(
        "select segment_key from segql.segments where model_name = ? and model_version = ?",
        [name, version],
    )
    return [row[0] for row in rows]


def _delete(engine: DuckDBEngine, name: str, versions: list[int]) -> None:
    for table in schema.TABLES:
        if table != "registry_info":
            engine.run(
                f"delete from segql.{table} where model_name = ? "
                f"and model_version in ({', '.join('?' for _ in versions)})",
                [name, *versions],
            )


def _check_version(version: Any) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise SegqlError(f"version got {version!r}; accepted: a whole number of at least 1")
