"""Impute nothing: a row with a missing number is not scorable, and is counted."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, Profile
from segql.steps.base import Imputation, NumberImputer


class ImputeNone(NumberImputer):
    """No stand-in: the prediction columns of such a row are NULL."""

    name = "none"

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Imputation]:
        """Nothing to ask for."""
        yield from ()
        return Imputation(self.name, None, "none")
