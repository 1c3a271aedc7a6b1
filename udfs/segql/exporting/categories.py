"""Categories that are no text: engines print numbers and truth values in ways of their own."""

from __future__ import annotations

import math

from sqlglot import exp

from segql import sql
from segql.errors import SegqlError
from segql.features import SOURCE, CategoryFeature, Feature, raw_number

#: Whole numbers up to here are doubles.
WHOLE = 2**53


def levels_of(feature: Feature) -> tuple[str, ...]:
    """The categories of a feature as DuckDB prints them."""
    if isinstance(feature, CategoryFeature):
        return (*feature.onehot.levels, *feature.onehot.rare)
    return tuple(feature.encoding["numbers"]) if feature.encoding is not None else ()


def compared_as(feature: Feature) -> str:
    """Say as what a column is compared with its categories: text, number or boolean."""
    levels = levels_of(feature)
    if feature.stored == "number" and not all(_is_exact(level) for level in levels):
        return "text"
    return feature.stored if levels else "text"


def comparable(base: exp.Expr, feature: Feature, dialect: str) -> exp.Expr:
    """Compare a column of numbers or truth values by value, not by its text.

    Parameters
    ----------
    base : sqlglot expression
        Of a dimension of the feature.
    feature : NumberFeature or CategoryFeature
    dialect : str
        For messages.
    """
    kind = compared_as(feature)
    if kind == "text":
        return base
    value = raw_number(feature.name, kind, None)
    root = exp.Paren(this=base.copy())
    for node in list(root.find_all(exp.EQ, exp.In)):
        items = node.expressions if isinstance(node, exp.In) else [node.expression]
        if node.this.find(exp.Column) is None or not all(
            isinstance(item, exp.Literal) and item.is_string for item in items
        ):
            continue
        fill = feature.fill if isinstance(feature, CategoryFeature) else None
        names = [str(item.this) for item in items]
        tests = [_equals(value, name, feature.name, dialect) for name in names]
        if fill in names:
            tests.append(exp.Is(this=sql.column(feature.name, SOURCE), expression=exp.Null()))
        node.replace(exp.Paren(this=exp.or_(*tests, wrap=False)) if len(tests) > 1 else tests[0])
    result = root.this
    result.pop()
    assert isinstance(result, exp.Expr)
    return result


def _is_exact(level: str) -> bool:
    """Whether a whole number that is a category is told from its neighbours as a double."""
    return not level.lstrip("-").isdigit() or abs(int(level)) <= WHOLE


def _equals(value: exp.Expr, level: str, column: str, dialect: str) -> exp.Expr:
    try:
        number = {"true": 1.0, "false": 0.0}[level] if level in ("true", "false") else float(level)
    except ValueError:
        # A category that an option names, and no value of this column.
        return sql.compare(exp.EQ, sql.integer(1), sql.integer(0))
    if not math.isfinite(number):
        raise SegqlError(
            f"this model is not possible in {dialect} because {level!r} is a category of column "
            f"{column!r} and no number that every engine holds; fit without such rows, or use "
            "dialect 'duckdb'"
        )
    return sql.compare(exp.EQ, value.copy(), sql.number(number))
