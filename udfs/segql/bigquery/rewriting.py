"""ML functions in a query become sub-queries; what sqlglot leaves of BigQuery becomes DuckDB's."""

from __future__ import annotations

from typing import Any

from sqlglot import exp, parse_one

from segql import sql_text as sql
from segql.bigquery import scoring, tables
from segql.bigquery.dialect import MODEL_FUNCTIONS, ModelFunction
from segql.bigquery.geography import replace_geography
from segql.bigquery.names import model_name, place_tables
from segql.bigquery.options import value_of
from segql.bigquery.preprocessing import over_rows, replace_calls
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, unknown
from segql.model import Model
from segql.registry import Registry

#: Fields of the STRUCT of each function.
SETTINGS: dict[str, tuple[str, ...]] = {
    "PREDICT": ("keep_original_columns", "trial_id", "threshold"),
    "EVALUATE": ("trial_id", "threshold"),
    "CENTROIDS": ("standardize",),
    "DETECT_ANOMALIES": ("contamination",),
}
#: Functions that read rows, and whether they must be given some.
READS = {"PREDICT": True, "EVALUATE": False, "DETECT_ANOMALIES": True, "TRANSFORM": True}


def rewritten(engine: DuckDBEngine, statement: exp.Expr) -> exp.Expr:
    """Rewrite a statement, the innermost functions first."""
    tree: exp.Expr = statement.copy()
    databases = [name for (name,) in engine.rows("select database_name from duckdb_databases()")]
    place_tables(tree, databases)
    _replace_day_of_week(tree)
    _unnest_fields(tree)
    tree = replace_geography(tree)
    tree = replace_calls(tree, over_rows)
    loaded: dict[str, Model] = {}
    for function in reversed(list(tree.find_all(ModelFunction))):
        query = parse_one(_query(engine, function, loaded), dialect="duckdb")
        table = function.parent
        if not isinstance(table, exp.Table) or table.db.upper() != "ML":
            raise SegqlError(f"{function.name} of a model stands in FROM; accepted: FROM ML.…")
        alias = table.args.get("alias")
        subquery = exp.Subquery(this=query, alias=alias or exp.TableAlias(
            this=exp.to_identifier(f"{sql.SCRATCH}{function.name.lower()}")
        ))  # fmt: skip
        for key in ("joins", "pivots", "sample"):
            if table.args.get(key):
                subquery.set(key, table.args[key])
        table.replace(subquery)
    return tree


def _replace_day_of_week(tree: exp.Expr) -> None:
    """BigQuery counts weekdays from Sunday = 1, DuckDB from 0."""
    for node in list(tree.find_all(exp.Extract)):
        if node.name.upper() == "DAYOFWEEK":
            node.replace(
                exp.Paren(this=exp.Add(this=node.copy(), expression=exp.Literal.number(1)))
            )


def _unnest_fields(tree: exp.Expr) -> None:
    """FROM UNNEST(list of structs) without an alias has the fields as columns."""
    for node in list(tree.find_all(exp.Unnest)):
        if node.args.get("alias") or not isinstance(node.parent, exp.From):
            continue
        call = exp.Anonymous(this="unnest", expressions=[
            node.expressions[0].copy(),
            exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=exp.Literal.number(2)),
        ])  # fmt: skip
        name = exp.TableAlias(this=exp.to_identifier(f"{sql.SCRATCH}unnested"))
        node.replace(exp.Subquery(this=exp.select(call), alias=name))


def _query(engine: DuckDBEngine, function: ModelFunction, loaded: dict[str, Model]) -> str:
    name = str(function.this)
    if name not in MODEL_FUNCTIONS:
        known = [f"ML.{item}" for item in MODEL_FUNCTIONS]
        raise SegqlError(f"ML.{name} is not supported; accepted: {', '.join(known)}")
    model = _model(engine, function.args["model"], loaded)
    settings = _settings(function)
    assert model.bigquery is not None
    data = function.args.get("data")
    if data is not None and name not in READS:
        raise SegqlError(f"ML.{name} takes a model and no rows; accepted: ML.{name}(MODEL name)")
    if data is None and READS.get(name):
        raise SegqlError(
            f"ML.{name} needs rows; accepted: ML.{name}(MODEL name, TABLE table) or a query in "
            "parentheses"
        )
    if name in READS and data is not None:
        return _over(model, name, settings, _rows(data))
    if name == "CENTROIDS":
        return tables.centroids(model, bool(settings.get("standardize", False)))
    if name == "EVALUATE":
        return tables.stored_figures(model, settings.get("trial_id"))
    return {
        "PRINCIPAL_COMPONENTS": tables.principal_components,
        "PRINCIPAL_COMPONENT_INFO": tables.principal_component_info,
        "TRAINING_INFO": tables.training_info,
        "TRIAL_INFO": tables.trial_info,
        "FEATURE_INFO": tables.feature_info,
    }[name](model)


