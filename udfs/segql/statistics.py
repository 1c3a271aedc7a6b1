"""Learned aggregates: exact, independent of row order, several columns and steps to one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import (
    LONGEST_LEVEL,
    MAXIMUM_LEVELS,
    Covariance,
    Learned,
    Learning,
    Levels,
    LevelsOf,
    Moments,
    MomentsOf,
    Profile,
    ProfileOf,
    QuantilesOf,
    Request,
)
from segql.engines.base import Engine
from segql.quantiles import Column, Quantiles
from segql.sums import scaled, unscale


class Statistics:
    """Answers aggregate requests over one relation, each at most once.

    Parameters
    ----------
    engine : Engine
        Where the relation lives.
    source : sqlglot table
        The relation, under the alias that its columns are qualified with.
    sampled : callable, optional
        Makes the condition that draws a share of the rows.
    """

    def __init__(
        self,
        engine: Engine,
        source: exp.Expr,
        sampled: Callable[[float], exp.Expr] | None = None,
    ) -> None:
        self.engine = engine
        self.source = source
        self.sampled = sampled
        self._answers: dict[Hashable, Any] = {}
        self._texts: dict[int, tuple[exp.Expr, str]] = {}
        #: Stored columns that stand for an expression: all of their values are usable.
        self._stored: dict[str, exp.Expr] = {}

    def know(self, request: Request, answer: Any) -> None:
        """Store an answer that follows from another one, so that no pass is spent on it."""
        self._answers.setdefault(self._key(request), answer)

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
                index: {request: self._answers[self._key(request)] for request in requests}
                for index, requests in asked.items()
            }
        return [learned[index] for index in sorted(learned)]

    def _answer(self, requests: list[Request]) -> None:
        open_requests: dict[Hashable, Request] = {}
        # Highest moments last: of two requests for the same expression they answer both.
        for request in sorted(requests, key=lambda r: getattr(r, "order", 0)):
            if not self._answered(request):
                open_requests[self._key(request)] = request
        pending = list(open_requests.values())
        self._profile([r for r in pending if isinstance(r, ProfileOf)])
        self._measure(
            [r for r in pending if isinstance(r, MomentsOf)],
            [r for r in pending if isinstance(r, QuantilesOf)],
        )
        for request in pending:
            if isinstance(request, LevelsOf):
                self._levels(request)

    def _key(self, request: Request) -> Hashable:
        extra = request.probabilities if isinstance(request, QuantilesOf) else ()
        return type(request).__name__, self._text(request.expression), extra

    def _text(self, expression: exp.Expr) -> str:
        """Print an expression once: it is asked for at every step of the learning."""
        known = self._texts.get(id(expression))
        if known is None:
            # The expression is kept beside its text, so that its identity stays taken.
            known = self._texts[id(expression)] = (expression, sql.text(expression))
        return known[1]

    def _answered(self, request: Request) -> bool:
        answer = self._answers.get(self._key(request))
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
        known = self._complete([request.raw for request in requests if request.raw is not None])
        plain = [request for request in requests if request.raw in known]
        for request in plain:
            # All stored values are usable: the column says the same as the expression.
            assert request.raw is not None
            self._stored[self._text(request.expression)] = sql.double(request.raw.copy())
            self._answers[self._key(request)] = known[request.raw]
        others = [request for request in requests if request not in plain]
        if others:
            answers = self._counted([request.expression for request in others], None)
            self._answers |= {self._key(r): a for r, a in zip(others, answers, strict=True)}

    def _complete(self, raws: Sequence[exp.Expr]) -> dict[exp.Expr, Profile]:
        """Profiles of stored columns without NaN, infinity or a value beyond the limit."""
        if not raws:
            return {}
        if not self.engine.keeps_ranges:
            profiles = self._counted([sql.double(raw.copy()) for raw in raws], None)
            return {
                raw: profile
                for raw, profile in zip(raws, profiles, strict=True)
                if profile.count
                and abs(profile.minimum) <= sql.LARGEST
                and abs(profile.maximum) <= sql.LARGEST
            }
        known = self._ranges(raws)
        profiles = self._counted(list(known), list(known.values())) if known else []
        return dict(zip(known, profiles, strict=True))

    def _ranges(self, raws: Sequence[exp.Expr]) -> dict[exp.Expr, tuple[float, float]]:
        """Ranges of stored columns without NaN, infinity or a value beyond the limit."""
        ends = [kind(this=raw.copy()) for raw in raws for kind in (exp.Min, exp.Max)]
        row = self.engine.rows(exp.select(*ends).from_(self.source.copy()))[0]
        return {
            raw: (float(low), float(high))
            for raw, low, high in zip(raws, row[::2], row[1::2], strict=True)
            if low is not None and abs(low) <= sql.LARGEST and abs(high) <= sql.LARGEST
        }

    def _counted(
        self, values: Sequence[exp.Expr], ranges: Sequence[tuple[float, float]] | None
    ) -> list[Profile]:
        """Count and locate values; their range too, where it is not known."""
        aggregates: list[exp.Expr] = [exp.Count(this=exp.Star())]
        step = 2 if ranges else 4
        for index in range(len(values)):
            value = sql.scratch(f"v{index}")
            aggregates += [exp.Count(this=value.copy()), exp.Avg(this=value.copy())]
            if ranges is None:
                aggregates += [exp.Min(this=value.copy()), exp.Max(this=value.copy())]
        row = self._query(values, aggregates)
        rows = int(row[0])
        profiles = []
        for index in range(len(values)):
            count, mean, *ends = row[1 + step * index : 1 + step * (index + 1)]
            low, high = ranges[index] if ranges else ends
            if not count:
                profiles.append(Profile(0, rows, 0.0, 0.0, 0.0))
            else:
                center = _grid(float(mean), low, high)
                profiles.append(Profile(int(count), rows - int(count), low, high, center))
        return profiles

    # -- moments and quantiles, in one pass ---------------------------------------------------

    def _measure(self, moments: list[MomentsOf], quantiles: list[QuantilesOf]) -> None:
        values: list[exp.Expr] = []
        aggregates: list[exp.Expr] = []
        plans = [
            (request, *self._plan(request, values, aggregates))
            for request in moments
            if not self._is_constant(request)
        ]
        first_count = len(aggregates)
        ranked = None
        if quantiles:
            ranked = Quantiles(
                self.engine, self.source, [self._column(item) for item in quantiles], self.sampled
            )
            start = len(values)
            counts = ranked.aggregates(
                [sql.scratch(f"v{start + index}") for index in range(len(quantiles))]
            )
            if counts:
                values += [self._cheapest(request.expression) for request in quantiles]
                aggregates += counts
        row = self._query(values, aggregates) if aggregates else ()
        for request, first, shifts in plans:
            self._answers[self._key(request)] = self._moments(request, row[first:], shifts)
        if ranked is not None:
            answers = ranked.answers(row[first_count:])
            for wanted, answer in zip(quantiles, answers, strict=True):
                self._answers[self._key(wanted)] = answer

    def _cheapest(self, expression: exp.Expr) -> exp.Expr:
        """Return the stored column where it says the same as the expression."""
        return self._stored.get(self._text(expression), expression).copy()

    def _is_constant(self, request: MomentsOf) -> bool:
        profile: Profile = self._answers[self._key(ProfileOf(request.expression))]
        if profile.count and profile.minimum != profile.maximum:
            return False
        self._answers[self._key(request)] = Moments(profile.count, profile.minimum, 0.0, 0.0)
        return True

    def _plan(
        self, request: MomentsOf, values: list[exp.Expr], aggregates: list[exp.Expr]
    ) -> tuple[int, list[int]]:
        """Add a request's value and sums to a pass; return where they start and their scales."""
        profile: Profile = self._answers[self._key(ProfileOf(request.expression))]
        value = sql.scratch(f"v{len(values)}")
        values.append(sql.minus(self._cheapest(request.expression), sql.number(profile.center)))
        bound = max(profile.maximum - profile.center, profile.center - profile.minimum)
        first, shifts = len(aggregates), []
        power: exp.Expr = value.copy()
        for order in range(1, request.order + 1):
            term, shift = scaled(power, bound**order)
            aggregates.append(self.engine.whole_sum(term))
            shifts.append(shift)
            power = exp.Mul(this=power.copy(), expression=value.copy())
        return first, shifts

    def _moments(self, request: MomentsOf, sums: Sequence[int], shifts: list[int]) -> Moments:
        profile: Profile = self._answers[self._key(ProfileOf(request.expression))]
        offset, second, *third = [
            unscale(value, shift) / profile.count
            for value, shift in zip(sums[: len(shifts)], shifts, strict=True)
        ]
        spread = float(second - offset**2)
        skewness = None
        if third:
            skew = float(third[0] - 3 * offset * second + 2 * offset**3)
            skewness = skew / spread**1.5 if spread > 0 else 0.0
        mean = float(Fraction(profile.center) + offset)
        return Moments(profile.count, mean, max(spread, 0.0), skewness)

    def _column(self, request: QuantilesOf) -> Column:
        profile: Profile = self._answers[self._key(ProfileOf(request.expression))]
        return Column(
            self._cheapest(request.expression),
            profile.count,
            profile.minimum,
            profile.maximum,
            request.probabilities,
        )

    # -- categories --------------------------------------------------------------------------

    def _levels(self, request: LevelsOf) -> None:
        value = request.expression.copy()
        if request.is_text:
            # Of megabytes only as much as tells that they are too long.
            value = exp.Substring(
                this=value, start=sql.integer(1), length=sql.integer(LONGEST_LEVEL + 1)
            )
        inner = exp.select(sql.alias(value, "v")).from_(self.source.copy())
        rows = self.engine.rows(
            f"select v, count(*) as n from ({self.engine.text(inner)}) group by v "
            f"order by n desc, v limit {MAXIMUM_LEVELS + 2}"
        )
        missing = sum(int(count) for value, count in rows if value is None)
        counts = tuple((value, int(count)) for value, count in rows if value is not None)
        self._answers[self._key(request)] = Levels(counts, missing)

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
            term, shift = scaled(sql.scratch(f"v{i}"), bounds[i])
            aggregates.append(self.engine.whole_sum(term))
            shifts.append(shift)
        for i, j in pairs:
            term, shift = scaled(
                exp.Mul(this=sql.scratch(f"v{i}"), expression=sql.scratch(f"v{j}")),
                bounds[i] * bounds[j],
            )
            aggregates.append(self.engine.whole_sum(term))
            shifts.append(shift)
        row = self._query(centred, aggregates, complete=True)
        count = max(int(row[0]), 1)
        sums = [unscale(row[1 + i], shifts[i]) / count for i in range(size + len(pairs))]
        matrix = np.zeros((size, size))
        for index, (i, j) in enumerate(pairs):
            matrix[i, j] = matrix[j, i] = float(sums[size + index] - sums[i] * sums[j])
        exact = [float(Fraction(mean) + off) for mean, off in zip(means, sums[:size], strict=True)]
        return Covariance(matrix, np.array(exact), int(row[0]))


def _grid(value: float, low: float, high: float) -> float:
    """Round onto a grid of the range's 2^-24, so that a last bit of the sum does not show."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return low
    step = math.ldexp(1.0, math.frexp(span)[1] - 24)
    if step == 0:
        return low
    return min(max(round(value / step) * step, low), high)
