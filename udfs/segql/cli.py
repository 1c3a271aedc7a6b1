"""The segql command: fit, predict, evaluate and look after models from a shell or a script."""

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

from segql import sql
from segql.errors import SegqlError
from segql.forgetting import forget, rewrite
from segql.lifecycle import evaluate, explain_decisions, export, fitted, load, models, predict
from segql.shell import Shell, drawn
from segql.training import DEFAULTS, Request
from segql.upkeep import drop, use_version

app = typer.Typer(
    name="segql",
    help="Customer segments where the data lives: learned next to your tables, left as plain SQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
DATABASE_VARIABLE = "SEGQL_DATABASE"

Database = Annotated[
    Path,
    typer.Option(
        "--database", "-d", envvar=DATABASE_VARIABLE, help="The DuckDB file.", show_default=True
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Version = Annotated[int | None, typer.Option(help="A version; by default the current one.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Name = Annotated[str, typer.Argument(help="Name of the model.")]
DEFAULT_DATABASE = Path("warehouse.duckdb")


def _told(command: Callable[..., None]) -> Callable[..., None]:
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
            said = " ".join(str(error).split("\n\nLINE ")[0].split())
            if options.get("as_json"):
                typer.echo(json.dumps({"error": said}, ensure_ascii=False), err=True)
            else:
                typer.echo(f"segql: {said}", err=True)
            raise typer.Exit(1) from error

    return run


@contextmanager
def _opened(path: Path, *, writes: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    if not path.exists():
        raise SegqlError(
            f"there is no database {str(path)!r}; accepted: an existing DuckDB file, by --database "
            f"or {DATABASE_VARIABLE}"
        )
    con = duckdb.connect(str(path), read_only=not writes)
    try:
        # DuckDB's bar would stand among the lines that a script reads.
        con.execute("set enable_progress_bar = false")
        yield con
    finally:
        con.close()


def _plain(value: Any) -> Any:
    """Turn what JSON lacks into what it has: numbers that are none into null, keys into text."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(_plain(value), default=str, ensure_ascii=False))


def _print_rows(rows: duckdb.DuckDBPyRelation, *, as_json: bool) -> None:
    if not as_json:
        typer.echo(drawn(rows))
        return
    names = rows.columns
    for row in rows.fetchall():
        _print_json(dict(zip(names, row, strict=True)))


@app.command("fit")
@_told
def fit_command(
    name: Name,
    relation: Annotated[str, typer.Argument(help="Table, view, or a SELECT.")],
    id: Annotated[str, typer.Option(help="Column that identifies a row.")],
    features: Annotated[
        str, typer.Option(help="auto, columns with commas between them, or JSON of their options.")
    ] = "auto",
    algorithm: Annotated[
        str, typer.Option(help="kmeans, hierarchical, dbscan or hdbscan.")
    ] = "kmeans",
    k: Annotated[str, typer.Option(help="A number, MIN-MAX, auto, or height=H.")] = "auto",
    pca: Annotated[
        float | None, typer.Option(help="Components, or a share of the variance.")
    ] = None,
    eps: Annotated[str, typer.Option(help="DBSCAN's radius, or auto.")] = "auto",
    min_samples: Annotated[int | None, typer.Option(help="Neighbours of a core point.")] = None,
    linkage: Annotated[str, typer.Option(help="ward, average, complete or single.")] = "ward",
    seed: Annotated[int, typer.Option(help="Same rows and seed, same segments.")] = 42,
    refit: Annotated[
        bool, typer.Option("--refit", help="Learn again although nothing has changed.")
    ] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Learn a segmentation and store it under a name.

    The same name, rows and options find the stored version and learn nothing.

    \b
    Examples:
      segql fit customers features.customer_features --id customer_id
      segql fit vip "select * from customers where spend > 100" --id id --k 2-6 --pca 0.9
      segql fit trees t --id id --algorithm hierarchical --k height=12.5
      segql fit mine t --id id --features '{"spend": {"transform": "log1p"}}' --json
    """
    options = {
        "id": id, "features": _features(features), "algorithm": algorithm, "k": _k(k),
        "pca": int(pca) if pca is not None and pca >= 1 and pca == int(pca) else pca,
        "eps": _number(eps), "min_samples": min_samples, "linkage": linkage, "seed": seed,
    }  # fmt: skip
    request = Request(relation=relation, name=name, **DEFAULTS | options)
    with _opened(database, writes=True) as con:
        model, is_new = fitted(con, request, requested_by="command line", reuse=not refit)
    if as_json:
        _print_json(
            {"model_name": model.name, "model_version": model.version, "is_new": is_new,
             "algorithm": model.algorithm, "k": model.k, "reason": model.reason,
             "metrics": model.metrics,
             "segments": [vars(segment) for segment in model.segments]}
        )  # fmt: skip
        return
    if is_new and features == "auto":
        typer.echo(explain_decisions(model))
    word = "is now" if is_new else "was learned from these rows with these options and stays"
    typer.echo(f"{model.name!r} version {model.version} {word} the current one: {model.reason}")
    for segment in model.segments:
        typer.echo(f"  {segment.segment_key}: {segment.customers} ({segment.share:.1%})")


@app.command("predict")
@_told
def predict_command(
    name: Name,
    relation: Annotated[str, typer.Argument(help="Table, view, or a SELECT.")],
    version: Version = None,
    to: Annotated[
        Path | None, typer.Option(help="A file to write: .csv, .parquet or .json.")
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="A table to create or replace in the database.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Score a relation: all of its columns and the prediction columns.

    \b
    Examples:
      segql predict customers new_customers
      segql predict customers new_customers --to scored.parquet
      segql predict customers "from crm.clients" --table marts.scored
    """
    if to is not None and table is not None:
        raise SegqlError("to and table are both given; accepted: one of them")
    with _opened(database, writes=table is not None) as con:
        rows = predict(con, name, relation, version=version)
        if table is None and to is None:
            _print_rows(rows, as_json=as_json)
            return
        if table is not None:
            target = sql.text(_table(table))
            con.execute(f"create or replace table {target} as {rows.sql_query()}")
            [(count,)] = con.execute(f"select count(*) from {target}").fetchall()
        else:
            assert to is not None
            count = _write(con, rows, to)
    if as_json:
        _print_json({"to" if table is None else "table": table or str(to), "rows": count})
    else:
        typer.echo(f"{table or to}: {count} rows")


@app.command("evaluate")
@_told
def evaluate_command(
    name: Name,
    relation: Annotated[
        str | None, typer.Argument(help="By default the figures of the training.")
    ] = None,
    version: Version = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Measure a model on all rows of a relation.

    \b
    Examples:
      segql evaluate customers
      segql evaluate customers features.customer_features --json
    """
    with _opened(database, writes=False) as con:
        figures = evaluate(con, name, relation, version=version)
    if as_json:
        _print_json(figures)
        return
    for figure, value in figures.items():
        typer.echo(f"{figure:<22} {value:.6g}")


@app.command("models")
@_told
def models_command(
    name: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """List every version of every model, and which one is current.

    \b
    Examples:
      segql models
      segql models customers --json
    """
    with _opened(database, writes=False) as con:
        if name is not None:
            load(con, name)
        frame = models(con)
        if name is not None:
            frame = frame[frame["model_name"] == name]
        if not as_json:
            # What fits on a screen.
            frame = frame.drop(columns=["requested_by", "relation", "reason"])
        _print_rows(con.from_df(frame), as_json=as_json)


@app.command("use-version")
@_told
def use_version_command(
    name: Name,
    version: Annotated[int, typer.Argument(help="The version to make current.")],
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Make a version of a model the current one: roll back a refit.

    \b
    Example:
      segql use-version customers 3
    """
    with _opened(database, writes=True) as con:
        model = use_version(con, name, version)
    if as_json:
        _print_json({"model_name": model.name, "model_version": model.version})
    else:
        typer.echo(f"{model.name!r} version {model.version} is now the current one")


@app.command("export")
@_told
def export_command(
    name: Name,
    dialect: Annotated[str, typer.Option(help="An SQL dialect, such as snowflake.")] = "duckdb",
    form: Annotated[str, typer.Option(help="query or expression.")] = "query",
    version: Version = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Print a model as SQL.

    \b
    Examples:
      segql export customers > score.sql
      segql export customers --dialect bigquery --form expression
    """
    with _opened(database, writes=False) as con:
        text = export(load(con, name, version=version), dialect=dialect, form=form)
    if as_json:
        _print_json({"model_name": name, "dialect": dialect, "form": form, "sql": text})
    else:
        typer.echo(text)


@app.command("drop")
@_told
def drop_command(
    name: Name,
    version: Annotated[
        int | None, typer.Option(help="Only this version; by default all of them.")
    ] = None,
    yes: Yes = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Remove a model with its tables' rows and macros, or one old version of it.

    \b
    Examples:
      segql drop customers --version 1
      segql drop customers --yes
    """
    with _opened(database, writes=True) as con:
        if not yes:
            load(con, name, version=version)
            what = "all versions" if version is None else f"version {version}"
            typer.confirm(f"Drop {what} of {name!r}?", abort=True, err=True)
        gone = drop(con, name, version)
    if as_json:
        _print_json({"model_name": name, "model_versions": gone})
    else:
        typer.echo(f"{name!r}: dropped version {', '.join(map(str, gone))}")


@app.command("forget")
@_told
def forget_command(
    id: Annotated[str, typer.Argument(help="The id of the customer to forget.")],
    id_column: Annotated[
        list[str] | None, typer.Option(help="An id column that no model has; may be repeated.")
    ] = None,
    schema: Annotated[
        list[str] | None, typer.Option(help="A schema whose tables are segql's; repeatable.")
    ] = None,
    served: Annotated[
        Path | None, typer.Option(help="The served file; by default serve.duckdb beside it.")
    ] = None,
    keep_bytes: Annotated[
        bool, typer.Option("--keep-bytes", help="Do not write the database file anew.")
    ] = False,
    yes: Yes = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Delete a customer's rows from every table of segql, history and the served file included.

    Sources are left alone: delete the customer there too, or the next build brings them back. The
    files are then written anew, so that no byte of the rows stays in them.

    \b
    Example:
      segql forget C00000042 --yes
    """
    with _opened(database, writes=False):
        pass
    options: dict[str, Any] = {"id_columns": id_column or (), "schemas": schema or ()}
    given = served is not None
    served = served or database.with_name("serve.duckdb")
    if given and not served.exists():
        raise SegqlError(f"there is no served file {str(served)!r}")
    if not yes:
        typer.confirm(f"Delete all rows of id {id!r} in {str(database)!r}?", abort=True, err=True)
    with _opened(database, writes=True) as con:
        deleted = {str(database): forget(con, id, **options)}
        con.execute("checkpoint")
    if not keep_bytes:
        # Also when no row was left: an earlier run may have ended between the two.
        rewrite(database)
    if served.exists() and served.resolve() != database.resolve():
        # Its readers hold it open: it is replaced, never changed.
        deleted[str(served)] = rewrite(served, lambda con: forget(con, id, **options))
    if as_json:
        _print_json({"id": id, "deleted": deleted})
        return
    for file, tables in deleted.items():
        typer.echo(f"{file}: {sum(tables.values())} rows of {len(tables)} tables")
        for table, count in tables.items():
            typer.echo(f"  {table}: {count}")


@app.command("shell")
@_told
def shell_command(
    command: Annotated[
        str | None, typer.Option("--command", "-c", help="Run this SQL and leave.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Write nothing.")] = False,
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Open a DuckDB prompt with every segql function registered.

    \b
    Examples:
      segql shell
      segql shell -c "from segql.segments('customers')"
      echo "select segql_fit('m', 't', {id: 'id'});" | segql shell
    """
    with _opened(database, writes=not read_only) as con:
        shell = Shell(con)
        if command is not None:
            raise typer.Exit(0 if shell.run(command) else 1)
        raise typer.Exit(0 if shell.loop() else 1)


def _features(text: str) -> Any:
    stripped = text.strip()
    if stripped.startswith(("{", "[")):
        try:
            return json.loads(stripped)
        except ValueError as error:
            raise SegqlError(f"features got {text!r}, which is no JSON: {error}") from error
    return text if stripped == "auto" else [item.strip() for item in text.split(",")]


def _k(text: str) -> Any:
    parts = text.split("-")
    if len(parts) == 2 and all(part.strip().isdigit() for part in parts):
        return int(parts[0]), int(parts[1])
    name, found, value = text.partition("=")
    if found and name.strip() == "height":
        return {"height": _number(value)}
    return int(text) if text.isdigit() else text


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _table(name: str) -> Any:
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


def _write(con: duckdb.DuckDBPyConnection, rows: duckdb.DuckDBPyRelation, path: Path) -> int:
    """Write a file beside its place first: a failure leaves what was there; count the rows."""
    kinds = {".csv": "csv, header", ".parquet": "parquet", ".json": "json"}
    if path.suffix.lower() not in kinds:
        raise SegqlError(f"to got {str(path)!r}; accepted: a file that ends in {', '.join(kinds)}")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    target = sql.text(sql.string(str(part)))
    try:
        [(count,)] = con.execute(
            f"copy ({rows.sql_query()}) to {target} (format {kinds[path.suffix.lower()]})"
        ).fetchall()
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return int(count)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
