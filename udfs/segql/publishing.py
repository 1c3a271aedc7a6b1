"""Publish: marts and models in a file that BI reads, and Parquet beside it, replaced whole."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
from sqlglot import exp

from segql import placing, sql
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError
from segql.personal import EMAIL_VALUE, LeftOut, PersonalRules, personal_columns
from segql.registry import Registry
from segql.schema import TABLES, has_table

#: The schema that dbt has built its marts in.
MARTS = "marts"
#: The id column of the reference project.
DEFAULT_ID = "customer_id"
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
class Publication:
    """What a publish has written, and which columns it has left out."""

    id: str
    to: Path
    parquet: Path | None
    #: Rows of each mart.
    marts: dict[str, int]
    models: dict[str, int]
    left_out: list[LeftOut]


@dataclass(frozen=True)
class _Request:
    """A checked request, under the names that it has while it is carried out."""

    to: Path
    parquet: Path | None
    schema: str
    rules: PersonalRules
    id: str = field(
        default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}"
    )

    @property
    def version(self) -> Path | None:
        """The folder that the Parquet files stay in."""
        return None if self.parquet is None else placing.versions_of(self.parquet) / self.id


def publish(
    con: duckdb.DuckDBPyConnection,
    to: str | Path = "serve.duckdb",
    parquet: str | Path | None = None,
    *,
    schema: str = MARTS,
    keep: Sequence[str] | str = (),
    leave_out: Sequence[str] | str = (),
) -> Publication:
    """Write the marts and the models to a file that BI reads, without personal columns.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Its current database is published, as it was last committed.
    to : str or Path
        The file, ``serve.duckdb``, replaced in one step: who reads is never blocked and sees the
        old one or the new one. DuckDB 1.4 and later open it, whichever DuckDB writes it.
    parquet : str or Path, optional
        A folder with one file a mart, a link that is led to a new folder in one step. Files that
        have to agree are read through the folder that the link leads to (``os.path.realpath``).
    schema : str
        The schema of the marts, ``marts``; its views become tables.
    keep, leave_out : str or sequence of str
        Columns, as ``column`` or ``mart.column``, that are published although they look personal,
        or not published although they do not.

    Returns
    -------
    Publication
        Rows of each mart, the models, and each column left out with its reason.

    Raises
    ------
    SegqlError
        When the database is not built, an id is an e-mail address or a phone number, or a place
        cannot be written; the files stay as they were.

    Notes
    -----
    All is read in one transaction. Names, e-mail addresses, phone numbers, addresses, dates of
    birth and documents are recognized by the column's name; e-mail addresses and phone numbers
    also by the values of all rows.
    """
    request = _checked(to, parquet, schema, keep, leave_out)
    [(database,)] = con.execute("select current_database()").fetchall()
    # A connection of its own: the caller's transaction, result and USE stay as they are.
    with closing(con.cursor()) as cursor, ExitStack() as held:
        cursor.execute(f"use {_quoted(database)}")
        engine = DuckDBEngine(cursor)
        _check_target(engine, request.to)
        before = _published_before(request.to)
        for place in filter(None, (request.to, request.parquet)):
            held.enter_context(placing.locked(place))
            placing.prune_parts(place)
        try:
            return _written(engine, str(database), request, before)
        except duckdb.Error as error:
            raise SegqlError(f"{str(request.to)!r} stays as it was: {_said(error)}") from error


# -- what is asked for -----------------------------------------------------------------------


def _checked(to: Any, parquet: Any, schema: Any, keep: Any, leave_out: Any) -> _Request:
    """Refuse what is no option's value."""
    for option, value in (("to", to), ("parquet", parquet)):
        is_none = option == "parquet" and value is None
        if not is_none and (not isinstance(value, str | Path) or not str(value)):
            raise SegqlError(f"{option} got {value!r}; accepted: a path")
    if not isinstance(schema, str) or not schema or schema.lower() == "segql":
        raise SegqlError(f"schema got {schema!r}; accepted: the schema of the marts")
    rules = PersonalRules(_names("keep", keep), _names("leave_out", leave_out))
    target = Path(to)
    # Of a link, the file that it leads to.
    target = target.resolve() if not target.is_dir() else target
    if target.is_dir():
        raise SegqlError(f"to got {str(to)!r}, which is a folder; accepted: a file")
    if not target.parent.is_dir():
        raise SegqlError(f"to got {str(to)!r}; accepted: a file in a folder that exists")
    if target.stem.lower() in ("segql", schema.lower()):
        raise SegqlError(
            f"to got {str(to)!r}: DuckDB calls the database {target.stem!r}, which makes every "
            f"{target.stem}.name in it ambiguous; accepted: another file name"
        )
    if parquet is None:
        return _Request(target, None, schema, rules)
    folder = Path(parquet)
    folder = folder.parent.resolve() / folder.name
    if not folder.parent.is_dir() or not folder.name:
        raise SegqlError(f"parquet got {str(parquet)!r}; accepted: a folder in one that exists")
    if folder == target:
        raise SegqlError(f"to and parquet are both {str(to)!r}; accepted: a file and a folder")
    placing.check_link(folder)
    return _Request(target, folder, schema, rules)


