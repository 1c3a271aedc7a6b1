"""Persisted macros: what a model leaves behind for clients without Python, as CREATE statements."""

from __future__ import annotations

from sqlglot import exp

from segql import sql
from segql.features import SOURCE, NumberFeature
from segql.model import INPUT, Model
from segql.recipe import PREDICTION_COLUMNS

#: Changes with the shared macros and the registry tables.
SCHEMA_VERSION = 3

#: Long tables that have a macro of the same name, their rows for one model version.
LONG_TABLES = (
    "segments",
    "centroids",
    "feature_info",
    "feature_bins",
    "principal_components",
    "principal_component_info",
    "trials",
    "training_info",
    "diagnostics",
    "dendrogram",
    "k_distances",
)

_MODEL = """replace(model, '"', '""')"""
_VERSION = "coalesce(version::varchar, 'null')"


def shared_macros() -> list[str]:
    """Macros that serve every model; they dispatch by name and bind only for a model that exists.

    ``query`` builds its target from constant arguments when the statement is bound, so an unknown
    model fails there and no Python is needed.
    """
    statements = [
        "create or replace macro segql.predict(model, relation, version := null) as table "
        f"""select * from query('from segql."' || {_MODEL} || '_predict' || """
        "coalesce('_v' || version::varchar, '') || '\"(''' || replace(relation, '''', '''''') "
        "|| ''')')",
        "create or replace macro segql.evaluate(model, version := null) as table "
        + _of_version(
            "select t.n, t.inertia, t.silhouette, t.davies_bouldin, t.calinski_harabasz, "
            "t.mean_squared_distance, t.noise_share from segql.models as t"
        ),
    ]
    statements += [
        f"create or replace macro segql.{name}(model, version := null) as table "
        + _of_version(f"select t.* exclude (model_name, model_version) from segql.{name} as t")
        for name in LONG_TABLES
    ]
    return statements


def _of_version(select: str) -> str:
    return (
        f"""select * from query('{select} join segql."' || {_MODEL} || '_version"(' || """
        f"{_VERSION} || ') as v "
        "on t.model_name = v.model_name and t.model_version = v.model_version')"
    )


def model_macros(model: Model, scalars: dict[str, str]) -> list[str]:
    """Macros of one model: its scalar functions, and its table function under two names.

    ``scalars`` are its :func:`scalar_expressions`.
    """
    assert model.name is not None
    statements = [
        _version_macro(model.name),
        *(_scalar(model, suffix, expression) for suffix, expression in scalars.items()),
    ]
    query = predict_select(model)
    for suffix in ("_predict", f"_predict_v{model.version}"):
        name = exp.to_identifier(model.name + suffix, quoted=True)
        statements.append(
            f"create or replace macro segql.{sql.text(name)}(relation) as table {query}"
        )
    return statements


def _version_macro(name: str) -> str:
    macro = exp.to_identifier(f"{name}_version", quoted=True)
    literal = sql.text(sql.string(name))
    return (
        f"create or replace macro segql.{sql.text(macro)}(version) as table "
        "select m.model_name, m.model_version from segql.models as m "
        f"where m.model_name = {literal} "
        "and case when version is null then m.is_current else m.model_version = version end"
    )


def predict_select(model: Model, source: exp.Expr | None = None) -> str:
    """All columns of a relation, and the prediction columns.

    Input columns of a prediction's name are replaced; scratch columns stay inside.

    Parameters
    ----------
    model : Model
    source : sqlglot expression, optional
        What to read; by default the relation that the macro is given by name.
    """
    if source is None:
        source = exp.Anonymous(this="query_table", expressions=[exp.column("relation")])
    query = model.predict_query(sql.relation(source, SOURCE), [])
    hidden = ", ".join(sql.text(sql.string(name)) for name in PREDICTION_COLUMNS)
    columns = (
        f"columns(lambda c: not starts_with(c, '{sql.SCRATCH}') and lower(c) not in ({hidden}))"
    )
    text = sql.text(query)
    assert text.startswith("SELECT ")
    return f"SELECT {columns}, {text.removeprefix('SELECT ')}"


def score_select(model: Model) -> str:
    """The same query over ``segql_input``: what dbt inlines."""
    return predict_select(model, exp.to_table(INPUT))


def scalar_expressions(model: Model) -> dict[str, str]:
    """segment_id and segment_key as one expression each over the bare, quoted feature columns."""
    return {suffix: sql.text(item) for suffix, item in model.scalar_expressions().items()}


def _scalar(model: Model, suffix: str, expression: str) -> str:
    name = exp.to_identifier(f"{model.name}_{suffix}", quoted=True)
    parameters = ", ".join(
        f"{sql.text(exp.to_identifier(feature.name, quoted=True))} {_parameter_type(feature)} "
        ":= null"
        for feature in model.recipe.features
    )
    return f"create or replace macro segql.{sql.text(name)}({parameters}) as ({expression})"


def _parameter_type(feature: object) -> str:
    if isinstance(feature, NumberFeature) and feature.encoding is None:
        return "boolean" if feature.kind == "boolean" else "double"
    return "varchar"
