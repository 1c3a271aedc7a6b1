"""A scorer as stages that each name what the next one uses, in the form that an engine takes."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import Scorer
from segql.features import SOURCE

#: Names with their expressions, over the names of earlier stages and the columns of the source.
Stage = list[tuple[str, exp.Expr]]
SEGMENT = f"{sql.SCRATCH}segment"


def stages_of(scorer: Scorer) -> list[Stage]:
    """Stages of a scorer's layered query; the last one's only name is the segment.

    The query is the one that scores in DuckDB: nothing is learned or decided anew here.
    """
    source = sql.relation(exp.to_table("source"), SOURCE)
    query: exp.Expr | None = scorer.assigned(scorer.space.inputs(source))
    found: list[Stage] = []
    while isinstance(query, exp.Select):
        found.append([(item.alias, item.this) for item in query.selects if item.alias])
        inner = query.args["from_"].this
        query = inner.this if isinstance(inner, exp.Subquery) else None
    return [stage for stage in reversed(found) if stage]


def in_select(stages: list[Stage]) -> exp.Select:
    """Nested sub-queries over one row, the arguments."""
    query: exp.Select | None = None
    for stage in stages:
        columns = [sql.alias(value.copy(), name) for name, value in stage]
        if query is None:
            query = exp.select(*columns)
        else:
            query = sql.layer(query, *columns, keep=stage is not stages[-1])
    assert query is not None
    return query


def in_lambdas(stages: list[Stage]) -> exp.Expr:
    """ClickHouse's arrayMap over arrays of one element: each stage names the arguments."""
    (name, result), *others = stages[-1]
    assert name == SEGMENT
    assert not others
    body = result.copy()
    for stage in reversed(stages[:-1]):
        names: list[exp.Expr] = [exp.to_identifier(name, quoted=True) for name, _ in stage]
        mapped = exp.Anonymous(
            this="arrayMap",
            expressions=[
                exp.Lambda(this=body, expressions=names),
                *(exp.Array(expressions=[value.copy()]) for _, value in stage),
            ],
        )
        body = exp.Bracket(this=mapped, expressions=[sql.integer(1)], offset=1)
    return body


def renamed(expression: exp.Expr, name_of: Callable[[exp.Column], exp.Expr | None]) -> exp.Expr:
    """Put what ``name_of`` gives in the place of each column, where it gives something."""

    def replaced(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            return name_of(node) or node
        return node

    return expression.transform(replaced)
