"""How each feature was distributed at the fit, in bins that later rows are held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.coreset import Coreset
from segql.engines.duckdb import DuckDBEngine
from segql.features import Feature, NumberFeature, raw_text
from segql.recipe import Recipe

#: Bins of a number, and levels of a category that have a bin of their own.
BINS, LEVELS = 10, 20
#: Weights are summed as whole multiples of 1/UNIT: exact, and the same in any row order.
UNIT = 2**20


@dataclass(frozen=True)
class Bin:
    """A part of a feature's values and the share of the training rows that it held.

    ``kind`` is ``number`` (lower < x <= upper, None where it is open), ``category``, ``other``
    (any level without a bin of its own) or ``missing`` (NULL; of numbers NaN, infinity and what
    is beyond 1e100 as well).
    """

    feature: str
    bin: int
    kind: str
    lower: float | None
    upper: float | None
    category: str | None
    share: float


def observed(recipe: Recipe) -> dict[str, exp.Expr]:
    """What the coreset carries for the bins: numbers as the model reads them, levels as text.

    The stand-in for a missing level is not put in: whether more are missing is to be seen.
    """
    return {
        _column(position, feature): feature.raw
        if _is_number(feature)
        else raw_text(feature.name, None)
        for position, feature in enumerate(recipe.features)
    }


def observe(engine: DuckDBEngine, sample: Coreset, recipe: Recipe) -> list[Bin]:
    """Bins of every feature, from the coreset: no pass over the rows; exact where it is."""
    bins: list[Bin] = []
    for position, feature in enumerate(recipe.features):
        column, table = _column(position, feature), sql.text(sample.table)
        if _is_number(feature):
            fetched = engine.arrays(f"select {column} as v, weight from {table}")
            units = np.rint(fetched["weight"] * UNIT).astype(np.int64)
            parts = list(number_bins(fetched["v"], units))
        else:
            parts = list(
                level_bins(
                    engine.rows(
                        f"select {column}, sum(round(weight * {UNIT})::bigint) from {table} "
                        "group by all"
                    )
                )
            )
        total = int(sum(held for *_, held in parts))
        bins += [
            Bin(feature.name, number, kind, lower, upper, category, int(held) / total)
            for number, (kind, lower, upper, category, held) in enumerate(parts, start=1)
        ]
    return bins


def number_bins(values: NDArray[Any], units: NDArray[np.int64]) -> Iterator[tuple[Any, ...]]:
    """Kind, lower, upper, no category and units of the bins of a number, the missing last."""
    usable = np.abs(values) <= sql.LARGEST
    # Adding zero makes one value of 0.0 and -0.0.
    kept = values[usable] + 0.0
    order = np.argsort(kept)
    ordered, reached = kept[order], np.cumsum(units[usable][order])
    edges = cut_points(ordered, reached)
    ends = np.append(np.searchsorted(ordered, edges, side="right"), len(ordered))
    held = np.diff(np.append(0, reached)[ends], prepend=0)
    lowers: list[float | None] = [None, *edges]
    uppers: list[float | None] = [*edges, None]
    for lower, upper, part in zip(lowers, uppers, held, strict=True):
        yield ("number", lower, upper, None, part)
    yield ("missing", None, None, None, units[~usable].sum())


def cut_points(ordered: NDArray[Any], reached: NDArray[np.int64]) -> list[float]:
    """Cut points between at most ten bins of sorted values, from their summed weights.

    Weighted deciles. A value that several deciles fall on is cut off below as well, so that it
    has a bin of its own whatever lies around it. Up to ten distinct values have one each.
    """
    if not len(ordered):
        return []
    new = np.flatnonzero(np.diff(ordered)) + 1
    if len(new) < BINS:
        return [float(value) for value in ordered[new - 1]]
    total = int(reached[-1])
    # The smallest value that reaches a tenth, two tenths …, the largest: -(-a // b) rounds up.
    targets = [-(-total * part // BINS) for part in range(1, BINS + 1)]
    deciles, times = np.unique(ordered[np.searchsorted(reached, targets)], return_counts=True)
    heavy = deciles[(times > 1) & (deciles > ordered[0])]
    below = ordered[np.searchsorted(ordered, heavy) - 1]
    edges = np.union1d(deciles, below)
    return [float(value) for value in edges[edges < ordered[-1]]]


def level_bins(counts: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Kind, no bounds, level and units of the bins of a category: others and missing last."""
    levels = sorted((-units, str(level)) for level, units in counts if level is not None)
    for units, level in levels[:LEVELS]:
        yield ("category", None, None, level, -units)
    yield ("other", None, None, None, -sum(units for units, _ in levels[LEVELS:]))
    yield ("missing", None, None, None, sum(units for level, units in counts if level is None))


def _is_number(feature: Feature) -> bool:
    return isinstance(feature, NumberFeature) and feature.encoding is None


def _column(position: int, feature: Feature) -> str:
    return f"input{position}" if _is_number(feature) else f"level{position}"
