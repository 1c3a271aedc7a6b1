"""Persisted macros of one model: what it leaves behind for clients without Python."""

from __future__ import annotations

from sqlglot import exp

from segql import sql_text as sql
from segql.features import SOURCE
from segql.functions.shared_macros import RELATION, in_use
from segql.model import INPUT, Model
from segql.recipe import PREDICTION_COLUMNS

#: Scratch columns of the scored rows, for the macros that look at more than the prediction: the
#: row's point in the model space, and its inputs before scaling.
POINT, INPUTS, IDENTITY = "point", "inputs", "id"


def model_macros(model: Model, scalars: dict[str, str], mark: str) -> list[str]:
    """Macros that make a version the current one.

    ``scalars`` are its :func:`scalar_expressions`. The table macros of the current version call
    those of its number, so that the text of a wide model is kept once.
    """
    name = str(model.name)
    statements = [
        *version_macros(model, mark),
        *(_scalar(model, suffix, expression) for suffix, expression in scalars.items()),
    ]
    for suffix in SUFFIXES:
        called = _call(macro_name(name, suffix, model.version), mark)
        statements.append(_table_macro(macro_name(name, suffix), f"from {called}"))
    return statements


def version_macros(model: Model, mark: str) -> list[str]:
    """Table macros of a version, by its number."""
    name = str(model.name)
    scored = macro_name(name, "scored", model.version)
    identity = f"rows.{sql.text(sql.column(model.id))} as {sql.SCRATCH}{IDENTITY}"
    return [
        _table_macro(scored, scored_select(model)),
        # By itself: rows that are only scored need no id.
        _table_macro(
            macro_name(name, "identified", model.version),
            f"select rows.*, {identity} from {_call(scored, mark)} as rows",
        ),
    ]


def _call(macro: str, mark: str) -> str:
    """SQL of a call of another macro with the same relation, refused through ATTACH."""
    called = f"{sql.literal(f'from {macro}')} || {RELATION}"
    return f"query({in_use(mark, called)})"


#: Table macros that each version has.
SUFFIXES = ("scored", "identified")


def dropped_macros(name: str, versions: list[int], *, current: bool) -> list[str]:
    """Statements that drop the macros of some versions, and those of the current one."""
    tables = [macro_name(name, suffix, number) for number in versions for suffix in SUFFIXES]
    scalars: list[str] = []
    if current:
        tables += [macro_name(name, suffix) for suffix in SUFFIXES]
        scalars = [macro_name(name, suffix) for suffix in ("segment", "segment_key")]
    return [
        *(f"drop macro table if exists {item}" for item in tables),
        *(f"drop macro if exists {item}" for item in scalars),
    ]


def outdated_macros(name: str, version: int) -> list[str]:
    """Statements that drop what registries up to schema version 3 had of a version."""
    names = [
        macro_name(name, "predict", version),
        macro_name(name, "predict"),
        macro_name(name, "version"),
    ]
    return [f"drop macro table if exists {item}" for item in names]


def macro_name(name: str, suffix: str, version: int | None = None) -> str:
    """Quoted name of a macro of a model, of one version or the current one."""
    numbered = "" if version is None else f"_v{version}"
    return f"segql.{sql.quoted(f'{name}_{suffix}{numbered}')}"


def _table_macro(name: str, query: str) -> str:
    return f"create or replace macro {name}(relation) as table {query}"


def scored_select(model: Model) -> str:
    """Everything that a macro may need of a scored row, the relation given by name."""
    space = model.space
    points: list[exp.Expr] = [sql.scratch(f"p{index}") for index in range(space.size)]
    if any(axis.nullable for axis in space.dimensions):
        # DuckDB's list_distance fails on a NULL in a list, also of a row that was filtered out.
        points = [exp.Coalesce(this=item, expressions=[sql.number(0.0)]) for item in points]
    lists = {
        POINT: points,
        INPUTS: [sql.scratch(f"u{index}") for index in range(len(space.dimensions))],
    }
    extra = [
        sql.alias(exp.Array(expressions=items), sql.SCRATCH + name) for name, items in lists.items()
    ]
    return _select(model, _named_relation(), extra)


def score_select(model: Model) -> str:
    """All columns of ``segql_input`` and the prediction columns: what dbt inlines.

    Input columns of a prediction's name are replaced; scratch columns stay inside.
    """
    return _select(model, exp.to_table(INPUT), [])


def _named_relation() -> exp.Expr:
    return exp.Anonymous(this="query_table", expressions=[exp.column("relation")])


def _select(model: Model, source: exp.Expr, extra: list[exp.Expr]) -> str:
    query = model.predict_query(sql.relation(source, SOURCE), []).select(*extra, copy=False)
    hidden = ", ".join(sql.literal(name) for name in PREDICTION_COLUMNS)
    columns = (
        f"columns(lambda c: not starts_with(c, '{sql.SCRATCH}') and lower(c) not in ({hidden}))"
    )
    text = sql.text(query)
    assert text.startswith("SELECT ")
    return f"SELECT {columns}, {text.removeprefix('SELECT ')}"


def scalar_expressions(model: Model) -> dict[str, str]:
    """segment_id and segment_key as one expression each over the bare, quoted feature columns."""
    return {suffix: sql.text(item) for suffix, item in model.scalar_expressions().items()}


def _scalar(model: Model, suffix: str, expression: str) -> str:
    parameters = ", ".join(
        f"{sql.quoted(feature.name)} := null" for feature in model.recipe.features
    )
    # Without types, which files of DuckDB 1.x's own default do not keep: the text casts.
    name = macro_name(str(model.name), suffix)
    return f"create or replace macro {name}({parameters}) as ({expression})"


def publish_statements(model: Model, scalars: dict[str, str], mark: str) -> list[str]:
    """Statements that make a version the current one: run together, in one transaction.

    dbt runs them in the transaction that swaps the relation; a fit from Python in its own.
    """
    name = sql.literal(str(model.name))
    return [
        *model_macros(model, scalars, mark),
        f"update segql.models set is_current = (model_version = {model.version}), "
        f"is_published = (is_published or model_version = {model.version}) "
        f"where model_name = {name}",
    ]
