"""What a step asks of the data, and what it gets back."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

#: More distinct values than this are not categories.
MAXIMUM_LEVELS = 100_000
#: Characters of a category, at most: each stands in the SQL of the model.
LONGEST_LEVEL = 1000


@dataclass(frozen=True)
class Profile:
    """Range of a numeric expression: rows with a value, rows without, smallest, largest.

    ``center`` is near the mean, on a coarse grid so that it does not depend on the row order; it
    is only the point that later sums are centred on.
    """

    count: int
    missing: int
    minimum: float
    maximum: float
    center: float


@dataclass(frozen=True)
class Moments:
    """Exact mean, variance (divisor n) and, where it was asked for, skewness of an expression."""

    count: int
    mean: float
    variance: float
    skewness: float | None

    @property
    def deviation(self) -> float:
        """Standard deviation, divisor n."""
        return math.sqrt(self.variance)

    def with_repeated(self, value: float, times: int) -> Moments:
        """Moments after the same value has joined some number of times."""
        count = self.count + times
        share, rest = self.count / count, times / count
        mean = share * self.mean + rest * value
        moved, gap = self.mean - mean, value - mean
        variance = share * (self.variance + moved**2) + rest * gap**2
        if self.skewness is None:
            return Moments(count, mean, variance, None)
        third = share * (self.skewness * self.deviation**3 + 3.0 * self.variance * moved + moved**3)
        third += rest * gap**3
        return Moments(count, mean, variance, third / variance**1.5 if variance > 0 else 0.0)


@dataclass(frozen=True)
class Levels:
    """Category counts, most frequent first, ties by name; ``missing`` counts NULL."""

    counts: tuple[tuple[str, int], ...]
    missing: int

    @property
    def number(self) -> str:
        """How many categories there are, as far as they were counted."""
        size = len(self.counts)
        return str(size) if size <= MAXIMUM_LEVELS else f"more than {MAXIMUM_LEVELS}"

    @property
    def count(self) -> int:
        """Rows, NULL included."""
        return self.missing + sum(count for _, count in self.counts)


@dataclass(frozen=True)
class Covariance:
    """Covariance (divisor n) and means of columns, over the ``count`` rows without a NULL."""

    matrix: NDArray[np.float64]
    means: NDArray[np.float64]
    count: int


@dataclass(frozen=True)
class ProfileOf:
    """Ask for the profile of an expression.

    ``raw`` is the stored column that it takes its usable numbers from, when it is one.
    """

    expression: exp.Expr
    raw: exp.Expr | None = None


@dataclass(frozen=True)
class MomentsOf:
    """Ask for the moments of an expression whose profile is known, up to the order needed."""

    expression: exp.Expr
    order: int = 2


@dataclass(frozen=True)
class QuantilesOf:
    """Ask for quantiles by linear interpolation, as ``numpy.quantile`` does."""

    expression: exp.Expr
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class LevelsOf:
    """Ask for the category counts of an expression; of a text only its beginning is fetched."""

    expression: exp.Expr
    is_text: bool = True


Request = ProfileOf | MomentsOf | QuantilesOf | LevelsOf
Learned = TypeVar("Learned")
#: A step's learning: yields the aggregates it needs, receives them, returns what it learned.
Learning = Generator[list[Request], dict[Request, Any], Learned]
