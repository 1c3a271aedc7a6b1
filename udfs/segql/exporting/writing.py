"""Write a model in a dialect and a form: what Model.sql and segql export print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError

from segql import sql_text as sql
from segql.assignment import Scorer
from segql.errors import SegqlError, unknown
from segql.exporting.categories import comparable_rules
from segql.exporting.checking import check
from segql.exporting.dialects import Dialect, dialect_of
from segql.exporting.functions import function_statements
from segql.exporting.portable import fenced, in_steps, portable, portable_scorer
from segql.exporting.stages import in_lambdas, stages_of
from segql.exporting.tables import exact, table_statements
from segql.expressions import unqualified
from segql.features import SOURCE
from segql.kept import KeptCells

if TYPE_CHECKING:
    from segql.model import Model

FORMS = ("query", "expression", "function", "rules", "tables")


def statements(model: Model, dialect: str, form: str, relation: str) -> list[str]:
    """What a model is in a dialect, one statement each.

    Parameters
    ----------
    model : Model
    dialect : str
        One of :data:`segql.exporting.dialects.DIALECTS`, or ``"mariadb"``.
    form : {"query", "expression", "function", "rules", "tables"}
        Only a function and tables may need more than one statement.
    relation : str
        Table name that the query reads.
    """
    if form not in FORMS:
        raise SegqlError(unknown("form", form, FORMS))
    known = dialect_of(dialect)
    if form == "rules":
        rules = model.rules_case()
        if known.name != "duckdb":
            rules = comparable_rules(rules, model.recipe.features, known.name)
        return [check(_printed(rules, known), known)]
    if form == "tables":
        made, joined = table_statements(model, known)
        # Every INSERT is of one shape: the first is read back for all.
        for statement in made[:3]:
            check(statement, known)
        query = exact(in_steps(_query(model, known, relation, [model.id], joined)), known)
        return [*made, check(_printed(query, known), known)]
    _refuse_cells(model, known, form)
    if form == "function":
        made, parts = function_statements(model, known)
        for part in parts:
            check(part, known)
        return made
    if form == "expression":
        return [check(_expression(model, known), known)]
    query = _query(model, known, relation, [model.id], portable_scorer(model, known))
    return [check(_printed(query, known), known)]


def scoring_query(model: Model, dialect: Dialect, relation: str, carried: Sequence[str]) -> str:
    """The prediction columns of a relation's rows, after the columns that are carried."""
    query = _query(model, dialect, relation, carried, portable_scorer(model, dialect))
    return check(_printed(query, dialect), dialect)


def _query(
    model: Model, dialect: Dialect, relation: str, carried: Sequence[str], scorer: Scorer
) -> exp.Select:
    source = sql.relation(_read_table(relation, dialect), SOURCE)
    columns = [sql.column(column) for column in carried]
    return fenced(model.predict_query(source, columns, assignment=scorer), dialect)


def _printed(expression: exp.Expr, dialect: Dialect) -> str:
    return sql.text(portable(expression, dialect), dialect.name)


def _expression(model: Model, dialect: Dialect) -> str:
    scorer = portable_scorer(model, dialect)
    if dialect.name == "clickhouse":
        # Its CASE of an expression takes constants only.
        return _printed(unqualified(in_lambdas(stages_of(scorer))), dialect)
    return _printed(unqualified(scorer.expression()), dialect)


def _refuse_cells(model: Model, dialect: Dialect, form: str) -> None:
    """Refuse what a join with a table cannot be."""
    if not isinstance(model.scorer, KeptCells):
        return
    if dialect.name != "duckdb":
        raise SegqlError(
            f"form {form!r} is not possible in {dialect.name} for model {model.name!r} because it "
            "is scored by a join with its cells; use form 'tables'"
        )
    if form == "expression":
        raise SegqlError(
            "form 'expression' is not possible for this model because it is scored by a join with "
            "its cells; use form 'query'"
        )


def _read_table(name: str, dialect: Dialect) -> exp.Table:
    try:
        return exp.to_table(name, dialect=dialect.name)
    except (SqlglotError, ValueError, IndexError) as error:
        raise SegqlError(
            f"relation got {name!r}; accepted: the name of a table, quoted where it needs quotes"
        ) from error
