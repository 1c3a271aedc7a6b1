"""Encode a category as the share of rows that have it."""

from __future__ import annotations

from sqlglot import exp

from segql.aggregates import Learning, Levels, LevelsOf
from segql.errors import SegqlError
from segql.steps.base import Step, check_levels

#: Each level is a branch of a CASE.
MAXIMUM_LEVELS = 1000


class EncodeFrequency(Step):
    """``{"encode": "frequency"}``; NULL has the share of NULL, an unseen level the share 0."""

    slot = "encode"
    name = "frequency"

    def learn(self, value: exp.Expr) -> Learning[tuple[dict[str, float], float]]:
        """Ask for the category counts."""
        request = LevelsOf(value)
        answers = yield [request]
        levels: Levels = answers[request]
        check_levels(self.column, levels)
        if len(levels.counts) > MAXIMUM_LEVELS:
            raise SegqlError(
                f"column {self.column!r} has {levels.number} categories; encode frequency "
                f"takes at most {MAXIMUM_LEVELS}: group them first"
            )
        rows = max(levels.count, 1)
        return {str(name): count / rows for name, count in levels.counts}, levels.missing / rows
