"""Impute the mean of the usable values."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, MomentsOf, Profile
from segql.steps.base import Imputation, NumberImputer


class ImputeMean(NumberImputer):
    """Stand-in: the mean, as ``sklearn.impute.SimpleImputer(strategy="mean")``."""

    name = "mean"

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Imputation]:
        """Ask for the exact mean."""
        request = MomentsOf(value)
        answers = yield [request]
        return Imputation(self.name, answers[request].mean, "all rows")
