"""A rule as SQL and in words, and what its conditions compare."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from segql import sql_text as sql
from segql.clusterers.rules import Condition, Rule
from segql.features import SOURCE, Feature, NumberFeature


def is_number(feature: Feature) -> bool:
    """Whether conditions on a column are bounds; others compare its text."""
    return isinstance(feature, NumberFeature) and feature.encoding is None


def value_of(feature: Feature) -> exp.Expr:
    """SQL of what a condition tests; NaN is above every number, as DuckDB compares it."""
    column = sql.column(feature.name, SOURCE)
    if not is_number(feature):
        return exp.Cast(this=column, to=exp.DataType.build("text"))
    number = sql.double(column)
    is_nan = exp.Anonymous(this="isnan", expressions=[number.copy()])
    infinite = sql.double(sql.string("infinity"))
    return sql.case([(is_nan, infinite)], number)


def rule_sql(rule: Rule, features: Sequence[Feature]) -> exp.Expr:
    """SQL that says whether a row meets all conditions, over the columns of the source."""
    operators = {"<=": exp.LTE, ">": exp.GT, "=": exp.EQ, "<>": exp.NEQ}
    tests = []
    for condition in _ordered(rule):
        column: exp.Expr = sql.column(features[condition.feature].name, SOURCE)
        if isinstance(condition.value, str):
            column = exp.Cast(this=column, to=exp.DataType.build("text"))
            value: exp.Expr = sql.string(condition.value)
        else:
            column = sql.double(column)
            value = _literal(condition.value)
        tests.append(sql.compare(operators[condition.operator], column, value))
    return sql.both(*tests)


def _literal(value: float) -> exp.Expr:
    whole = value == round(value) and abs(value) < 2**53
    if not whole:
        return sql.number(value)
    literal = sql.integer(abs(int(value)))
    return exp.Neg(this=literal) if value < 0 else literal


def rule_words(rule: Rule, features: Sequence[Feature]) -> str:
    """The rule as people say it, both bounds of a column together."""
    parts = []
    for condition in _ordered(rule):
        name, value = features[condition.feature].name, condition.value
        is_flag = getattr(features[condition.feature], "kind", "") == "boolean"
        if is_flag and not isinstance(value, str):
            parts.append(name if condition.operator == ">" else f"not {name}")
            continue
        shown = value if isinstance(value, str) else f"{value:,.15g}"
        sign = {"<=": "≤", ">": ">", "=": "is", "<>": "is not"}[condition.operator]
        parts.append(f"{name} {sign} {shown}")
    return " and ".join(parts)


def _ordered(rule: Rule) -> list[Condition]:
    return sorted(rule.conditions, key=lambda c: (c.feature, c.operator, str(c.value)))
