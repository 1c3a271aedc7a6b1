"""Learned aggregates: exact, independent of row order, several columns and steps to one pass."""

from __future__ import annotations

import math
from collections.abc import Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql
from segql.engines.duckdb import DuckDBEngine
from segql.quantiles import Column, quantiles
from segql.sums import summand, unscale

#: More distinct values than this are not categories.
MAXIMUM_LEVELS = 100_000


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
    """Ask for the profile of an expression."""

    expression: exp.Expr


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
    """Ask for the category counts of an expression."""

    expression: exp.Expr


Request = ProfileOf | MomentsOf | QuantilesOf | LevelsOf
Learned = TypeVar("Learned")
#: A step's learning: yields the aggregates it needs, receives them, returns what it learned.
Learning = Generator[list[Request], dict[Request, Any], Learned]


class Statistics:
    """Answers aggregate requests over one relation, each at most once.

    Parameters
    ----------
    engine : DuckDBEngine
        Where the relation lives.
    source : sqlglot table
        The relation, under the alias that its columns are qualified with.
    """

    def __init__(self, engine: DuckDBEngine, source: exp.Expr) -> None:
        self.engine = engine
        self.source = source
        self._answers: dict[Hashable, Any] = {}

    def know(self, request: Request, answer: Any) -> None:
        """Store an answer that follows from another one, so that no pass is spent on it."""
        self._answers.setdefault(_key(request), answer)

    def learn(self, learnings: Iterable[Learning[Learned]]) -> list[Learned]:
        """Run many learnings side by side; what they ask for at the same time is one pass."""
        running = dict(enumerate(learnings))
        learned: dict[int, Learned] = {}
        replies: dict[int, dict[Request, Any] | None] = dict.fromkeys(running)
        while running:
            asked: dict[int, list[Request]] = {}
            for index, learning in list(running.items()):
                reply = replies[index]
                try:
                    asked[index] = next(learning) if reply is None else learning.send(reply)
                except StopIteration as stop:
                    learned[index] = stop.value
                    del running[index]
            self._answer([request for requests in asked.values() for request in requests])
            replies = {
                index: {request: self._answers[_key(request)] for request in requests}
                for index, requests in asked.items()
            }
        return [learned[index] for index in sorted(learned)]

    def _answer(self, requests: list[Request]) -> None:
        open_requests: dict[Hashable, Request] = {}
        # Highest moments last: of two requests for the same expression they answer both.
        for request in sorted(requests, key=lambda r: getattr(r, "order", 0)):
            if not self._answered(request):
                open_requests[_key(request)] = request
        pending = list(open_requests.values())
        self._profile([r for r in pending if isinstance(r, ProfileOf)])
        self._moments([r for r in pending if isinstance(r, MomentsOf)])
        self._quantiles([r for r in pending if isinstance(r, QuantilesOf)])
        for request in pending:
            if isinstance(request, LevelsOf):
                self._levels(request)

    def _answered(self, request: Request) -> bool:
        answer = self._answers.get(_key(request))
        if answer is None:
            return False
        return not (
            isinstance(request, MomentsOf) and request.order == 3 and answer.skewness is None
        )

    def _query(
        self,
        values: Sequence[exp.Expr],
        aggregates: Sequence[exp.Expr],
        *,
        complete: bool = False,
    ) -> tuple[Any, ...]:
        """Compute values once per row (columns v0, v1 …), then aggregate them, in one pass."""
        named = [sql.alias(value, f"{sql.SCRATCH}v{i}") for i, value in enumerate(values)]
        inner = exp.select(*named).from_(self.source.copy())
        outer = exp.select(*aggregates).from_(inner.subquery("prepared"))
        if complete:
            whole = exp.Paren(this=sql.total(sql.scratch(f"v{i}") for i in range(len(values))))
            outer = outer.where(exp.Not(this=exp.Is(this=whole, expression=exp.Null())))
        return self.engine.rows(outer)[0]

    # -- profiles ----------------------------------------------------------------------------

    def _profile(self, requests: list[ProfileOf]) -> None:
        if not requests:
            return
        aggregates: list[exp.Expr] = [exp.Count(this=exp.Star())]
        for index in range(len(requests)):
            value = sql.scratch(f"v{index}")
            aggregates += [
                exp.Count(this=value.copy()),
                exp.Min(this=value.copy()),
                exp.Max(this=value.copy()),
                exp.Anonymous(this="fsum", expressions=[value.copy()]),
            ]
        row = self._query([request.expression for request in requests], aggregates)
        rows = int(row[0])
        for index, request in enumerate(requests):
            count, low, high, total = row[1 + 4 * index : 5 + 4 * index]
            if not count:
                answer = Profile(0, rows, 0.0, 0.0, 0.0)
            else:
                answer = Profile(
                    int(count), rows - int(count), low, high, _grid(total / count, low, high)
                )
            self._answers[_key(request)] = answer

    # -- moments -----------------------------------------------------------------------------

    def _moments(self, requests: list[MomentsOf]) -> None:
        values: list[exp.Expr] = []
        aggregates: list[exp.Expr] = []
        plans: list[tuple[MomentsOf, Profile, int, list[int]]] = []
        for request in requests:
            profile: Profile = self._answers[_key(ProfileOf(request.expression))]
            if profile.count == 0 or profile.minimum == profile.maximum:
                answer = Moments(profile.count, profile.minimum, 0.0, 0.0)
                self._answers[_key(request)] = answer
                continue
            value = sql.scratch(f"v{len(values)}")
            values.append(sql.minus(request.expression.copy(), sql.number(profile.center)))
            bound = max(profile.maximum - profile.center, profile.center - profile.minimum)
            shifts = []
            power: exp.Expr = value.copy()
            first = len(aggregates)
            for order in range(1, request.order + 1):
                term, shift = summand(power, bound**order)
                aggregates.append(exp.Sum(this=term))
                shifts.append(shift)
                power = exp.Mul(this=power.copy(), expression=value.copy())
            plans.append((request, profile, first, shifts))
        if not plans:
            return
        row = self._query(values, aggregates)
        for request, profile, first, shifts in plans:
            offset, second, *third = [
                unscale(value, shift) / profile.count
                for value, shift in zip(row[first : first + len(shifts)], shifts, strict=True)
            ]
            spread = float(second - offset**2)
            skewness = None
            if third:
                skew = float(third[0] - 3 * offset * second + 2 * offset**3)
                skewness = skew / spread**1.5 if spread > 0 else 0.0
            mean = float(Fraction(profile.center) + offset)
            self._answers[_key(request)] = Moments(profile.count, mean, max(spread, 0.0), skewness)

    # -- quantiles ---------------------------------------------------------------------------

    def _quantiles(self, requests: list[QuantilesOf]) -> None:
        if not requests:
            return
        columns = []
        for request in requests:
            profile: Profile = self._answers[_key(ProfileOf(request.expression))]
            columns.append(
                Column(
                    request.expression,
                    profile.count,
                    profile.minimum,
                    profile.maximum,
                    request.probabilities,
                )
            )
        for request, answer in zip(
            requests, quantiles(self.engine, self.source, columns), strict=True
        ):
            self._answers[_key(request)] = answer

    # -- categories --------------------------------------------------------------------------

    def _levels(self, request: LevelsOf) -> None:
        inner = exp.select(sql.alias(request.expression.copy(), "v")).from_(self.source.copy())
        rows = self.engine.rows(
            f"select v, count(*) as n from ({sql.text(inner)}) group by v "
            f"order by n desc, v limit {MAXIMUM_LEVELS + 2}"
        )
        missing = sum(int(count) for value, count in rows if value is None)
        counts = tuple((value, int(count)) for value, count in rows if value is not None)
        self._answers[_key(request)] = Levels(counts, missing)

    # -- covariance --------------------------------------------------------------------------

    def covariance(
        self, values: list[exp.Expr], means: list[float], bounds: list[float]
    ) -> Covariance:
        """Covariance matrix of expressions, rows with a NULL left out.

        Parameters
        ----------
        values : list of sqlglot expression
            The columns.
        means : list of float
            A centre of each; the exact mean, so that nothing is left to correct.
        bounds : list of float
            Largest absolute distance of each from its centre.

        Returns
        -------
        Covariance
        """
        size = len(values)
        centred = [
            sql.minus(value, sql.number(mean)) for value, mean in zip(values, means, strict=True)
        ]
        pairs = [(i, j) for i in range(size) for j in range(i, size)]
        aggregates: list[exp.Expr] = [exp.Count(this=exp.Star())]
        shifts: list[int] = []
        for i in range(size):
            term, shift = summand(sql.scratch(f"v{i}"), bounds[i])
            aggregates.append(exp.Sum(this=term))
            shifts.append(shift)
        for i, j in pairs:
            term, shift = summand(
                exp.Mul(this=sql.scratch(f"v{i}"), expression=sql.scratch(f"v{j}")),
                bounds[i] * bounds[j],
            )
            aggregates.append(exp.Sum(this=term))
            shifts.append(shift)
        row = self._query(centred, aggregates, complete=True)
        count = max(int(row[0]), 1)
        sums = [unscale(row[1 + i], shifts[i]) / count for i in range(size + len(pairs))]
        matrix = np.zeros((size, size))
        for index, (i, j) in enumerate(pairs):
            matrix[i, j] = matrix[j, i] = float(sums[size + index] - sums[i] * sums[j])
        exact = [float(Fraction(mean) + off) for mean, off in zip(means, sums[:size], strict=True)]
        return Covariance(matrix, np.array(exact), int(row[0]))


def _key(request: Request) -> Hashable:
    extra = request.probabilities if isinstance(request, QuantilesOf) else ()
    return type(request).__name__, sql.text(request.expression), extra


def _grid(value: float, low: float, high: float) -> float:
    """Round onto a grid of the range's 2^-24, so that a last bit of the sum does not show."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return low
    step = math.ldexp(1.0, math.frexp(span)[1] - 24)
    if step == 0:
        return low
    return min(max(round(value / step) * step, low), high)
