"""Scale the range to 0 … 1."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, Profile
from segql.steps.base import Scaler, Scaling


class ScaleMinMax(Scaler):
    """z = (t − min) / (max − min), as ``sklearn.preprocessing.MinMaxScaler``."""

    name = "minmax"

    def learn(self, value: exp.Expr, profile: Profile) -> Learning[Scaling]:
        """Nothing to ask for: the profile has both ends."""
        yield from ()
        return self.scaling(profile.minimum, profile.maximum - profile.minimum)
