"""Scorers as one expression: inputs substituted, or DuckDB's lists in place of a query's layers."""

from __future__ import annotations

from sqlglot import exp

from segql import sql_text as sql
from segql.features import SOURCE, Dimension


def unqualified(expression: exp.Expr) -> exp.Expr:
    """Drop the table from column names: arguments of a function, or columns of any relation."""

    def bare(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.table == SOURCE:
            return sql.column(node.name)
        return node

    return expression.transform(bare)


def variable(name: str) -> exp.Column:
    """Name the argument of a lambda."""
    return sql.column(sql.SCRATCH + name)


def apply(values: exp.Expr, name: str, body: exp.Expr) -> exp.Expr:
    """Write ``list_transform(values, lambda name: body)``."""
    argument = exp.to_identifier(sql.SCRATCH + name, quoted=True)
    function = exp.Lambda(this=body, expressions=[argument], colon=True)
    return exp.Anonymous(this="list_transform", expressions=[values, function])


def element(values: exp.Expr, position: int | exp.Expr) -> exp.Expr:
    """Element of a list, counted from 1."""
    at = sql.integer(position) if isinstance(position, int) else position
    # The shortest form: a wide model writes it for each feature and segment.
    return exp.Bracket(this=values, expressions=[at], offset=1)


def offset(axis: Dimension) -> exp.Expr:
    """SQL of u of a dimension, over the columns of the source."""
    if axis.origin == 0:
        return axis.base
    return exp.Paren(this=sql.minus(axis.base, sql.number(axis.origin)))


def substitute(expression: exp.Expr, inputs: dict[str, exp.Expr]) -> exp.Expr:
    """Put expressions in the place of the columns of these names."""

    def replaced(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name in inputs:
            return inputs[node.name].copy()
        return node

    return expression.transform(replaced)
