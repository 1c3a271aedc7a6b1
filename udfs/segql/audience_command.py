"""The command segql export-audience: a segment's customers as a file, with a holdout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer

from segql.audiences import SEGMENTS, Audience, AudienceOptions, SegmentSize, prepared
from segql.cli_support import (
    DEFAULT_DATABASE,
    Database,
    Json,
    opened,
    print_json,
    told,
    write_file,
)
from segql.errors import SegqlError

#: Where the reference project has the values that strata are made of.
FEATURES = "marts.rfm_segments"
#: Customers that ads platforms want of an audience.
ADS = 100


@told
def export_audience_command(
    segments_asked: Annotated[
        list[str] | None, typer.Argument(metavar="[SEGMENT]...", help="Keys or names of segments.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="The file to write: .csv, .parquet or .json.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Every segment.")] = False,
    segments: Annotated[
        str, typer.Option(help="Table, view or SELECT of customers with a segment.")
    ] = SEGMENTS,
    segment: Annotated[str, typer.Option(help="Its column of segments.")] = "segment_key",
    id: Annotated[str, typer.Option(help="Its column of customers.")] = "customer_id",
    holdout: Annotated[float, typer.Option(help="Share of each segment not to contact.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Another seed draws another holdout.")] = 42,
    strata: Annotated[
        list[str] | None, typer.Option(help="A column the holdout is spread over; may be repeated.")
    ] = None,
    value: Annotated[
        str, typer.Option(help="A number whose deciles it is spread over, or none.")
    ] = "auto",
    features: Annotated[
        str | None,
        typer.Option(
            help="Relation with these columns; by default "
            f"{FEATURES} beside {SEGMENTS}, otherwise the segments'."
        ),
    ] = None,
    min_size: Annotated[int, typer.Option(help="Customers that a segment needs.")] = 11,
    ads: Annotated[
        bool, typer.Option("--ads", help=f"Need {ADS} to contact, as ads platforms do.")
    ] = False,
    columns: Annotated[
        str | None, typer.Option(help="Some of the columns, with commas between them.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Write the customers of segments to a file, with a holdout and without personal columns.

    A share of each segment is held out at random, spread over customers of every value, so that
    what the campaign brought can be measured. The same seed holds out the same customers. The
    columns are customer_id, segment_key, segment_name, is_holdout, holdout_share, stratum,
    model_version and as_of_date, and no others.

    \b
    Examples:
      segql export-audience S1 --to audience.csv
      segql export-audience "Recent big spenders" S2 --to audience.parquet --holdout 0.2
      segql export-audience --all --to everyone.csv --ads --seed 7
      segql export-audience Lost --to rfm.csv --segments marts.rfm_segments --segment rfm_segment
    """
    if bool(segments_asked) == all:
        given = "both are" if all else "neither is"
        raise SegqlError(
            f"segments to export: {given} given; accepted: keys or names of segments, or --all"
        )
    if to is None:
        raise SegqlError("to is not given; accepted: a file that ends in .csv, .parquet, .json")
    if not to.parent.is_dir():
        raise SegqlError(f"to got {str(to)!r}; accepted: a file in a folder that exists")
    with opened(database, writes=False) as con:
        if features is None and segments == SEGMENTS and _has(con, FEATURES):
            features = FEATURES
        options = AudienceOptions(
            segments=segments,
            only=segments_asked or None,
            segment=segment,
            id=id,
            holdout=holdout,
            seed=seed,
            features=features,
            strata=strata or (),
            value=None if value == "none" else value,
            min_size=min_size,
            min_treated=ADS if ads else 1,
            columns=None if columns is None else [name.strip() for name in columns.split(",")],
        )
        audience = prepared(con, options)
        count = write_file(con, audience.rows, to)
    if as_json:
        print_json(_summary(audience, options, to, count))
        return
    typer.echo(f"{to}: {count} rows")
    for size in audience.exported:
        typer.echo(f"  {_named(size)}: {size.treated} to contact, {size.holdout} held out")
    for size in audience.left_out:
        typer.echo(f"  {_named(size)}: left out, {size.reason}")


def _has(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    return con.execute(
        "select count(*) > 0 from information_schema.tables "
        "where table_catalog = current_database() and table_schema || '.' || table_name = ?",
        [relation],
    ).fetchall() == [(True,)]


def _summary(audience: Audience, options: AudienceOptions, to: Path, count: int) -> dict[str, Any]:
    exported = [
        {"segment_key": size.segment_key, "segment_name": size.segment_name,
         "customers": size.customers, "treated": size.treated, "holdout": size.holdout}
        for size in audience.exported
    ]  # fmt: skip
    left_out = [
        {"segment_key": size.segment_key, "segment_name": size.segment_name, "reason": size.reason}
        for size in audience.left_out
    ]
    return {
        "to": str(to), "rows": count, "holdout_share": options.holdout, "seed": options.seed,
        "strata": audience.strata, "segments": exported, "left_out": left_out,
    }  # fmt: skip


def _named(size: SegmentSize) -> str:
    if size.segment_name is None:
        return size.segment_key
    return f"{size.segment_key} {size.segment_name}"
