"""Publish: marts and models in a file that BI reads, and Parquet beside it, replaced whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from segql import placing
from segql import sql_text as sql
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, said
from segql.forgetting import rewrite
from segql.personal import LeftOut, PersonalRules
from segql.served_file import (
    PUBLICATION,
    attached,
    copy_served,
    note_publication,
    write_parquet,
)

#: The schema that dbt has built its marts in.
MARTS = "marts"


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


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True)
class _Request:
    """A checked request, under the names that it has while it is carried out."""

    to: Path
    parquet: Path | None
    schema: str
    rules: PersonalRules
    id: str = field(default_factory=_new_id)

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
        cursor.execute(f"use {sql.quoted(database)}")
        engine = DuckDBEngine(cursor)
        _check_target(engine, request.to)
        before = _published_before(request.to)
        for place in filter(None, (request.to, request.parquet)):
            held.enter_context(placing.locked(place))
            placing.prune_parts(place)
        try:
            return _written(engine, request, before)
        except (SegqlError, duckdb.Error, OSError) as error:
            raise SegqlError(f"{str(request.to)!r} stays as it was: {said(error)}") from error


def rewrite_served(path: Path, change: Callable[[duckdb.DuckDBPyConnection], Any]) -> Any:
    """Change a served file and the Parquet folder published with it, each replaced whole.

    No older version of the folder stays: what has been deleted from the file is in none of them.

    Parameters
    ----------
    path : Path
        A file that publish has made, or any other database, which has no folder.
    change : callable
        Called with a connection to a copy of the file.

    Returns
    -------
    object
        What ``change`` returned.
    """
    path = path.resolve()
    published = _publication_of(path)
    if published is None:
        return rewrite(path, change)
    marts, folder = published
    link = None if folder is None else placing.link_of(Path(folder))
    if link is None:
        with placing.locked(path):
            return rewrite(path, change)
    id = _new_id()
    version = placing.versions_of(link) / id
    part = link_part = None
    with placing.locked(path), placing.locked(link):
        try:
            part = placing.part_folder(version)
            link_part = placing.part_link(version, link)

            def change_both(con: duckdb.DuckDBPyConnection) -> Any:
                result = change(con)
                engine = DuckDBEngine(con)
                engine.run(
                    f"update segql.{PUBLICATION} set publication_id = ?, parquet = ?",
                    [id, str(version)],
                )
                write_parquet(engine, engine.database, marts, part)
                placing.folder_to_disk(part)
                part.rename(version)
                return result

            result = rewrite(path, change_both)
            placing.place_link(link_part, link)
            placing.prune_versions(link, {id})
        finally:
            for item in filter(None, (part, link_part)):
                placing.remove(item)
    return result


def _publication_of(path: Path) -> tuple[str, str | None] | None:
    """The schema of the marts and the Parquet folder that a file was published with."""
    with duckdb.connect() as con:
        con.execute(f"attach {sql.literal(str(path))} as served (read_only)")
        try:
            rows = con.execute(f"select marts, parquet from served.segql.{PUBLICATION}").fetchall()
        except duckdb.CatalogException:
            return None
    return rows[0] if rows else None


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
            con.execute(f"attach {sql.literal(str(to))} as served (read_only)")
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


def _written(engine: DuckDBEngine, request: _Request, before: str | None) -> Publication:
    """Write both outputs beside their places, then put each there."""
    part, version = placing.part_of(request.to), request.version
    folder = link = None
    try:
        if request.parquet is not None and version is not None:
            folder = placing.part_folder(version)
            link = placing.part_link(version, request.parquet)
        with attached(engine, part) as served:
            with engine.transaction():
                copied = copy_served(engine, served, request.schema, request.rules)
                note_publication(
                    engine, served, request.id, request.schema, version, copied.left_out
                )
            if folder is not None:
                write_parquet(engine, served, request.schema, folder)
            # What is in the log is in the file before anyone opens it.
            engine.run(f"checkpoint {sql.quoted(served)}")
        if placing.log_of(part).exists():
            raise SegqlError("the copy has a log left")
        if folder is not None and version is not None:
            placing.folder_to_disk(folder)
            folder.rename(version)
        placing.place_file(part, request.to)
        if link is not None and version is not None and request.parquet is not None:
            # Those that readers may be at stay: what the link and the served file led to.
            linked = placing.linked_version(request.parquet)
            placing.place_link(link, request.parquet)
            names = (version.name, before, linked and linked.name)
            placing.prune_versions(request.parquet, {name for name in names if name})
    finally:
        for item in filter(None, (part, placing.log_of(part), folder, link)):
            placing.remove(item)
    return Publication(
        request.id, request.to, request.parquet, copied.marts, copied.models, copied.left_out
    )
