"""Categories that are no text: engines print numbers and truth values in ways of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlglot import exp

from segql import sql_text as sql
from segql.errors import SegqlError
from segql.expressions import unqualified
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
    fill = feature.fill if isinstance(feature, CategoryFeature) else None

    def by_value(node: exp.Expr) -> exp.Expr:
        names = _categories(node)
        if not names:
            return node
        tests = [_compared(type(node), value, name, feature.name, dialect) for name in names]
        if fill in names:
            tests.append(exp.Is(this=sql.column(feature.name, SOURCE), expression=exp.Null()))
        return exp.Paren(this=exp.or_(*tests, wrap=False)) if len(tests) > 1 else tests[0]

    return base.transform(by_value)


def comparable_rules(rules: exp.Expr, features: Sequence[Feature], dialect: str) -> exp.Expr:
    """Do the same for a CASE of rules, over bare columns; truth values are cast to no number."""
    by_name = {feature.name: feature for feature in features}

    def by_value(node: exp.Expr) -> exp.Expr:
        column = node.this.find(exp.Column) if isinstance(node.this, exp.Expr) else None
        feature = by_name.get(column.name) if column is not None else None
        if feature is None:
            return node
        names, kind = _categories(node), compared_as(feature)
        if names and kind != "text":
            value = unqualified(raw_number(feature.name, kind, None))
            return _compared(type(node), value, names[0], feature.name, dialect)
        if isinstance(node, exp.Cast) and feature.kind == "boolean" and node.is_type("double"):
            return unqualified(raw_number(feature.name, "boolean", None))
        return node

    return rules.transform(by_value)


def _categories(node: exp.Expr) -> list[str]:
    """Names that a node compares a column with, none where it compares something else."""
    if not isinstance(node, exp.EQ | exp.NEQ | exp.In) or node.this.find(exp.Column) is None:
        return []
    items = node.expressions if isinstance(node, exp.In) else [node.expression]
    if not all(isinstance(item, exp.Literal) and item.is_string for item in items):
        return []
    return [str(item.this) for item in items]


def _is_exact(level: str) -> bool:
    """Whether a whole number that is a category is told from its neighbours as a double."""
    return not level.lstrip("-").isdigit() or abs(int(level)) <= WHOLE


def _compared(
    node: type[exp.Expr], value: exp.Expr, level: str, column: str, dialect: str
) -> exp.Expr:
    """Compare the value of a column with a category."""
    kind = exp.NEQ if node is exp.NEQ else exp.EQ
    try:
        number = {"true": 1.0, "false": 0.0}[level] if level in ("true", "false") else float(level)
    except ValueError:
        # A category that an option names, and no value of this column.
        return sql.compare(kind, sql.integer(1), sql.integer(0))
    if not math.isfinite(number):
        raise SegqlError(
            f"this model is not possible in {dialect} because {level!r} is a category of column "
            f"{column!r} and no number that every engine holds; fit without such rows, or use "
            "dialect 'duckdb'"
        )
    return sql.compare(kind, value.copy(), sql.number(number))
