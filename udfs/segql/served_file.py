"""What a served file holds: the marts without personal columns, the registry, its macros."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import duckdb

from segql import sql_text as sql
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, said
from segql.personal import EMAIL_VALUE, LeftOut, PersonalRules, personal_columns
from segql.registry import Registry
from segql.schema import TABLES, has_table

#: The id column of the reference project.
DEFAULT_ID = "customer_id"
#: What names of dbt's own end with.
LEFTOVERS = ("__dbt_tmp", "__dbt_backup", "__segql_input")
#: The storage version that DuckDB 1.4 and later open.
STORAGE = "v1.4.0"
#: The served file's own row: what was published, when, and what was left out.
PUBLICATION = "publication"
_PUBLICATION_COLUMNS = """publication_id varchar not null, published_at timestamp not null,
    marts varchar not null, parquet varchar, segql_version varchar, duckdb_version varchar,
    left_out struct(mart varchar, "column" varchar, reason varchar)[]"""
#: Registry columns in which a category of the customers' own columns stands.
_CATEGORIES = {"feature_bins": "category", "centroids": "categorical_value"}


@dataclass(frozen=True)
class Copied:
    """Rows of each mart, the version of each model, and the columns that were left out."""

    marts: dict[str, int]
    models: dict[str, int]
    left_out: list[LeftOut]


@contextmanager
def attached(engine: DuckDBEngine, part: Path) -> Iterator[str]:
    """Attach a new file; its name is nobody else's."""
    name = f"{sql.SCRATCH}served_{uuid.uuid4().hex[:12]}"
    # Read-write by name: the connection itself may be read-only.
    engine.run(
        f"attach {sql.literal(str(part))} as {name} (read_write, storage_version '{STORAGE}')"
    )
    try:
        yield name
    except BaseException:
        # Why it has failed matters more than that this has failed, too.
        with suppress(duckdb.Error):
            engine.run(f"detach {name}")
        raise
    engine.run(f"detach {name}")


@contextmanager
def _in_use(engine: DuckDBEngine, served: str) -> Iterator[None]:
    """Let names without a database be the served file's.

    Only for a while: a file in use that cannot be written, as on a full disk, cannot be detached.
    """
    database = engine.database
    engine.run(f"use {sql.quoted(served)}")
    try:
        yield
    finally:
        with suppress(duckdb.Error):
            engine.run(f"use {sql.quoted(database)}")


def copy_served(engine: DuckDBEngine, served: str, schema: str, rules: PersonalRules) -> Copied:
    """Copy marts and registry of the current database; the transaction is the caller's.

    Parameters
    ----------
    engine : DuckDBEngine
    served : str
        The attached database to copy to.
    schema : str
        The schema of the marts, there as here.
    rules : PersonalRules

    Raises
    ------
    SegqlError
        When the database is not built, or a mart cannot be read or may not leave.
    """
    database = engine.database
    marts = _marts(engine, schema)
    rules = replace(rules, ids=frozenset(_id_columns(engine)))
    rules.check(marts | {table: {column: ""} for table, column in _CATEGORIES.items()})
    left: list[LeftOut] = []
    counts = {}
    engine.run(f"create schema if not exists {sql.quoted(served)}.{sql.quoted(schema)}")
    for mart, columns in marts.items():
        with _named(mart):
            source, target = (
                f"{sql.quoted(name)}.{sql.quoted(schema)}.{sql.quoted(mart)}"
                for name in (database, served)
            )
            gone = personal_columns(engine, source, mart, columns, rules)
            kept = [column for column in columns if column not in {item.column for item in gone}]
            if not kept:
                raise SegqlError(
                    f"mart {mart!r} would have no column left without {', '.join(columns)}; "
                    "accepted: one or more of them in the option keep"
                )
            listed = ", ".join(map(sql.quoted, kept))
            [(counts[mart],)] = engine.rows(
                f"create table {target} as select {listed} from {source}"
            )
            _comment(engine, schema, mart, kept, target)
            left += gone
    return Copied(counts, _copy_registry(engine, served, rules), left)


def write_parquet(engine: DuckDBEngine, served: str, schema: str, folder: Path) -> None:
    """Write a Parquet file of each mart of a served file."""
    marts = engine.rows(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = ? "
        "order by 1",
        [served, schema],
    )
    for (mart,) in marts:
        with _named(mart):
            file = sql.literal(str(folder / f"{_file_name(mart)}.parquet"))
            source = f"{sql.quoted(served)}.{sql.quoted(schema)}.{sql.quoted(mart)}"
            engine.run(f"copy {source} to {file} (format parquet)")


