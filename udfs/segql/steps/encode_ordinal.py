"""Encode ordered categories as 0, 1, 2 …"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import Learning, Levels, LevelsOf
from segql.errors import SegqlError
from segql.steps.base import Step, check_levels

#: Each level is a branch of a CASE.
MAXIMUM_LEVELS = 500


class EncodeOrdinal(Step):
    """``{"encode": {"ordinal": {"order": ["low", "mid", "high"]}}}``; the default order is sorted.

    NULL and unseen levels become a missing number, which the column's ``impute`` option handles.
    """

    slot = "encode"
    name = "ordinal"

    def __init__(self, column: str, parameter: Any = None) -> None:
        super().__init__(column)
        order = parameter.get("order") if isinstance(parameter, dict) else parameter
        if isinstance(parameter, dict) and set(parameter) != {"order"}:
            raise self.refuse(parameter, '{"order": ["low", …, "high"]}')
        if order is not None and (
            not isinstance(order, list | tuple)
            or not order
            or len({str(item) for item in order}) != len(order)
        ):
            raise self.refuse(parameter, '{"order": [distinct levels, lowest first]}')
        self.order = None if order is None else tuple(str(item) for item in order)

    def learn(self, value: exp.Expr) -> Learning[dict[str, float]]:
        """Ask for the levels; a level that the given order lacks is refused by name."""
        request = LevelsOf(value)
        answers = yield [request]
        levels: Levels = answers[request]
        check_levels(self.column, levels)
        seen = sorted(str(name) for name, _ in levels.counts)
        order = tuple(seen) if self.order is None else self.order
        known = set(order)
        absent = [name for name in seen if name not in known]
        if absent:
            raise SegqlError(
                f"column {self.column!r}: encode ordinal has no place for {absent[0]!r} "
                f"(order given: {', '.join(order)})"
            )
        if len(order) > MAXIMUM_LEVELS:
            number = levels.number if self.order is None else len(order)
            raise SegqlError(
                f"column {self.column!r} has {number} levels; encode ordinal takes at most "
                f"{MAXIMUM_LEVELS}"
            )
        return {name: float(position) for position, name in enumerate(order)}


def mapped(
    value: exp.Expr, mapping: dict[str, float], null: float | None, other: float | None
) -> exp.Expr:
    """SQL of a category's number: a CASE with a branch a level."""
    branches: list[tuple[exp.Expr, exp.Expr]] = [
        (sql.compare(exp.EQ, value.copy(), sql.string(name)), sql.number(number))
        for name, number in mapping.items()
    ]
    if null is not None:
        branches.insert(0, (exp.Is(this=value.copy(), expression=exp.Null()), sql.number(null)))
    if other is not None:
        known = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
        branches.append((known, sql.number(other)))
    return sql.case(branches) if branches else sql.double(exp.Null())
