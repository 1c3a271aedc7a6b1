"""Scale to mean 0 and standard deviation 1 (divisor n)."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, MomentsOf, Profile
from segql.steps.base import Scaler, Scaling


class ScaleStandard(Scaler):
    """z = (t − mean) / deviation, as ``sklearn.preprocessing.StandardScaler``."""

    name = "standard"

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Scaling]:
        """Ask for mean and deviation."""
        request = MomentsOf(value)
        answers = yield [request]
        return self.scaling(answers[request].mean, answers[request].deviation)
