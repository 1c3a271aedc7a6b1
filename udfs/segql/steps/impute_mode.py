"""Impute the most frequent value; the smallest of several."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, LevelsOf, Profile, Request
from segql.steps.base import Imputation, NumberImputer


class ImputeMode(NumberImputer):
    """Stand-in: the mode, as ``sklearn.impute.SimpleImputer(strategy="most_frequent")``."""

    name = "mode"

    def wanted(self, value: exp.Expr, profile: Profile) -> list[Request]:
        """List the value counts."""
        return [LevelsOf(value, is_text=False)]

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Imputation]:
        """Ask for the value counts."""
        request = LevelsOf(value, is_text=False)
        answers = yield [request]
        return Imputation(self.name, float(answers[request].counts[0][0]), "all rows")
