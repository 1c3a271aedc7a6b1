"""Transform by log(1 + x); a negative value counts as zero."""

from __future__ import annotations

import math
from typing import Any

from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import Learning, Profile
from segql.statistics import Statistics
from segql.steps.base import Identity, PreparedBy, Transform, Transformer


class Log1p(Transform):
    """t = ln(1 + max(x, 0)).

    Spend net of returns can fall below zero for a few customers; for a segmentation they are
    customers who spent nothing, and the logarithm must not be undefined for anyone.
    """

    step = "log1p"

    def sql(self, value: exp.Expr) -> exp.Expr:
        """SQL of the transform, zero at and below zero."""
        positive = sql.compare(exp.GT, value.copy(), sql.integer(0))
        return sql.case([(positive, _logarithm(value))], sql.number(0.0))

    def branches(self, value: exp.Expr, limit: float) -> list[tuple[exp.Expr, exp.Expr]]:
        """Test for a positive, usable number at once: most rows then need one branch only."""
        positive = sql.compare(exp.GT, value.copy(), sql.integer(0))
        within = sql.compare(exp.LTE, value.copy(), sql.number(limit))
        return [
            (sql.both(positive, within), _logarithm(value)),
            (sql.usable(value.copy(), limit), sql.integer(0)),
        ]

    def value(self, value: float) -> float:
        """Transform one number."""
        return math.log1p(max(value, 0.0))

    def inverse(self, value: float) -> float:
        """Return exp(t) − 1."""
        return math.expm1(min(value, 700.0))

    def state(self) -> dict[str, Any]:
        """Nothing was learned."""
        return {}


def _logarithm(value: exp.Expr) -> exp.Expr:
    return exp.Ln(this=exp.Add(this=sql.integer(1), expression=value.copy()))


class TransformLog1p(Transformer):
    """``{"transform": "log1p"}``."""

    name = "log1p"

    def candidates(self, profile: Profile) -> list[Transform]:
        """List the logarithm, and the column itself for its description."""
        return [Identity(), Log1p()]

    def learn(
        self, prepared: PreparedBy, profile: Profile, statistics: Statistics
    ) -> Learning[Transform]:
        """Nothing to ask for."""
        yield from ()
        return Log1p()
