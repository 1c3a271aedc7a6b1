"""Transform by pulling the tails in to two quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import Learning, Profile, QuantilesOf
from segql.statistics import Statistics
from segql.steps.base import Identity, PreparedBy, Transform, Transformer

DEFAULT = (0.01, 0.99)


@dataclass(frozen=True)
class Winsorize(Transform):
    """t = min(max(x, low), high)."""

    low: float
    high: float
    step = "winsorize"

    def sql(self, value: exp.Expr) -> exp.Expr:
        """SQL of the transform."""
        low, high = sql.number(self.low), sql.number(self.high)
        below = sql.compare(exp.LT, value.copy(), low.copy())
        above = sql.compare(exp.GT, value.copy(), high.copy())
        return sql.case([(below, low), (above, high)], value.copy())

    def value(self, value: float) -> float:
        """Transform one number."""
        return min(max(value, self.low), self.high)

    def inverse(self, value: float) -> float:
        """Return the number itself: what was pulled in cannot be pulled out."""
        return value

    def state(self) -> dict[str, Any]:
        """Both bounds."""
        return {"low": self.low, "high": self.high}


class TransformWinsorize(Transformer):
    """``{"transform": {"winsorize": [0.01, 0.99]}}``; the quantiles are exact."""

    name = "winsorize"

    def __init__(self, column: str, parameter: Any = None) -> None:
        super().__init__(column)
        pair = DEFAULT if parameter is None else parameter
        accepted = "two shares in order, e.g. [0.01, 0.99]"
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise self.refuse(parameter, accepted)
        if not all(isinstance(s, int | float) and not isinstance(s, bool) for s in pair):
            raise self.refuse(parameter, accepted)
        if not 0 <= pair[0] < pair[1] <= 1:
            raise self.refuse(parameter, accepted)
        self.shares = (float(pair[0]), float(pair[1]))

    def learn(
        self, prepared: PreparedBy, profile: Profile, statistics: Statistics
    ) -> Learning[Transform]:
        """Ask for both quantiles."""
        request = QuantilesOf(prepared(Identity()), self.shares)
        answers = yield [request]
        low, high = answers[request]
        return Winsorize(low, high)
