"""Encode a category as one column a level: rare levels share one, NULL has its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import Learning, Levels, LevelsOf
from segql.errors import SegqlError
from segql.steps.base import Step, check_levels

#: Levels that get a column of their own unless the option says otherwise.
DEFAULT_TOP = 20
#: Rare levels are listed in the SQL by name, so that an unseen one is told apart.
MAXIMUM_RARE = 2000


@dataclass(frozen=True)
class OneHot:
    """The learned levels: each its own column, the rare ones together, NULL if it was seen."""

    levels: tuple[str, ...]
    rare: tuple[str, ...]
    null: bool
    #: Rows of each output column, in the order of ``columns``.
    counts: tuple[int, ...]
    rows: int

    def columns(self, value: exp.Expr) -> list[tuple[str, exp.Expr]]:
        """Label and 0/1 expression of each output column; an unseen level is 0 in all of them."""
        tests: list[tuple[str, exp.Expr]] = [
            (level, sql.compare(exp.EQ, value.copy(), sql.string(level))) for level in self.levels
        ]
        if self.rare:
            tests.append(("other", sql.one_of(value, [sql.string(item) for item in self.rare])))
        if self.null:
            tests.append(("NULL", exp.Is(this=value.copy(), expression=exp.Null())))
        return [
            (label, sql.case([(test, sql.number(1.0))], sql.number(0.0))) for label, test in tests
        ]

    @property
    def default_weight(self) -> float:
        """1/√columns, so that a category with many levels does not outweigh a number."""
        return 1.0 / math.sqrt(max(len(self.counts), 1))

    def state(self) -> dict[str, Any]:
        """Learned levels, for the registry."""
        return {
            "step": "onehot",
            "levels": list(self.levels),
            "rare": list(self.rare),
            "null": self.null,
            "counts": list(self.counts),
            "rows": self.rows,
        }


class EncodeOneHot(Step):
    """``{"encode": "onehot"}`` or ``{"encode": {"onehot": {"top": 10}}}``."""

    slot = "encode"
    name = "onehot"

    def __init__(self, column: str, parameter: Any = None) -> None:
        super().__init__(column)
        options = {} if parameter is None else parameter
        if isinstance(options, int) and not isinstance(options, bool):
            options = {"top": options}
        if not isinstance(options, dict) or set(options) - {"top"}:
            raise self.refuse(parameter, '{"top": n}')
        self.top = options.get("top", DEFAULT_TOP)
        if not isinstance(self.top, int) or isinstance(self.top, bool) or self.top < 1:
            raise self.refuse(parameter, '{"top": n} with n a whole number of at least 1')

    def learn(self, value: exp.Expr) -> Learning[OneHot]:
        """Ask for the category counts."""
        request = LevelsOf(value)
        answers = yield [request]
        levels: Levels = answers[request]
        check_levels(self.column, levels)
        top, rest = levels.counts[: self.top], levels.counts[self.top :]
        if len(rest) > MAXIMUM_RARE:
            raise SegqlError(
                f"column {self.column!r} has {levels.number} categories; one-hot takes at "
                f"most {self.top + MAXIMUM_RARE}: group them first"
            )
        counts = [count for _, count in top]
        if rest:
            counts.append(sum(count for _, count in rest))
        if levels.missing:
            counts.append(levels.missing)
        return OneHot(
            tuple(str(name) for name, _ in top),
            tuple(str(name) for name, _ in rest),
            levels.missing > 0,
            tuple(counts),
            levels.count,
        )