@contextmanager
def _named(mart: str) -> Iterator[None]:
    """Say which mart DuckDB has failed at."""
    try:
        yield
    except duckdb.Error as error:
        raise SegqlError(f"mart {mart!r} cannot be published: {said(error)}") from error


def _marts(engine: DuckDBEngine, schema: str) -> dict[str, dict[str, str]]:
    """Columns and types of each mart."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in engine.rows(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and schema_name = ? and not internal "
        "order by table_name, column_index",
        [schema],
    ):
        # What a dbt run that was killed has left is no mart.
        if not table.endswith(LEFTOVERS):
            found.setdefault(table, {})[column] = kind
    if not found:
        raise SegqlError(
            f"the database {engine.database!r} has no marts in schema {schema!r}; accepted: one "
            "that dbt has built (the option schema names another)"
        )
    return found


def _id_columns(engine: DuckDBEngine) -> set[str]:
    """Columns that tell customers apart, in lower case."""
    if not Registry(engine).names():
        raise SegqlError(
            f"the database {engine.database!r} has no model in schema 'segql'; accepted: one that "
            "dbt or segql fit has built"
        )
    rows = engine.rows("select distinct lower(id_column) from segql.models")
    return {DEFAULT_ID, *(row[0] for row in rows if row[0])}


def _comment(engine: DuckDBEngine, schema: str, mart: str, columns: list[str], copied: str) -> None:
    """Take the descriptions along: BI shows them."""
    where = [engine.database, schema, mart]
    rows = engine.rows(
        "select comment from duckdb_tables() where database_name = ? and schema_name = ? "
        "and table_name = ? union all select comment from duckdb_views() "
        "where database_name = ? and schema_name = ? and view_name = ?",
        [*where, *where],
    )
    for (comment,) in rows:
        if comment:
            engine.run(f"comment on table {copied} is {sql.literal(comment)}")
    for column, comment in engine.rows(
        "select column_name, comment from duckdb_columns() where database_name = ? "
        "and schema_name = ? and table_name = ? and comment is not null",
        where,
    ):
        if column in columns:
            engine.run(f"comment on column {copied}.{sql.quoted(column)} is {sql.literal(comment)}")


def _copy_registry(engine: DuckDBEngine, served: str, rules: PersonalRules) -> dict[str, int]:
    """Copy the rows of the versions that are published, and write their macros from them."""
    tables = [name for name in TABLES if name != "registry_info" and has_table(engine, name)]
    for table, column in _CATEGORIES.items():
        if table in tables and rules.decision(table, column) is not True:
            _check_categories(engine, table, column)
    source = f"{sql.quoted(engine.database)}.segql"
    published = (
        f" semi join (from {source}.models where is_published) as published "
        "on copied.model_name = published.model_name "
        "and copied.model_version = published.model_version"
    )
    with _in_use(engine, served):
        registry = Registry(engine)
        registry.prepare()
        for table in tables:
            only = "" if table == "retired" else published
            engine.run(
                f"insert into segql.{table} by name select copied.* "
                f"from {source}.{table} as copied{only}"
            )
        registry.rewrite()
        registry.announce()
        rows = engine.rows(
            "select model_name, model_version from segql.models where is_current order by 1"
        )
    return dict(rows)


def _check_categories(engine: DuckDBEngine, table: str, column: str) -> None:
    """Refuse a model that has learned e-mail addresses as categories: it cannot do without."""
    [(count,)] = engine.rows(
        f"select count(*) from segql.{table} "
        f"where regexp_matches({sql.quoted(column)}::varchar, {sql.literal(EMAIL_VALUE)})"
    )
    if count:
        raise SegqlError(
            f"a model has learned e-mail addresses as categories (segql.{table}); accepted: a "
            f"model without that feature, or '{table}.{column}' in the option keep"
        )


def note_publication(
    engine: DuckDBEngine,
    served: str,
    id: str,
    schema: str,
    folder: Path | None,
    left_out: list[LeftOut],
) -> None:
    """Write the file's own row."""
    table = f"{sql.quoted(served)}.segql.{PUBLICATION}"
    engine.run(f"create table {table} ({_PUBLICATION_COLUMNS})")
    left = [{"mart": item.table, "column": item.column, "reason": item.reason} for item in left_out]
    engine.run(
        f"insert into {table} values (?, ?, ?, ?, ?, ?, ?)",
        [
            id, datetime.now(UTC).replace(tzinfo=None), schema,
            None if folder is None else str(folder), version("segql"), duckdb.__version__, left,
        ],
    )  # fmt: skip


def _file_name(mart: str) -> str:
    """A mart's name as a file's: only what no file name can hold is written otherwise."""
    name = "".join(quote(c, safe="") if c in '/\\%\0:*?"<>|' else c for c in mart)
    return f"%2E{name[1:]}" if name.startswith(".") else name
