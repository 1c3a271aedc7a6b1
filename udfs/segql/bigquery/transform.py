"""The TRANSFORM clause: learned on the training rows, then plain SQL with its figures in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from segql import sql_text as sql
from segql.bigquery.preprocessing import replace_calls
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, unknown

#: Columns that a model prepares of its input: their names, and SQL over the input's columns.
Prepared = list[tuple[str, str]]
#: Elements that a list of numbers may have: each is a feature.
LONGEST = 1000


def literal(value: Any) -> str:
    """Write a value that a query has returned as DuckDB's SQL."""
    match value:
        case None:
            text = "null"
        case bool() | int():
            text = str(value).lower()
        case float():
            text = sql.text(sql.number(value))
        case str():
            text = sql.literal(value)
        case list() | tuple():
            text = f"[{', '.join(literal(item) for item in value)}]"
        case dict():
            text = f"map({literal(list(value))}, {literal(list(value.values()))})"
        case _:
            text = literal(float(value))
    return text


def learn_transform(engine: DuckDBEngine, rows: exp.Table, items: list[exp.Expr]) -> Prepared:
    """Learn the figures of a TRANSFORM clause and write each of its columns."""
    columns = engine.columns(rows)

    def learned(windowed: str, ordered: str) -> str:
        try:
            [(value,)] = engine.rows(f"select {ordered} from {sql.text(rows)}")
        except ValueError as error:
            raise SegqlError(f"TRANSFORM: {error}") from error
        return literal(value)

    prepared: Prepared = []
    for item in items:
        if isinstance(item, exp.Star):
            prepared += _of_star(item, columns, learned)
            continue
        name = item.alias_or_name
        if not name or not isinstance(item, exp.Alias | exp.Column):
            raise SegqlError(
                f"TRANSFORM got {item.sql(dialect='bigquery')}; accepted: a column, *, or an "
                "expression with a name (… AS name)"
            )
        if item.find(exp.AggFunc) or item.find(exp.Query):
            raise SegqlError(
                f"TRANSFORM column {name!r}: an aggregate or a sub-query cannot be applied to "
                "new rows; accepted: expressions and ML functions with OVER()"
            )
        body = item.this if isinstance(item, exp.Alias) else item
        lowered = {column.lower() for column in columns}
        for column in body.find_all(exp.Column):
            if column.name.lower() not in lowered:
                raise SegqlError(f"TRANSFORM: {unknown('column', column.name, columns)}")
        prepared.append((name, sql.text(replace_calls(body.copy(), learned))))
    repeated = [name for name, _ in prepared]
    for name in repeated:
        if sum(other.lower() == name.lower() for other in repeated) > 1:
            raise SegqlError(f"TRANSFORM has two columns {name!r}; accepted: names that differ")
    return prepared


def _of_star(star: exp.Star, columns: Mapping[str, str], learned: Any) -> Prepared:
    except_ = {item.name.lower() for item in star.args.get("except_") or ()}
    lowered = {name.lower() for name in columns}
    absent = except_ - lowered
    if absent:
        raise SegqlError(f"TRANSFORM EXCEPT: {unknown('column', min(absent), columns)}")
    swapped = {
        item.alias.lower(): sql.text(replace_calls(item.this.copy(), learned))
        for item in star.args.get("replace") or ()
    }
    return [
        (name, swapped.get(name.lower(), sql.quoted(name)))
        for name in columns
        if name.lower() not in except_
    ]


def spread_lists(
    engine: DuckDBEngine, rows: exp.Table, columns: Mapping[str, str], written: Mapping[str, str]
) -> tuple[Prepared, set[str]]:
    """Turn lists into a column an element: numbers by position, encoded categories by index.

    Returns
    -------
    list of (str, str), set of str
        All columns as they are prepared; the names of those that are 0 or 1.
    """
    prepared: Prepared = []
    flags: set[str] = set()
    for name, kind in columns.items():
        source = written.get(name, sql.quoted(name))
        if not kind.endswith("[]"):
            prepared.append((name, source))
            continue
        column = sql.quoted(name)
        if kind.upper().startswith("STRUCT"):
            if kind.replace('"', "").lower() != "struct(index bigint, value double)[]":
                raise SegqlError(
                    f"column {name!r} has type {kind}; accepted: lists of numbers, and what "
                    "ML.ONE_HOT_ENCODER gives"
                )
            [(most,)] = engine.rows(
                f"select max(list_max(list_transform({column}, lambda _sq_e: _sq_e.index))) "
                f"from {sql.text(rows)}"
            )
            for index in range(int(most or 0) + 1):
                value = (
                    f"coalesce(list_sum(list_transform(list_filter({source}, lambda _sq_e: "
                    f"_sq_e.index = {index}), lambda _sq_e: _sq_e.value)), 0)::double"
                )
                flags.add(f"{name}[{index}]")
                prepared.append((f"{name}[{index}]", value))
            continue
        [(least, most)] = engine.rows(
            f"select min(len({column})), max(len({column})) from {sql.text(rows)}"
        )
        if least is None or least != most or not 1 <= most <= LONGEST:
            raise SegqlError(
                f"column {name!r} holds lists of {least or 0} to {most or 0} elements; accepted: "
                f"lists of one length, up to {LONGEST}"
            )
        for position in range(1, most + 1):
            prepared.append((f"{name}[{position}]", f"({source})[{position}]::double"))
    if len(prepared) > LONGEST:
        raise SegqlError(f"{len(prepared)} features; a model takes at most {LONGEST}")
    return prepared, flags
