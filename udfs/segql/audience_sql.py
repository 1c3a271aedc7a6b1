"""The queries of an audience: sizes of segments, faults of ids, and the stratified draw."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segql import sql_text as sql
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, unknown
from segql.holdouts import DIGITS, PARTS

if TYPE_CHECKING:
    from segql.audiences import AudienceOptions

#: What may leave, whatever else the customers have.
COLUMNS = (
    "customer_id", "segment_key", "segment_name", "is_holdout", "holdout_share", "stratum",
    "model_version", "as_of_date",
)  # fmt: skip
#: The number that strata are made of unless another is named.
VALUE = "monetary"
_KINDS = {
    "number": re.compile(r"^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|REAL|DECIMAL)\b"),
    "date": re.compile(r"^(DATE|TIMESTAMP)"),
}


@dataclass(frozen=True)
class Source:
    """Customers under fixed names, and what their strata are made of."""

    members: str
    strata: list[str]
    value: str | None

    @property
    def strata_words(self) -> list[str]:
        """The columns that strata are made of."""
        return self.strata + ([] if self.value is None else [self.value])


def resolved(engine: DuckDBEngine, options: AudienceOptions) -> Source:
    """Look the columns up, and write the query of the customers."""
    table = engine.relation(options.segments)
    columns = engine.columns(table)
    _find("id", options.id, columns, options.segments)
    _find("segment", options.segment, columns, options.segments)
    described, others, alias = options.segments, columns, "segments"
    joined = ""
    if options.features is not None:
        features = engine.relation(options.features)
        described, others, alias = options.features, engine.columns(features), "features"
        _find("id", options.id, others, described)
        id = sql.quoted(options.id)
        joined = f" left join {sql.text(features)} as features on segments.{id} = features.{id}"
    strata = [_find("strata", name, others, described) for name in options.strata]
    value = options.value
    if value == "auto":
        value = VALUE if VALUE in map(str.lower, others) else None
    elif value is not None:
        _find("value", value, others, described)
    if value is not None:
        _check_kind(value, others, described, "number")
    lowered = {name.lower() for name in columns}
    version = next((name for name in ("model_version", "cuts_version") if name in lowered), None)
    date = "as_of_date" if "as_of_date" in lowered else None
    if version is not None:
        _check_kind(version, columns, options.segments, "number")
    if date is not None:
        _check_kind(date, columns, options.segments, "date")
    name = "segment_name" if "segment_name" in lowered else None
    parts = [
        f"segments.{sql.quoted(options.id)} as customer_id",
        f"segments.{sql.quoted(options.id)}::varchar as id_text",
        f"coalesce(segments.{sql.quoted(options.segment)}::varchar, 'unscored') as segment_key",
        f"{_of('segments', name)}::varchar as name",
        f"{_of('segments', version)}::integer as model_version",
        f"{_of('segments', date)}::date as as_of_date",
        *(f"{_of(alias, item)}::varchar as stratum_{i}" for i, item in enumerate(strata)),
        f"{_of(alias, value)}::double as value",
    ]
    members = f"select {', '.join(parts)} from {sql.text(table)} as segments{joined}"
    return Source(members, strata, value)


def sizes_query(source: Source) -> str:
    """Segments with their customers; a name only where there is one."""
    return (
        "select segment_key, case when min(name) = max(name) then min(name) end, count(*) "
        f"from ({source.members}) as members group by segment_key order by segment_key"
    )


def faults_query(source: Source) -> str:
    """Count ids that are missing or blank, repeated, or e-mail addresses."""
    return (
        "select coalesce(sum(id_rows) filter (coalesce(trim(id_text), '') = ''), 0)::bigint, "
        "count(*) filter (id_text is not null and id_rows > 1), "
        "min(id_text) filter (id_rows > 1), "
        "count(*) filter (id_text like '%_@_%') "
        "from (select id_text, count(*) as id_rows "
        f"from ({source.members}) as members group by id_text) as ids"
    )


def draw_query(
    source: Source, options: AudienceOptions, starts: Mapping[str, tuple[int, str | None]]
) -> str:
    """Write the rows of the audience, as the dbt macro segql.audience draws them.

    Parameters
    ----------
    source : Source
    options : AudienceOptions
    starts : mapping
        Of each segment to export, where the counting of its share starts, and its name.
    """
    segments = ", ".join(
        f"({sql.literal(key)}, {start}, {'null' if name is None else sql.literal(name)})"
        for key, (start, name) in starts.items()
    )
    same_value = "partition by segment_key, value is null"
    order = [*(f"stratum_{place} nulls first" for place in range(len(source.strata)))]
    if source.value is not None:
        order.append("value_group")
    stratum = (
        f"(dense_rank() over (partition by segment_key order by {', '.join(order)}))::integer"
        if order
        else "1"
    )
    held, up_to = options.held_parts, "customers_up_to"
    return f"""
with members as ({source.members}),
exported (segment_key, start, segment_name) as (values {segments}),
chosen as (
    select
        members.*, exported.start, exported.segment_name::varchar as segment_name,
        case when value is not null then
            (rank() over ({same_value} order by value) - 1) * {options.value_groups}
            // count(value) over ({same_value})
        else -1 end as value_group
    from members inner join exported using (segment_key)
),
stratified as (select *, {stratum} as stratum from chosen),
sizes as (
    select segment_key, stratum, start, count(*) as customers from stratified group by all
),
reached as (
    select *, (sum(customers) over (partition by segment_key order by stratum))::bigint as {up_to}
    from sizes
),
quotas as (
    select segment_key, stratum,
        ({up_to} * {held} + start) // {PARTS}
        - (({up_to} - customers) * {held} + start) // {PARTS} as held_out
    from reached
),
drawn as (
    select *, row_number() over (
        partition by segment_key, stratum
        order by ('0x' || substr(md5('{options.seed}:' || id_text), 1, {DIGITS}))::bigint, id_text
    ) as place
    from stratified
),
audience as (
    select customer_id, segment_key, segment_name, place <= held_out as is_holdout,
        {float(options.holdout)!r}::double as holdout_share, stratum, model_version, as_of_date
    from drawn inner join quotas using (segment_key, stratum)
)
select {", ".join(options.columns or COLUMNS)} from audience order by segment_key, customer_id
"""


def _find(option: str, name: str, columns: Mapping[str, str], relation: str) -> str:
    if name.lower() not in map(str.lower, columns):
        raise SegqlError(f"{relation!r}: " + unknown(f"{option} column", name, columns))
    return name


def _check_kind(name: str, columns: Mapping[str, str], relation: str, kind: str) -> None:
    [found] = [type for column, type in columns.items() if column.lower() == name.lower()]
    if found.endswith("]") or not _KINDS[kind].match(found):
        raise SegqlError(
            f"column {name!r} of {relation!r} is {found}; accepted: a {kind}; cast it before"
        )


def _of(alias: str, column: str | None) -> str:
    return "null" if column is None else f"{alias}.{sql.quoted(column)}"
