"""Transform by log1p when the column is skewed to the right and never negative, else not."""

from __future__ import annotations

from segql.aggregates import Learning, MomentsOf, Profile, ProfileOf
from segql.statistics import Statistics
from segql.steps.base import Identity, PreparedBy, Transform, Transformer
from segql.steps.transform_log1p import Log1p

#: Skewness (third standardized moment, divisor n) above which a column counts as skewed.
SKEWED = 1.0


class TransformAuto(Transformer):
    """``{"transform": "auto"}``: log1p when skewness > 1 and min ≥ 0."""

    name = "auto"

    def candidates(self, profile: Profile) -> list[Transform]:
        """List both shapes; only the column itself where it has negative values."""
        return [Identity()] if profile.minimum < 0 else [Identity(), Log1p()]

    def order(self, candidate: Transform) -> int:
        """Ask for the skewness of the column itself, which decides."""
        return 3 if isinstance(candidate, Identity) else 2

    def learn(
        self, prepared: PreparedBy, profile: Profile, statistics: Statistics
    ) -> Learning[Transform]:
        """Ask for the skewness, and in the same pass for what the scaler will ask of either."""
        plain = MomentsOf(prepared(Identity()), order=3)
        if profile.minimum < 0:
            yield [plain]
            return Identity()
        log1p = Log1p()
        logged = MomentsOf(prepared(log1p))
        statistics.know(ProfileOf(logged.expression), transformed(profile, log1p))
        answers = yield [plain, logged]
        return log1p if (answers[plain].skewness or 0.0) > SKEWED else Identity()


def transformed(profile: Profile, transform: Transform) -> Profile:
    """Carry a profile through a monotone transform."""
    return Profile(
        profile.count,
        profile.missing,
        transform.value(profile.minimum),
        transform.value(profile.maximum),
        transform.value(profile.center),
    )
