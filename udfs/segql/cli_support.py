"""What every command shares: opening the file, words to options, output, refusals."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
from sqlglot import exp
from sqlglot.errors import SqlglotError

from segql import sql_text as sql
from segql.errors import SegqlError, said
from segql.shell import drawn
from segql.waiting import connect_waiting

DATABASE_VARIABLE = "SEGQL_DATABASE"
DEFAULT_DATABASE = Path("warehouse.duckdb")
Database = Annotated[
    Path,
    typer.Option(
        "--database", "-d", envvar=DATABASE_VARIABLE, help="The DuckDB file.", show_default=True
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def told(command: Callable[..., None]) -> Callable[..., None]:
    """End with one line on standard error when something is refused."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except BrokenPipeError:
            # Who reads has had enough, such as head: click ends in silence.
            raise
        except RuntimeError as error:
            # What DuckDB makes of Ctrl-C, and typer of the end of a command.
            if "interrupted" not in str(error):
                raise
            raise KeyboardInterrupt from error
        except (SegqlError, duckdb.Error, OSError) as error:
            message = said(error)
            if options.get("as_json"):
                typer.echo(json.dumps({"error": message}, ensure_ascii=False), err=True)
            else:
                typer.echo(f"segql: {message}", err=True)
            raise typer.Exit(1) from error

    return run


@contextmanager
def opened(
    path: Path, *, writes: bool, otherwise: str = "the same again when that has ended"
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an existing file; one that another process holds is waited for."""
    if not path.exists():
        raise SegqlError(
            f"there is no database {str(path)!r}; accepted: an existing DuckDB file, by --database "
            f"or {DATABASE_VARIABLE}"
        )
    con = connect_waiting(path, read_only=not writes, otherwise=otherwise)
    try:
        # DuckDB's bar would stand among the lines that a script reads.
        con.execute("set enable_progress_bar = false")
        yield con
    finally:
        con.close()


@contextmanager
def opened_to_read(database: Path, otherwise: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file to read it, and say in one line why that cannot be.

    Parameters
    ----------
    database : Path
    otherwise : str
        What to do while another process is writing to it.
    """
    try:
        with opened(database, writes=False, otherwise=otherwise) as con:
            yield con
    except duckdb.IOException as error:
        message = said(error)
        if "newer" in message or "Storage Version" in message:
            raise SegqlError(
                f"the database {str(database)!r} was written by a newer DuckDB than "
                f"{duckdb.__version__}; accepted: one in a storage version that this one reads, "
                "or a newer duckdb here"
            ) from error
        raise SegqlError(f"the database {str(database)!r} cannot be opened: {message}") from error


def plain(value: Any) -> Any:
    """Turn what JSON lacks into what it has: numbers that are none into null, keys into text."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """Print one line of JSON."""
    typer.echo(json.dumps(plain(value), default=str, ensure_ascii=False))


def print_rows(rows: duckdb.DuckDBPyRelation, *, as_json: bool) -> None:
    """Print a table, or a line of JSON a row."""
    if not as_json:
        typer.echo(drawn(rows))
        return
    names = rows.columns
    for row in rows.fetchall():
        print_json(dict(zip(names, row, strict=True)))


def parse_features(text: str) -> Any:
    """Read the features: auto, names with commas between them, or JSON."""
    stripped = text.strip()
    if stripped.startswith(("{", "[")):
        try:
            return json.loads(stripped)
        except ValueError as error:
            raise SegqlError(f"features got {text!r}, which is no JSON: {error}") from error
    return text if stripped == "auto" else [item.strip() for item in text.split(",")]


def parse_k(text: str) -> Any:
    """Read k: a number, a range, or a height; other words are refused by the fit."""
    parts = text.split("-")
    if len(parts) == 2 and all(part.strip().isdigit() for part in parts):
        return int(parts[0]), int(parts[1])
    name, found, value = text.partition("=")
    if found and name.strip() == "height":
        return {"height": parse_number(value)}
    return int(text) if text.isdigit() else text


def parse_number(text: str) -> Any:
    """Read a number, or leave the word."""
    try:
        return float(text)
    except ValueError:
        return text


def parse_table(name: str) -> Any:
    """Name a table as it stands, or by its parts when that reads as a name."""
    whole = exp.Table(this=exp.to_identifier(name, quoted=True))
    try:
        parsed = exp.to_table(name, dialect="duckdb")
    except (SqlglotError, ValueError):
        return whole
    is_name = all(isinstance(part, exp.Identifier) for part in parsed.parts)
    if not is_name or parsed.args.get("alias") or parsed.args.get("joins"):
        return whole
    for part in parsed.parts:
        part.set("quoted", True)
    return parsed


def write_file(con: duckdb.DuckDBPyConnection, rows: duckdb.DuckDBPyRelation, path: Path) -> int:
    """Write a file beside its place first: a failure leaves what was there; count the rows."""
    kinds = {".csv": "csv, header", ".parquet": "parquet", ".json": "json"}
    if path.suffix.lower() not in kinds:
        raise SegqlError(f"to got {str(path)!r}; accepted: a file that ends in {', '.join(kinds)}")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    target = sql.literal(str(part))
    try:
        [(count,)] = con.execute(
            f"copy ({rows.sql_query()}) to {target} (format {kinds[path.suffix.lower()]})"
        ).fetchall()
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return int(count)
