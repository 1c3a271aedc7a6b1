"""Impute the median of the usable values, exact when a missing one was seen."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, Profile, QuantilesOf, Request
from segql.steps.base import Imputation, NumberImputer


class ImputeMedian(NumberImputer):
    """Stand-in: the median, as ``sklearn.impute.SimpleImputer(strategy="median")``.

    Notes
    -----
    A column that has no missing value asks for no pass over the data: the median of the coreset,
    which is in memory anyway, then serves the new rows that do have one.
    """

    name = "median"

    def wanted(self, value: exp.Expr, profile: Profile) -> list[Request]:
        """List the median where a missing value was seen."""
        return [QuantilesOf(value, (0.5,))] if profile.missing else []

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Imputation]:
        """Ask for the median only where it is needed."""
        if profile.missing == 0:
            return Imputation(self.name, None, "coreset")
        request = QuantilesOf(value, (0.5,))
        answers = yield [request]
        return Imputation(self.name, answers[request][0], "all rows")