def _names(option: str, value: Any) -> list[str]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise SegqlError(f"{option} got {value!r}; accepted: a column or a list of columns")
    return list(items)


def _check_target(engine: DuckDBEngine, to: Path) -> None:
    """Refuse to replace a database that this connection works on."""
    if not to.exists():
        return
    rows = engine.rows("select database_name, path, readonly from duckdb_databases()")
    for name, path, is_readonly in rows:
        is_in_use = name == engine.database or not is_readonly
        if is_in_use and path and Path(path).exists() and to.samefile(path):
            raise SegqlError(
                f"to got {str(to)!r}, which is the database {name!r} itself; accepted: another file"
            )


def _published_before(to: Path) -> str | None:
    """Id of what the file was published as; a file that is something else is refused."""
    if not to.exists() or to.stat().st_size == 0:
        return None
    with to.open("rb") as file:
        is_database = file.read(12)[8:] == b"DUCK"
    accepted = "accepted: a name that is free, or a file that was published before"
    if not is_database:
        raise SegqlError(f"to got {str(to)!r}, which is no DuckDB file; {accepted}")
    with duckdb.connect() as con:
        try:
            con.execute(f"attach {_literal(str(to))} as served (read_only)")
        except duckdb.Error as error:
            if "lock on file" in str(error):
                raise SegqlError(
                    f"{str(to)!r} is open for writing elsewhere; {accepted}"
                ) from error
            # A file that nobody can open is what a publish repairs.
            return None
        try:
            [(found,)] = con.execute(
                f"select max(publication_id) from served.segql.{PUBLICATION}"
            ).fetchall()
        except duckdb.Error as error:
            raise SegqlError(
                f"to got {str(to)!r}, a database that was not made by publish; {accepted}"
            ) from error
    return None if found is None else str(found)


# -- writing -----------------------------------------------------------------------------------


def _written(
    engine: DuckDBEngine, database: str, request: _Request, before: str | None
) -> Publication:
    """Write both outputs beside their places, then put each there."""
    part = placing.part_of(request.to)
    version = request.version
    folder = None if version is None else version.with_name(version.name + placing.PART)
    try:
        if folder is not None:
            folder.mkdir(parents=True)
        with _attached(engine, part) as served:
            with engine.transaction():
                publication = _copied(engine, database, served, request, folder)
            # What is in the log is in the file before anyone opens it.
            engine.run(f"checkpoint {_quoted(served)}")
        if _log(part).exists():
            raise SegqlError(f"{str(request.to)!r} stays as it was: its copy has a log left")
        if folder is not None and version is not None and request.parquet is not None:
            placing.folder_to_disk(folder)
            folder.rename(version)
        # A log of the old file is none of the new one.
        _log(request.to).unlink(missing_ok=True)
        placing.place_file(part, request.to)
        if version is not None and request.parquet is not None:
            # Those that readers may be at stay: what the link and the served file led to.
            linked = placing.linked_version(request.parquet)
            placing.place_folder(version, request.parquet)
            names = (request.id, before, linked and linked.name)
            placing.prune_versions(request.parquet, {name for name in names if name})
    finally:
        for item in filter(None, (part, _log(part), folder)):
            placing.remove(item)
    return publication


@contextmanager
def _attached(engine: DuckDBEngine, part: Path) -> Iterator[str]:
    """Attach a new file; its name is nobody else's."""
    name = f"{sql.SCRATCH}served_{uuid.uuid4().hex[:12]}"
    database = engine.database
    # Read-write by name: the connection itself may be read-only.
    engine.run(f"attach {_literal(str(part))} as {name} (read_write, storage_version '{STORAGE}')")
    try:
        yield name
    finally:
        with suppress(duckdb.Error):
            engine.run(f"use {_quoted(database)}")
        engine.run(f"detach {name}")


def _copied(
    engine: DuckDBEngine, database: str, served: str, request: _Request, folder: Path | None
) -> Publication:
    """Copy marts and registry in the transaction that all is read in."""
    marts = _marts(engine, request.schema)
    ids = _id_columns(engine, database)
    rules = replace(request.rules, ids=frozenset(ids))
    rules.check(marts | {table: {column: ""} for table, column in _CATEGORIES.items()})
    left: list[LeftOut] = []
    counts = {}
    target = f"{_quoted(served)}.{_quoted(request.schema)}"
    engine.run(f"create schema if not exists {target}")
    for name, columns in marts.items():
        source = f"{_quoted(database)}.{_quoted(request.schema)}.{_quoted(name)}"
        with _named(name):
            copied = f"{target}.{_quoted(name)}"
            gone = personal_columns(engine, source, name, columns, rules)
            kept = [column for column in columns if column not in {item.column for item in gone}]
            if not kept:
                raise SegqlError(
                    f"mart {name!r} has personal columns only ({', '.join(columns)}); accepted: "
                    "one or more of them in the option keep"
                )
            listed = ", ".join(_quoted(column) for column in kept)
            [(counts[name],)] = engine.rows(
                f"create table {copied} as select {listed} from {source}"
            )
            _comment(engine, database, request.schema, name, kept, copied)
            if folder is not None:
                file = _literal(str(folder / f"{_file_name(name)}.parquet"))
                engine.run(f"copy {copied} to {file} (format parquet)")
        left += gone
    models = _copy_registry(engine, database, served, rules)
    publication = Publication(request.id, request.to, request.parquet, counts, models, left)
    _note(engine, publication, request)
    return publication


