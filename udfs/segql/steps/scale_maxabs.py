"""Scale by the largest absolute value."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, Profile
from segql.steps.base import Scaler, Scaling


class ScaleMaxAbs(Scaler):
    """z = t / max |t|, as ``sklearn.preprocessing.MaxAbsScaler``."""

    name = "maxabs"

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Scaling]:
        """Nothing to ask for: the profile has both ends."""
        yield from ()
        return self.scaling(0.0, max(abs(profile.minimum), abs(profile.maximum)))
