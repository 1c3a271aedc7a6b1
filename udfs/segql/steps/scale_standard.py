"""Scale to mean 0 and standard deviation 1: divisor n, or BigQuery's n - 1."""

from __future__ import annotations

import math
from typing import Any

from sqlglot import exp

from segql.aggregates import Learning, MomentsOf, Profile
from segql.steps.base import Scaler, Scaling


class ScaleStandard(Scaler):
    """z = (t − mean) / deviation, as ``sklearn.preprocessing.StandardScaler``.

    With the parameter ``"sample"`` mean and deviation are of the values that are there, imputed
    ones not counted, and the divisor is n − 1; with ``"center"`` only the mean is taken off.
    """

    name = "standard"

    def __init__(self, column: str, parameter: Any = None) -> None:
        super().__init__(column)
        if parameter not in (None, "sample", "center"):
            raise self.refuse(parameter, "no parameter, sample, center")
        self.parameter = parameter
        self.of_present = parameter is not None

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Scaling]:
        """Ask for mean and deviation."""
        request = MomentsOf(value)
        answers = yield [request]
        moments = answers[request]
        if self.parameter is None:
            return self.scaling(moments.mean, moments.deviation)
        spread = 1.0
        if self.parameter == "sample":
            spread = math.sqrt(moments.variance * moments.count / max(moments.count - 1, 1))
        return self.scaling(moments.mean, spread)
