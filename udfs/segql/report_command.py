"""The command segql report: a page about the segments, and its charts as images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segql.cli_support import DEFAULT_DATABASE, Database, Json, opened_to_read, print_json, told
from segql.report.contents import Absent


@told
def report_command(
    to: Annotated[Path, typer.Option("--to", "-o", help="The HTML file.")] = Path("report.html"),
    png: Annotated[
        Path | None, typer.Option(help="A folder for the charts as images, too.")
    ] = None,
    title: Annotated[str, typer.Option(help="What stands at the top.")] = "Customer segments",
    model: Annotated[
        str | None, typer.Option(help="The model; by default customers, or the only one.")
    ] = None,
    marts: Annotated[str, typer.Option(help="Schema of the marts.")] = "marts",
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Write one HTML page from the marts: decisions, profiles, movement, map, trust.

    The page needs no network and no other file. The database is only read: a warehouse, or the
    file that segql publish serves while dbt is writing.

    \b
    Examples:
      segql report
      segql report --to segments.html --title "Segments of November"
      segql report --database serve.duckdb --json
    """
    from segql.report.pictures import find_browser, write_pictures
    from segql.report.writing import write_report

    if png is not None:
        find_browser()
    otherwise = "report when that has ended, or on the file that segql publish serves"
    with opened_to_read(database, otherwise) as con:
        parts = write_report(con, to, title=title, marts=marts, model=model)
    pictures = [] if png is None else write_pictures(to, parts, png)
    items = [item for part in parts for item in part.items]
    absent = [item for item in items if isinstance(item, Absent)]
    if as_json:
        print_json(
            {
                "to": str(to),
                "bytes": to.stat().st_size,
                "shown": [item.key for item in items if not isinstance(item, Absent)],
                "absent": {item.key: item.reason for item in absent},
                "pictures": [str(path) for path in pictures],
            }
        )
        return
    size = to.stat().st_size / 1e6
    typer.echo(f"{to}: {len(items) - len(absent)} charts and tables, {size:.1f} MB")
    for item in absent:
        typer.echo(f"  not shown: {item.title}. {item.reason}")
    if pictures:
        typer.echo(f"{png}: {len(pictures)} images")