def _over(model: Model, name: str, settings: dict[str, Any], data: str) -> str:
    """Functions that read rows."""
    assert model.bigquery is not None
    prepared = [(column, text) for column, text in model.bigquery["prepared"]]
    if name == "TRANSFORM":
        written = model.bigquery["transform"]
        if written is None:
            raise SegqlError(
                f"ML.TRANSFORM: model {model.name!r} has no TRANSFORM clause; accepted: a model "
                "that has one"
            )
        listed = ", ".join(f"{text} as {sql.quoted(column)}" for column, text in written)
        return f"select {listed} from ({data})"
    if name == "PREDICT":
        tried, _ = scoring.trial_of(model, settings.get("trial_id"))
        return scoring.predict(tried, data, prepared, settings.get("keep_original_columns", False))
    if name == "DETECT_ANOMALIES":
        tried, trial = scoring.trial_of(model, None)
        return scoring.anomalies(tried, trial, data, prepared, _contamination(settings))
    if not model.k:
        return tables.explained(model)
    tried, trial = scoring.trial_of(model, settings.get("trial_id"))
    figures = scoring.figures(tried, data, prepared)
    if model.bigquery["is_tuned"]:
        return f"select {trial['trial_id']}::bigint as trial_id, * from ({figures})"
    return figures


def _contamination(settings: dict[str, Any]) -> float:
    given = settings.get("contamination")
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 0.5:
        shown = "nothing" if given is None else repr(given)
        raise SegqlError(
            f"ML.DETECT_ANOMALIES: contamination got {shown}; accepted: STRUCT(share AS "
            "contamination) with a share from 0 to 0.5"
        )
    return float(given)


def _rows(data: exp.Expr) -> str:
    """SQL of the rows that a function is given."""
    if isinstance(data, exp.Subquery) and not data.args.get("alias"):
        data = data.this
    if isinstance(data, exp.Query) and not isinstance(data, exp.Subquery):
        return sql.text(data)
    return sql.text(exp.select("*").from_(data.copy()))


def _settings(function: ModelFunction) -> dict[str, Any]:
    struct, name = function.args.get("settings"), str(function.this)
    if struct is None:
        return {}
    accepted = SETTINGS.get(name, ())
    found: dict[str, Any] = {}
    for item in struct.expressions if isinstance(struct, exp.Struct) else [struct]:
        if not isinstance(item, exp.PropertyEQ | exp.Alias):
            raise SegqlError(
                f"ML.{name} got {item.sql(dialect='bigquery')}; accepted: STRUCT(value AS name)"
            )
        key = (item.this.name if isinstance(item, exp.PropertyEQ) else item.alias).lower()
        value = item.expression if isinstance(item, exp.PropertyEQ) else item.this
        if key not in accepted:
            raise SegqlError(f"ML.{name}: {unknown('setting', key, accepted)}")
        found[key] = value_of(value, f"ML.{name} {key}")
    for key in ("keep_original_columns", "standardize"):
        if key in found and not isinstance(found[key], bool):
            raise SegqlError(f"ML.{name}: {key} got {found[key]!r}; accepted: TRUE or FALSE")
    return found


def _model(engine: DuckDBEngine, table: exp.Expr, loaded: dict[str, Model]) -> Model:
    name = model_name(table)
    if name not in loaded:
        loaded[name] = Registry(engine).load(name)
    if loaded[name].bigquery is None:
        raise SegqlError(
            f"model {name!r} was not made by CREATE MODEL; accepted: segql.predict and the other "
            "functions of segql, or a model of a BigQuery statement"
        )
    return loaded[name]
