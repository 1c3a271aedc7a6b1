"""Rewrite a model's one expression so that an engine computes what DuckDB computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

from segql import sql_text as sql
from segql.assignment import NearestCentroid, Scorer
from segql.exporting.categories import comparable
from segql.exporting.dialects import Dialect
from segql.features import Dimension, Feature
from segql.space import Space

if TYPE_CHECKING:
    from segql.model import Model

#: A scaled coordinate below this is zero where underflow fails: the square must not underflow.
NOTHING = 1e-120
#: Decimal exponent that a power may reach where underflow fails.
DEEPEST = 300
#: Arguments of one call; SQLite takes 127.
MOST = 100


def portable_scorer(model: Model, dialect: Dialect) -> Scorer:
    """The model's scorer over inputs that are safe in the dialect."""
    safe = safe_space(model, dialect)
    if model.scorer is None:
        return NearestCentroid(safe, model.points)
    return model.scorer.assignment(safe, model.points)


def safe_space(model: Model, dialect: Dialect) -> Space:
    """The model's space over inputs that are safe in the dialect."""
    space = model.space
    features = {feature.name: feature for feature in model.recipe.features}
    return Space(
        [_safe(axis, features[axis.feature], dialect) for axis in space.dimensions],
        space.projection,
    )


def portable(expression: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Rewrite what sqlglot would print in a way that the engine reads differently."""
    if dialect.name == "duckdb":
        return expression

    def rewritten(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Least | exp.Pow | exp.Literal):
            return _arithmetic(node, dialect)
        return _condition(node, dialect)

    result = _rewrite(expression, rewritten)
    if dialect.name == "tsql":
        # Without the N a letter outside of the database's code page becomes a question mark.
        result = _rewrite(result, _national)
    return result


def _rewrite(expression: exp.Expr, rewritten: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Rewrite from the leaves up: what has been rewritten is not looked at again."""
    root = exp.Paren(this=expression.copy())
    for node in reversed(list(root.this.walk())):
        new = rewritten(node)
        if new is not node:
            node.replace(new)
    result: exp.Expr = root.this
    result.pop()
    return result


def _arithmetic(node: exp.Expr, dialect: Dialect) -> exp.Expr:
    if isinstance(node, exp.Least):
        return _least([node.this, *node.expressions], dialect.least)
    if isinstance(node, exp.Pow) and dialect.underflow_fails:
        return _bounded_power(node)
    if isinstance(node, exp.Literal) and dialect.cast_literals:
        return _cast_literal(node)
    return node


def _condition(node: exp.Expr, dialect: Dialect) -> exp.Expr:
    if isinstance(node, exp.EQ | exp.NEQ | exp.In) and dialect.exact is not None:
        return _compared_exactly(node, dialect)
    if isinstance(node, exp.If | exp.Not) and not dialect.has_truth_values:
        return _compared_with_bit(node)
    if isinstance(node, exp.Cast) and dialect.name == "tsql" and node.is_type("text"):
        # Its VARCHAR holds one code page only.
        return exp.cast(node.this.copy(), "NVARCHAR(MAX)", dialect="tsql")
    return node


def fenced(query: exp.Select, dialect: Dialect) -> exp.Select:
    """Keep each layer of a query computed once; see :attr:`Dialect.fence`."""
    if dialect.fence is None:
        return query
    for nested in query.find_all(exp.Subquery):
        if not isinstance(nested.this, exp.Select):
            continue
        if dialect.fence == "limit":
            most = sql.integer(-1 if dialect.name == "sqlite" else 2**64 - 1)
            nested.this.set("limit", exp.Limit(expression=most))
        # MySQL's OFFSET would be one more number to read; SQLite flattens a LIMIT without it.
        if dialect.name != "mysql":
            nested.this.set("offset", exp.Offset(expression=sql.integer(0)))
    return query


def in_steps(query: exp.Select) -> exp.Select:
    """Write nested layers one after the other: SQLite's parser takes some fifteen in each other."""
    places: list[exp.Subquery] = []
    place = query.args["from_"].this
    while isinstance(place, exp.Subquery):
        places.append(place)
        place = place.this.args["from_"].this
    steps = []
    for number, place in enumerate(reversed(places), start=1):
        name = exp.to_identifier(f"{sql.SCRATCH}step_{number}", quoted=True)
        place.replace(exp.Table(this=name, alias=place.args["alias"]))
        steps.append(exp.CTE(this=place.this, alias=exp.TableAlias(this=name.copy())))
    query.set("with_", exp.With(expressions=steps))
    return query


def _safe(axis: Dimension, feature: Feature, dialect: Dialect) -> Dimension:
    base = axis.base
    if dialect.name != "duckdb":
        base = comparable(base, feature, dialect.name)
    if dialect.underflow_fails:
        base = _without_traces(replace(axis, base=base))
    if dialect.decimal_literals and not dialect.cast_literals and not _is_double(base):
        base = sql.double(base)
    return axis if base is axis.base else replace(axis, base=base)


def _is_double(base: exp.Expr) -> bool:
    """Whether a result of the CASE is a double by itself, not a literal."""
    if not isinstance(base, exp.Case):
        return False
    results = [branch.args["true"] for branch in base.args["ifs"]]
    return any(cast.is_type("double") for result in results for cast in result.find_all(exp.Cast))


def _least(terms: list[exp.Expr], name: str) -> exp.Expr:
    """Smallest of the terms, by parts: some engines take few arguments."""
    while len(terms) > MOST:
        parts = [terms[start : start + MOST] for start in range(0, len(terms), MOST)]
        terms = [_least(part, name) for part in parts]
    if len(terms) == 1:
        return terms[0]
    return exp.Anonymous(this=name, expressions=terms)


def _without_traces(axis: Dimension) -> exp.Expr:
    """Make zero what is next to nothing, when the column is measured from zero."""
    base = axis.base
    first = base.args["ifs"][0].this if isinstance(base, exp.Case) else None
    if not isinstance(first, exp.LTE) or not isinstance(first.this, exp.Abs):
        return base
    if axis.factor <= 0 or abs(axis.origin) * axis.factor >= NOTHING:
        return base
    exponent = min(max(round(math.log10(NOTHING) - math.log10(axis.factor)), -DEEPEST), DEEPEST)
    tiny = sql.compare(exp.LT, first.this.copy(), sql.number(10.0**exponent))
    guarded = base.copy()
    guarded.set("ifs", [exp.If(this=tiny, true=sql.number(0.0)), *guarded.args["ifs"]])
    return guarded


def _bounded_power(node: exp.Pow) -> exp.Expr:
    """Bound the base of a negative power, which would underflow for a huge number."""
    power = node.expression
    if not isinstance(power, exp.Neg):
        return node
    literal = power.find(exp.Literal)
    assert literal is not None
    digits = DEEPEST / float(literal.this)
    if digits >= DEEPEST:
        return node
    most = sql.number(float(10.0**digits))
    base = sql.case([(sql.compare(exp.GT, node.this.copy(), most), most.copy())], node.this.copy())
    return exp.Pow(this=base, expression=power.copy())


def _compared_exactly(node: exp.EQ | exp.NEQ | exp.In, dialect: Dialect) -> exp.Expr:
    literals = node.expressions if isinstance(node, exp.In) else [node.expression]
    if not all(isinstance(item, exp.Literal) and item.is_string for item in literals):
        return node
    assert dialect.exact is not None
    # A name to replace, not a column: what stands in for it is not looked at again.
    left = _filled(dialect.exact, node.this, dialect)
    right = [
        _filled(dialect.exact_literal, item, dialect) if dialect.exact_literal else item.copy()
        for item in literals
    ]
    if isinstance(node, exp.In):
        return exp.In(this=left, expressions=right)
    return type(node)(this=left, expression=right[0])


def _filled(template: str, value: exp.Expr, dialect: Dialect) -> exp.Expr:
    parsed = parse_one(template, dialect=dialect.name)
    for place in list(parsed.find_all(exp.Column)):
        place.replace(value.copy())
    return parsed


def _compared_with_bit(node: exp.If | exp.Not) -> exp.Expr:
    # A variable is a column that has been renamed.
    if not isinstance(node.this, exp.Column | exp.Var):
        return node
    if isinstance(node, exp.Not):
        return sql.compare(exp.EQ, node.this.copy(), sql.integer(0))
    node.set("this", sql.compare(exp.EQ, node.this.copy(), sql.integer(1)))
    return node


def _cast_literal(node: exp.Literal) -> exp.Expr:
    if node.is_string or "e" not in str(node.this):
        return node
    return sql.double(exp.Literal.string(str(node.this)))


def _national(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal) and node.is_string:
        return exp.National(this=node.this)
    return node
