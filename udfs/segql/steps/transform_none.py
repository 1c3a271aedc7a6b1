"""Transform nothing."""

from __future__ import annotations

from segql.aggregates import Learning, Profile
from segql.statistics import Statistics
from segql.steps.base import Identity, PreparedBy, Transform, Transformer


class TransformNone(Transformer):
    """``{"transform": "none"}``."""

    name = "none"

    def learn(
        self, prepared: PreparedBy, profile: Profile, statistics: Statistics
    ) -> Learning[Transform]:
        """Nothing to ask for."""
        yield from ()
        return Identity()
