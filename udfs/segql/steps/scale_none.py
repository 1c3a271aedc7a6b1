"""Scale nothing."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, Profile
from segql.steps.base import Scaler, Scaling


class ScaleNone(Scaler):
    """z = t."""

    name = "none"

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Scaling]:
        """Nothing to ask for."""
        yield from ()
        return Scaling(self.name, 0.0, 1.0)
