"""Exact quantiles with bounded memory: bracketed by a sample, verified by counts, then fetched.

DuckDB's ``median`` keeps every row in memory, and its ``approx_quantile`` differs from run to run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.engines.base import Engine

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


class Quantiles:
    """Quantiles by linear interpolation, as ``numpy.quantile`` gives them.

    Parameters
    ----------
    engine : Engine
    source : sqlglot expression
        FROM item with the alias that the expressions are qualified with.
    columns : sequence of Column
    sampled : callable, optional
        Makes the condition that draws a share of the rows; DuckDB's own sample by default.

    Notes
    -----
    A sample brackets each rank; :attr:`aggregates` count what lies below and inside each bracket,
    in whatever pass their caller makes; a rank that is inside is found among the bracket's
    values. Which rows were sampled cannot show: a bracket that missed its rank is replaced by
    histogram passes, and the answer is exact.
    """

    def __init__(
        self,
        engine: Engine,
        source: exp.Expr,
        columns: Sequence[Column],
        sampled: Callable[[float], exp.Expr] | None = None,
    ) -> None:
        self.engine, self.source, self.columns = engine, source, list(columns)
        self._brackets = [b for index, column in enumerate(columns) for b in _whole(index, column)]
        self._narrowed: dict[Bracket, Bracket] = {}
        large = [b for b in self._brackets if columns[b.column].count > FETCH]
        if large:
            self._narrowed = _narrowed(engine, source, columns, large, sampled)

    def aggregates(self, values: Sequence[exp.Expr]) -> list[exp.Expr]:
        """Two counts a bracket, over the columns as the caller has named them."""
        counts: list[exp.Expr] = []
        for bracket in self._narrowed.values():
            for kind, end in ((exp.LT, bracket.low), (exp.LTE, bracket.high)):
                reached = sql.compare(kind, values[bracket.column].copy(), sql.number(end))
                whole = exp.Cast(this=exp.Paren(this=reached), to=exp.DataType.build("int"))
                counts.append(exp.Sum(this=whole))
        return counts

    def answers(self, counts: Sequence[int | None]) -> list[tuple[float, ...]]:
        """One tuple a column, in the order of its probabilities, from the aggregates' values."""
        pairs = dict(zip(self._narrowed, zip(counts[::2], counts[1::2], strict=True), strict=True))
        found: list[dict[int, float]] = [{} for _ in self.columns]
        for bracket in self._brackets:
            below, reached = (int(value or 0) for value in pairs.get(bracket, (0, 0)))
            found[bracket.column] |= self._ranks(bracket, below, reached - below)
        return [
            _interpolate(column, values) for column, values in zip(self.columns, found, strict=True)
        ]

    def _ranks(self, bracket: Bracket, below: int, inside: int) -> dict[int, float]:
        engine, source, column = self.engine, self.source, self.columns[bracket.column]
        narrowed = self._narrowed.get(bracket)
        if narrowed is None:
            values = np.sort(_fetch(engine, source, column, bracket.low, bracket.high))
            return {rank: float(values[rank]) for rank in bracket.ranks}
        held = all(below <= rank < below + inside for rank in bracket.ranks)
        if held and inside <= FETCH:
            values = np.sort(_fetch(engine, source, column, narrowed.low, narrowed.high))
            return {rank: float(values[rank - below]) for rank in bracket.ranks}
        wide = narrowed if held else bracket
        return _split(
            engine, source, column, list(bracket.ranks), wide.low, wide.high, below if held else 0
        )


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


def _inner(engine: Engine, source: exp.Expr, expressions: Sequence[exp.Expr]) -> str:
    named = [sql.alias(item.copy(), f"v{index}") for index, item in enumerate(expressions)]
    return engine.text(exp.select(*named).from_(source.copy()))


def _narrowed(
    engine: Engine,
    source: exp.Expr,
    columns: Sequence[Column],
    brackets: Sequence[Bracket],
    sampled: Callable[[float], exp.Expr] | None,
) -> dict[Bracket, Bracket]:
    """Narrow each bracket by two quantiles of a sample, which stays in SQL."""
    share = min(SAMPLE / max(column.count for column in columns), 1.0)
    named = [sql.alias(item.expression.copy(), f"v{i}") for i, item in enumerate(columns)]
    inner = exp.select(*named).from_(source.copy())
    if sampled is not None:
        inner = inner.where(sampled(share))
    drawn = f"({engine.text(inner)})"
    if sampled is None:
        drawn += f" using sample {100 * share:.6f}% (bernoulli)"
    wanted = []
    for bracket in brackets:
        column = columns[bracket.column]
        p = bracket.ranks[0] / max(column.count - 1, 1)
        size = max(share * column.count, 1.0)
        reach = WIDTH * math.sqrt(p * (1 - p) / size) + WIDTH / size
        ends = [max(p - reach, 0.0), min(p + reach, 1.0)]
        wanted.append(engine.sample_quantiles(f"v{bracket.column}", ends))
    row = engine.rows(f"select {', '.join(wanted)} from {drawn}")[0]
    narrowed = {}
    for bracket, ends in zip(brackets, row, strict=True):
        column = columns[bracket.column]
        low, high = ends or (column.minimum, column.maximum)
        # A tail that the sample may not have reached goes on to the end.
        reach = WIDTH / max(share * column.count, 1.0)
        first, last = (rank / max(column.count - 1, 1) for rank in _ends(bracket.ranks))
        narrowed[bracket] = Bracket(
            bracket.column,
            bracket.ranks,
            column.minimum if first <= reach else float(low),
            column.maximum if last >= 1 - reach else float(high),
        )
    return narrowed


def _ends(ranks: tuple[int, ...]) -> tuple[int, int]:
    return ranks[0], ranks[-1]


def _fetch(engine: Engine, source: exp.Expr, column: Column, low: float, high: float) -> Matrix:
    inner = _inner(engine, source, [column.expression])
    query = f"select v0 from ({inner}) where v0 between {bound(low)} and {bound(high)}"
    return engine.arrays(query)["v0"]


def _split(
    engine: Engine,
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
    inner = _inner(engine, source, [column.expression])
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
