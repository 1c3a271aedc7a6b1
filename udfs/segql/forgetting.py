"""Forget an id: its rows leave every table that segql has made of it, and the served file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from segql import sql_text as sql
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError
from segql.registry import Registry
from segql.schema import has_table

#: Schemas of the dbt project and of the registry.
OWN_SCHEMAS = ("segql", "staging", "features", "segmentation", "marts")
#: A table elsewhere is segql's when it has all columns of one of these: nobody's own table has.
SEGMENT_COLUMNS = (
    ("segment_key", "model_version"), ("segment_key", "next_segment_id"),
    ("rfm_segment", "rfm_code"),
)  # fmt: skip
#: The id column of features that the dbt package makes.
DEFAULT_ID = "customer_id"
#: The storage version that DuckDB 1.4 and later open.
STORAGE = "v1.4.0"


def forget(
    con: duckdb.DuckDBPyConnection,
    id: Any,
    *,
    id_columns: Sequence[str] = (),
    schemas: Sequence[str] = (),
) -> dict[str, int]:
    """Delete the rows of an id from every table that segql has made.

    Those are tables of the schemas ``segql``, ``staging``, ``features``, ``segmentation`` and
    ``marts``, and scored tables anywhere, that have an id column. Sources are left
    alone: what is not deleted there comes back with the next build.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    id : str or int
        Compared as text, and as a value of each column's type.
    id_columns : sequence of str, optional
        More id columns than ``customer_id`` and those of the registry's models.
    schemas : sequence of str, optional
        More schemas whose tables are segql's.

    Returns
    -------
    dict of str to int
        Rows deleted from each table that had some, by its name; empty when there was none.

    Raises
    ------
    SegqlError
        When the id is NULL or the database is read-only; all tables are changed or none is.

    Notes
    -----
    Models of trees and densities score by points that may be customers of the fit, without ids:
    :func:`models_of_points` lists them. Everything else that a model keeps is of many.

    The file may keep the bytes of deleted rows until they are written over: ``segql forget`` on
    the command line writes it anew.
    """
    if id is None or str(id) == "":
        raise SegqlError(f"id got {id!r}; accepted: an id that is not empty")
    engine = DuckDBEngine(con)
    registry = Registry(engine)
    registry.check_open_for_writing()
    names = {DEFAULT_ID, *(name.lower() for name in id_columns)}
    if registry.exists():
        found = engine.rows("select distinct lower(id_column) from segql.models")
        names |= {row[0] for row in found}
    deleted: dict[str, int] = {}
    with engine.transaction():
        _drop_single_points(engine)
        for schema, table, column, kind in _holders(
            engine, sorted(names), [*OWN_SCHEMAS, *schemas]
        ):
            target = f"{sql.quoted(schema)}.{sql.quoted(table)}"
            [(count,)] = engine.rows(
                f"delete from {target} where {sql.quoted(column)}::varchar = ? "
                f"or {sql.quoted(column)} = try_cast(? as {kind})",
                [str(id), str(id)],
            )
            if count:
                deleted[target] = deleted.get(target, 0) + int(count)
    return deleted


def models_of_points(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    """Models that may hold coordinates of single customers, without their ids.

    Those of trees and densities score by points that may be customers of the fit. Who is forgotten
    stays among them until the model is fitted anew and the version dropped.

    Returns
    -------
    list of (str, int, str)
        Name, version and algorithm.
    """
    engine = DuckDBEngine(con)
    if not Registry(engine).exists():
        return []
    rows = engine.rows(
        "select model_name, model_version, algorithm from segql.models "
        "where algorithm <> 'kmeans' order by all"
    )
    return [(row[0], int(row[1]), row[2]) for row in rows]


def _drop_single_points(engine: DuckDBEngine) -> None:
    """Delete points of maps that are of single customers, as an older segql has stored them."""
    if has_table(engine, "map_points"):
        columns = engine.columns(exp.to_table("segql.map_points"))
        single = "customers is null" if "customers" in columns else "true"
        engine.run(f"delete from segql.map_points where {single}")


def _holders(
    engine: DuckDBEngine, columns: list[str], schemas: list[str]
) -> list[tuple[str, str, str, str]]:
    """Schema, table, id column and its type of each table of segql's."""
    listed = ", ".join("?" for _ in columns)
    marks = " or ".join("list_has_all(names, ?)" for _ in SEGMENT_COLUMNS)
    rows = engine.rows(
        "select c.schema_name, c.table_name, c.column_name, c.data_type from duckdb_columns() as c "
        "inner join duckdb_tables() as t using (database_name, schema_name, table_name) "
        f"where database_name = current_database() and lower(c.column_name) in ({listed}) "
        f"and (schema_name in ({', '.join('?' for _ in schemas)}) or exists ("
        "select 1 from (select list(lower(s.column_name)) as names from duckdb_columns() as s "
        "where s.database_name = current_database() and s.schema_name = c.schema_name "
        f"and s.table_name = c.table_name) as its where {marks})) order by all",
        [*columns, *schemas, *(list(names) for names in SEGMENT_COLUMNS)],
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def rewrite(path: Path, change: Callable[[duckdb.DuckDBPyConnection], Any] | None = None) -> Any:
    """Write a database file anew, without the bytes of rows that are gone, and replace it whole.

    Parameters
    ----------
    path : Path
        A DuckDB file that nobody writes; readers keep what they have open. Of a link, the file
        that it leads to.
    change : callable, optional
        Called with a connection to a copy of the file, before that is written once more.

    Returns
    -------
    object
        What ``change`` returned.
    """
    path = path.resolve()
    parts = [path.with_name(f".{path.name}.{os.getpid()}.{step}") for step in ("copy", "clean")]
    result = None
    _take_in_log(path)
    try:
        # Held until the file is replaced: what another process wrote meanwhile would be lost.
        with _copied(path, parts[0]):
            clean = parts[0]
            if change is not None:
                with duckdb.connect(str(parts[0])) as con:
                    result = change(con)
                clean = parts[1]
                with _copied(parts[0], clean):
                    pass
            if _log(path).exists():
                raise SegqlError(
                    f"{str(path)!r} was written by another process meanwhile, and stays as it is; "
                    "accepted: run it again when nobody writes"
                )
            shutil.copymode(path, clean)
            os.replace(clean, path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
            _log(part).unlink(missing_ok=True)
    return result


def _take_in_log(path: Path) -> None:
    """Move what is in a file's log into the file.

    A log beside another file than its own is refused by DuckDB: whoever is killed between
    replacing the file and removing the log would leave a database that nobody can open.
    """
    if _log(path).exists():
        with duckdb.connect(str(path)) as con:
            con.execute("checkpoint")


@contextmanager
def _copied(source: Path, target: Path) -> Iterator[None]:
    """Copy a database, and keep the source locked against writers."""
    with duckdb.connect() as con:
        old, new = (sql.literal(str(item)) for item in (source, target))
        con.execute(f"attach {old} as old (read_only)")
        con.execute(f"attach {new} as new (storage_version '{STORAGE}')")
        con.execute("copy from database old to new")
        con.execute("detach new")
        yield


def _log(path: Path) -> Path:
    return path.with_name(path.name + ".wal")
