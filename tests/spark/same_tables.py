"""Compares a table of DuckDB with Spark's of the same name: rows, figures and labels."""

from __future__ import annotations

import datetime
import decimal
import math
from typing import Any

import duckdb

#: How far figures may lie apart, relative to the larger, and near zero.
RELATIVE, ABSOLUTE = 1e-9, 1e-12


def differences(con: duckdb.DuckDBPyConnection, spark: Any, table: str) -> list[str]:
    """Say what differs, a line each; no line for equal tables.

    Columns are matched by name and rows by all that is no figure, then by figures in few digits.
    """
    columns = [row[0] for row in con.execute(f"describe {table}").fetchall()]
    frame = spark.table(table)
    if sorted(frame.columns) != sorted(columns):
        return [f"{table}: columns {sorted(set(frame.columns) ^ set(columns))}"]
    listed = ", ".join(f'"{column}"' for column in columns)
    ours = ordered(con.execute(f"select {listed} from {table}").fetchall())
    theirs = ordered(frame.select(*[f"`{column}`" for column in columns]).collect())
    if len(ours) != len(theirs):
        return [f"{table}: {len(ours)} rows in DuckDB, {len(theirs)} in Spark"]
    return [
        f"{table}.{column} of {mine[0]!r}: {a!r} in DuckDB, {b!r} in Spark"
        for mine, other in zip(ours, theirs, strict=True)
        for column, a, b in zip(columns, mine, other, strict=True)
        if not same(a, b)
    ]


def same(a: Any, b: Any) -> bool:
    """Tell whether two values are equal, or figures as near as both engines' last bits are."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def ordered(rows: Any) -> list[list[Any]]:
    """Rows in an order that both engines share."""
    return sorted(([plain(value) for value in row] for row in rows), key=place)


def place(row: list[Any]) -> tuple[Any, ...]:
    labels = [(value is None, str(value)) for value in row if not isinstance(value, float)]
    figures = [f"{value:.5g}" for value in row if isinstance(value, float)]
    return (labels, figures)


def plain(value: Any) -> Any:
    """Turn decimals into floats, and times without a zone into what both print."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None)
    return value
