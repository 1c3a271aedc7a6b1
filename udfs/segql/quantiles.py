"""Exact quantiles with bounded memory: bracketed by a sample, verified by counts, then fetched.

DuckDB's ``median`` keeps every row in memory, and its ``approx_quantile`` differs from run to run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql
from segql.engines.duckdb import DuckDBEngine

Matrix = NDArray[np.float64]

#: Histogram bins of one pass.
BINS = 2048
#: Values that are fetched and sorted at once; more are bracketed or split first.
FETCH = 200_000
#: Rows of the sample that brackets a rank, and the half width in standard errors.
SAMPLE, WIDTH = 100_000, 5.0


@dataclass(frozen=True)
class Column:
    """An expression with what is known of it: rows with a value, smallest, largest."""

    expression: exp.Expr
    count: int
    minimum: float
    maximum: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Bracket:
    """An interval that should hold two neighbouring ranks of a column."""

    column: int
    ranks: tuple[int, ...]
    low: float
    high: float


def quantiles(
    engine: DuckDBEngine, source: exp.Expr, columns: Sequence[Column]
) -> list[tuple[float, ...]]:
    """Quantiles by linear interpolation, as ``numpy.quantile`` gives them.

    Parameters
    ----------
    engine : DuckDBEngine
    source : sqlglot expression
        FROM item with the alias that the expressions are qualified with.
    columns : sequence of Column

    Returns
    -------
    list of tuple of float
        One tuple a column, in the order of its probabilities.

    Notes
    -----
    A sample brackets each rank; one pass counts what lies below and inside each bracket; a rank
    that is inside is found among the bracket's values. Which rows were sampled cannot show: a
    bracket that missed its rank is replaced by histogram passes, and the answer is exact.
    """
    brackets = [item for index, column in enumerate(columns) for item in _whole(index, column)]
    large = [item for item in brackets if columns[item.column].count > FETCH]
    if large:
        sampled = _sampled(engine, source, columns, large)
        counts = _counts(engine, source, columns, sampled)
    found: list[dict[int, float]] = [{} for _ in columns]
    for bracket in brackets:
        column = columns[bracket.column]
        if bracket not in large:
            values = np.sort(_fetch(engine, source, column, bracket.low, bracket.high))
            found[bracket.column] |= {rank: float(values[rank]) for rank in bracket.ranks}
            continue
        narrowed, (below, inside) = sampled[bracket], counts[bracket]
        held = all(below <= rank < below + inside for rank in bracket.ranks)
        if held and inside <= FETCH:
            values = np.sort(_fetch(engine, source, column, narrowed.low, narrowed.high))
            found[bracket.column] |= {r: float(values[r - below]) for r in bracket.ranks}
        else:
            wide = narrowed if held else bracket
            found[bracket.column] |= _split(
                engine, source, column, list(bracket.ranks), wide.low, wide.high,
                below if held else 0,
            )  # fmt: skip
    return [_interpolate(column, values) for column, values in zip(columns, found, strict=True)]


def _whole(index: int, column: Column) -> list[Bracket]:
    positions = [p * (column.count - 1) for p in column.probabilities]
    return [
        Bracket(
            index,
            tuple(sorted({math.floor(position), math.ceil(position)})),
            column.minimum,
            column.maximum,
        )
        for position in positions
    ]


def _interpolate(column: Column, values: dict[int, float]) -> tuple[float, ...]:
    answer = []
    for p in column.probabilities:
        position = p * (column.count - 1)
        low, high = values[math.floor(position)], values[math.ceil(position)]
        answer.append(low + (high - low) * (position - math.floor(position)))
    return tuple(answer)


def _inner(source: exp.Expr, expressions: Sequence[exp.Expr]) -> str:
    named = [sql.alias(item.copy(), f"v{index}") for index, item in enumerate(expressions)]
    return sql.text(exp.select(*named).from_(source.copy()))


def _sampled(
    engine: DuckDBEngine, source: exp.Expr, columns: Sequence[Column], brackets: Sequence[Bracket]
) -> dict[Bracket, Bracket]:
    """Narrow each bracket by the ranks of a sample."""
    rows = max(column.count for column in columns)
    size = min(SAMPLE, rows)
    inner = _inner(source, [column.expression for column in columns])
    share = 100.0 * size / rows
    fetched = engine.arrays(f"select * from ({inner}) using sample {share:.6f}% (bernoulli)")
    ordered = {}
    narrowed = {}
    for bracket in brackets:
        if bracket.column not in ordered:
            values = fetched[f"v{bracket.column}"]
            ordered[bracket.column] = np.sort(values[~np.isnan(values)])
        sample, column = ordered[bracket.column], columns[bracket.column]
        p = bracket.ranks[0] / max(column.count - 1, 1)
        reach = WIDTH * math.sqrt(len(sample) * p * (1 - p)) + WIDTH
        first, last = math.floor(p * len(sample) - reach), math.ceil(p * len(sample) + reach)
        narrowed[bracket] = Bracket(
            bracket.column,
            bracket.ranks,
            float(sample[first]) if first >= 0 else column.minimum,
            float(sample[last]) if last < len(sample) else column.maximum,
        )
    return narrowed


def _counts(
    engine: DuckDBEngine,
    source: exp.Expr,
    columns: Sequence[Column],
    brackets: dict[Bracket, Bracket],
) -> dict[Bracket, tuple[int, int]]:
    """Count values below and inside every bracket, in one pass."""
    aggregates = []
    for narrowed in brackets.values():
        name = f"v{narrowed.column}"
        low, high = bound(narrowed.low), bound(narrowed.high)
        aggregates += [
            f"sum(({name} < {low})::integer)",
            f"sum(({name} <= {high})::integer)",
        ]
    inner = _inner(source, [column.expression for column in columns])
    row = engine.rows(f"select {', '.join(aggregates)} from ({inner})")[0]
    return {
        bracket: (int(row[2 * index]), int(row[2 * index + 1] - row[2 * index]))
        for index, bracket in enumerate(brackets)
    }


def _fetch(
    engine: DuckDBEngine, source: exp.Expr, column: Column, low: float, high: float
) -> Matrix:
    inner = _inner(source, [column.expression])
    query = f"select v0 from ({inner}) where v0 between {bound(low)} and {bound(high)}"
    return engine.arrays(query)["v0"]


def _split(
    engine: DuckDBEngine,
    source: exp.Expr,
    column: Column,
    ranks: list[int],
    low: float,
    high: float,
    below: int,
) -> dict[int, float]:
    """Find values by 0-based rank: a histogram, then the same inside the bins that hold them."""
    if low == high:
        return dict.fromkeys(ranks, low)
    inner = _inner(source, [column.expression])
    bottom, top = bound(low), bound(high)
    rows = engine.rows(
        f"select least({BINS - 1}, cast(floor((v0 - {bottom}) / ({top} - {bottom}) * {BINS}) "
        f"as integer)) as bin, count(*), min(v0), max(v0) from ({inner}) "
        f"where v0 >= {bottom} and v0 <= {top} group by bin order by bin"
    )
    found: dict[int, float] = {}
    start = below
    for _, count, smallest, largest in rows:
        inside = [rank for rank in ranks if start <= rank < start + count]
        if inside and smallest == largest:
            found |= dict.fromkeys(inside, smallest)
        elif inside and count <= FETCH:
            values = np.sort(_fetch(engine, source, column, smallest, largest))
            found |= {rank: float(values[rank - start]) for rank in inside}
        elif inside:
            found |= _split(engine, source, column, inside, smallest, largest, start)
        start += int(count)
    return found


def bound(value: float) -> str:
    """Write a double with every digit: DuckDB 1.x reads ``0.123…::double`` through a decimal."""
    return f"({sql.text(sql.number(value))})"
