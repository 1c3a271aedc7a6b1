"""The command segql publish: what BI reads, written beside the warehouse and replaced whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segql.cli_support import DEFAULT_DATABASE, Database, Json, opened_to_read, print_json, told
from segql.publishing import MARTS, Publication, publish


@told
def publish_command(
    to: Annotated[
        Path | None,
        typer.Option(help="The file to write; by default serve.duckdb beside the database."),
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="A folder for a Parquet file of each mart, too.")
    ] = None,
    schema: Annotated[str, typer.Option(help="The schema of the marts.")] = MARTS,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN or MART.COLUMN to publish though it looks personal; repeatable."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN or MART.COLUMN not to publish; may be repeated."),
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Write the marts and the models to a file that BI reads while the warehouse is built.

    Readers are never blocked: the file is replaced whole, and who has the old one open keeps it.
    DuckDB 1.4 and later open it. Names, e-mail addresses, phone numbers, addresses and dates of
    birth are left out, and told.

    \b
    Examples:
      segql publish
      segql publish --to shared.duckdb --parquet exports --leave-out gender
      segql publish --keep rfm_segments.postcode --json
    """
    target = to or database.with_name("serve.duckdb")
    otherwise = "publish when that has ended, or from dbt by its var publish_to"
    with opened_to_read(database, otherwise) as con:
        publication = publish(
            con, target, parquet, schema=schema, keep=keep or (), leave_out=leave_out or ()
        )
    if as_json:
        print_json(_summary(publication))
        return
    rows = sum(publication.marts.values())
    models = ", ".join(f"{name} version {number}" for name, number in publication.models.items())
    typer.echo(f"{target}: {rows} rows of {len(publication.marts)} marts, models: {models}")
    if parquet is not None:
        typer.echo(f"{parquet}: {len(publication.marts)} Parquet files")
    for item in publication.left_out:
        typer.echo(f"  left out: {item.table}.{item.column}, {item.reason}")


def _summary(publication: Publication) -> dict[str, object]:
    return {
        "publication_id": publication.id,
        "to": str(publication.to),
        "parquet": None if publication.parquet is None else str(publication.parquet),
        "marts": publication.marts,
        "models": publication.models,
        "left_out": [
            {"mart": item.table, "column": item.column, "reason": item.reason}
            for item in publication.left_out
        ],
    }