@contextmanager
def _named(mart: str) -> Iterator[None]:
    """Say which mart DuckDB has failed at."""
    try:
        yield
    except duckdb.Error as error:
        raise SegqlError(f"mart {mart!r} cannot be published: {_said(error)}") from error


def _marts(engine: DuckDBEngine, schema: str) -> dict[str, dict[str, str]]:
    """Columns and types of each mart."""
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in engine.rows(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and schema_name = ? and not internal "
        "order by table_name, column_index",
        [schema],
    ):
        found.setdefault(table, {})[column] = kind
    if not found:
        raise SegqlError(
            f"the database {engine.database!r} has no marts in schema {schema!r}; accepted: one "
            "that dbt has built (the option schema names another)"
        )
    return found


def _id_columns(engine: DuckDBEngine, database: str) -> set[str]:
    """Columns that tell customers apart, in lower case."""
    if not Registry(engine).names():
        raise SegqlError(
            f"the database {database!r} has no model in schema 'segql'; accepted: one that dbt "
            "or segql fit has built"
        )
    rows = engine.rows("select distinct lower(id_column) from segql.models")
    return {DEFAULT_ID, *(row[0] for row in rows if row[0])}


def _comment(
    engine: DuckDBEngine, database: str, schema: str, mart: str, columns: list[str], copied: str
) -> None:
    """Take the descriptions along: BI shows them."""
    where = [database, schema, mart]
    rows = engine.rows(
        "select comment from duckdb_tables() where database_name = ? and schema_name = ? "
        "and table_name = ? union all select comment from duckdb_views() "
        "where database_name = ? and schema_name = ? and view_name = ?",
        [*where, *where],
    )
    for (comment,) in rows:
        if comment:
            engine.run(f"comment on table {copied} is {_literal(comment)}")
    for column, comment in engine.rows(
        "select column_name, comment from duckdb_columns() where database_name = ? "
        "and schema_name = ? and table_name = ? and comment is not null",
        where,
    ):
        if column in columns:
            engine.run(f"comment on column {copied}.{_quoted(column)} is {_literal(comment)}")


def _copy_registry(
    engine: DuckDBEngine, database: str, served: str, rules: PersonalRules
) -> dict[str, int]:
    """Copy the rows of the versions that are published, and write their macros from them."""
    tables = [name for name in TABLES if name != "registry_info" and has_table(engine, name)]
    for table, column in _CATEGORIES.items():
        if table in tables and rules.decision(table, column) is not True:
            _check_categories(engine, table, column)
    engine.run(f"use {_quoted(served)}")
    registry = Registry(engine)
    registry.prepare()
    source = f"{_quoted(database)}.segql"
    published = (
        f" semi join (from {source}.models where is_published) as published "
        "on copied.model_name = published.model_name "
        "and copied.model_version = published.model_version"
    )
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
        f"where regexp_matches({_quoted(column)}::varchar, {_literal(EMAIL_VALUE)})"
    )
    if count:
        raise SegqlError(
            f"a model has learned e-mail addresses as categories (segql.{table}); accepted: a "
            f"model without that feature, or '{table}.{column}' in the option keep"
        )


def _note(engine: DuckDBEngine, publication: Publication, request: _Request) -> None:
    """Write the file's own row."""
    engine.run(f"create table segql.{PUBLICATION} ({_PUBLICATION_COLUMNS})")
    folder = request.version
    left = [
        {"mart": item.table, "column": item.column, "reason": item.reason}
        for item in publication.left_out
    ]
    engine.run(
        f"insert into segql.{PUBLICATION} values (?, ?, ?, ?, ?, ?, ?)",
        [
            publication.id, datetime.now(UTC).replace(tzinfo=None), request.schema,
            None if folder is None else str(folder), version("segql"), duckdb.__version__, left,
        ],
    )  # fmt: skip


def _file_name(mart: str) -> str:
    """A mart's name as a file's: only what no file name can hold is written otherwise."""
    name = "".join(quote(c, safe="") if c in '/\\%\0:*?"<>|' else c for c in mart)
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _log(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _said(error: duckdb.Error) -> str:
    return " ".join(str(error).split("\n\nLINE ")[0].split())


def _quoted(name: str) -> str:
    return sql.text(exp.to_identifier(name, quoted=True))


def _literal(text: str) -> str:
    return sql.text(sql.string(text))
