"""The segql command: fit, predict, evaluate and look after models from a shell or a script."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segql import sql_text as sql
from segql.audience_command import export_audience_command
from segql.backtest_command import backtest_command
from segql.cli_support import (
    DEFAULT_DATABASE,
    Database,
    Json,
    Yes,
    opened,
    parse_features,
    parse_k,
    parse_number,
    parse_table,
    print_json,
    print_rows,
    told,
    write_file,
)
from segql.errors import SegqlError
from segql.fit_dbt_command import fit_dbt_command
from segql.forget_command import forget_command
from segql.lifecycle import evaluate, explain_decisions, export, fitted, load, models, predict
from segql.publish_command import publish_command
from segql.report_command import report_command
from segql.shell import Shell
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
Version = Annotated[int | None, typer.Option(help="A version; by default the current one.")]
Name = Annotated[str, typer.Argument(help="Name of the model.")]


@app.command("fit")
@told
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
        "id": id, "features": parse_features(features), "algorithm": algorithm, "k": parse_k(k),
        "pca": int(pca) if pca is not None and pca >= 1 and pca == int(pca) else pca,
        "eps": parse_number(eps), "min_samples": min_samples, "linkage": linkage, "seed": seed,
    }  # fmt: skip
    request = Request(relation=relation, name=name, **DEFAULTS | options)
    with opened(database, writes=True) as con:
        model, is_new = fitted(con, request, requested_by="command line", reuse=not refit)
    if as_json:
        print_json(
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
@told
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
    with opened(database, writes=table is not None) as con:
        rows = predict(con, name, relation, version=version)
        if table is None and to is None:
            print_rows(rows, as_json=as_json)
            return
        if table is not None:
            target = sql.text(parse_table(table))
            con.execute(f"create or replace table {target} as {rows.sql_query()}")
            [(count,)] = con.execute(f"select count(*) from {target}").fetchall()
        else:
            assert to is not None
            count = write_file(con, rows, to)
    if as_json:
        print_json({"to" if table is None else "table": table or str(to), "rows": count})
    else:
        typer.echo(f"{table or to}: {count} rows")


@app.command("evaluate")
@told
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
    with opened(database, writes=False) as con:
        figures = evaluate(con, name, relation, version=version)
    if as_json:
        print_json(figures)
        return
    for figure, value in figures.items():
        typer.echo(f"{figure:<22} {value:.6g}")


@app.command("models")
@told
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
    with opened(database, writes=False) as con:
        if name is not None:
            load(con, name)
        frame = models(con)
        if name is not None:
            frame = frame[frame["model_name"] == name]
        if not as_json:
            # What fits on a screen.
            frame = frame.drop(columns=["requested_by", "relation", "reason"])
        print_rows(con.from_df(frame), as_json=as_json)


@app.command("use-version")
@told
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
    with opened(database, writes=True) as con:
        model = use_version(con, name, version)
    if as_json:
        print_json({"model_name": model.name, "model_version": model.version})
    else:
        typer.echo(f"{model.name!r} version {model.version} is now the current one")


@app.command("export")
@told
def export_command(
    name: Name,
    dialect: Annotated[str, typer.Option(help="An engine's SQL, such as snowflake.")] = "duckdb",
    form: Annotated[
        str, typer.Option(help="query, expression, function, rules or tables.")
    ] = "query",
    version: Version = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Print a model as SQL.

    \b
    Examples:
      segql export customers > score.sql
      segql export customers --dialect bigquery --form expression
      segql export customers --dialect postgres --form function
    """
    with opened(database, writes=False) as con:
        text = export(load(con, name, version=version), dialect=dialect, form=form)
    if as_json:
        print_json({"model_name": name, "dialect": dialect, "form": form, "sql": text})
    else:
        typer.echo(text)


app.command("export-audience")(export_audience_command)


@app.command("drop")
@told
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
    with opened(database, writes=True) as con:
        if not yes:
            load(con, name, version=version)
            what = "all versions" if version is None else f"version {version}"
            typer.confirm(f"Drop {what} of {name!r}?", abort=True, err=True)
        gone = drop(con, name, version)
    if as_json:
        print_json({"model_name": name, "model_versions": gone})
    else:
        typer.echo(f"{name!r}: dropped version {', '.join(map(str, gone))}")


app.command("forget")(forget_command)


@app.command("shell")
@told
def shell_command(
    command: Annotated[
        str | None, typer.Option("--command", "-c", help="Run this SQL and leave.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Write nothing.")] = False,
    dialect: Annotated[str, typer.Option(help="duckdb or bigquery.")] = "duckdb",
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Open a DuckDB prompt with every segql function registered.

    \b
    Examples:
      segql shell
      segql shell -c "from segql.segments('customers')"
      echo "select segql_fit('m', 't', {id: 'id'});" | segql shell
      segql shell --dialect bigquery -c "select countif(recency > 100) as n from t"
    """
    with opened(database, writes=not read_only) as con:
        shell = Shell(con, dialect)
        if command is not None:
            raise typer.Exit(0 if shell.run(command) else 1)
        raise typer.Exit(0 if shell.loop() else 1)


app.command("backtest")(backtest_command)
app.command("fit-dbt")(fit_dbt_command)
app.command("publish")(publish_command)
app.command("report")(report_command)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
