"""Transform nothing."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from segql.statistics import Learning, Profile, Statistics
from segql.steps.base import PreparedBy, Transform, Transformer


class Identity(Transform):
    """t = x."""

    step = "none"

    def sql(self, value: exp.Expr) -> exp.Expr:
        """Return the value itself."""
        return value.copy()

    def value(self, value: float) -> float:
        """Return the number itself."""
        return value

    def inverse(self, value: float) -> float:
        """Return the number itself."""
        return value

    def state(self) -> dict[str, Any]:
        """Nothing was learned."""
        return {}


class TransformNone(Transformer):
    """``{"transform": "none"}``."""

    name = "none"

    def learn(
        self, prepared: PreparedBy, profile: Profile, statistics: Statistics
    ) -> Learning[Transform]:
        """Nothing to ask for."""
        yield from ()
        return Identity()
