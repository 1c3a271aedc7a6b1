"""Scale by median and interquartile range."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, Profile, QuantilesOf
from segql.steps.base import Scaler, Scaling


class ScaleRobust(Scaler):
    """z = (t − median) / (q75 − q25), as ``sklearn.preprocessing.RobustScaler``."""

    name = "robust"

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Scaling]:
        """Ask for the three quartiles."""
        request = QuantilesOf(value, (0.25, 0.5, 0.75))
        answers = yield [request]
        low, median, high = answers[request]
        return self.scaling(median, high - low)
