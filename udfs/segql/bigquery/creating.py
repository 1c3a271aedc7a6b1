"""CREATE MODEL and DROP MODEL: a statement becomes calls of the lifecycle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from segql import recipe
from segql import sql_text as sql
from segql.bigquery import options as reading
from segql.bigquery.methods import BigQueryMethod
from segql.bigquery.names import model_name
from segql.bigquery.options import Options
from segql.bigquery.transform import Prepared, learn_transform, spread_lists
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, said, unknown
from segql.lifecycle import fitted
from segql.model import Model
from segql.registry import Registry
from segql.training import DEFAULTS, Request
from segql.upkeep import drop

#: The id of the training rows, by their order: the same whatever order they came in.
ROW = "training_row"
#: Categories that a column may have.
MOST_CATEGORIES = 100_000


@dataclass(frozen=True)
class Wanted:
    """A model as it is asked for.

    Attributes
    ----------
    options : dict
        By their names in upper case.
    transform : list of sqlglot expression or None
        The select list of the TRANSFORM clause.
    query : str
        The training rows, in DuckDB's SQL.
    """

    name: str
    options: dict[str, Any]
    transform: list[exp.Expr] | None
    query: str


def wanted(statement: exp.Create, query: str) -> Wanted:
    """Read a CREATE MODEL statement, whose query is already in DuckDB's SQL."""
    properties = statement.args.get("properties")
    given = list(properties.expressions) if properties is not None else []
    clauses = [item for item in given if isinstance(item, exp.TransformModelProperty)]
    return Wanted(
        model_name(statement.this),
        reading.read([item for item in given if item not in clauses]),
        clauses[0].expressions if clauses else None,
        query,
    )


def check_new(engine: DuckDBEngine, statement: exp.Create) -> bool:
    """Tell whether CREATE MODEL has something to do; refuse a model that exists already."""
    name = model_name(statement.this)
    if statement.args.get("replace") or name not in Registry(engine).names():
        return True
    if statement.args.get("exists"):
        return False
    raise SegqlError(
        f"model {name!r} exists already; accepted: CREATE OR REPLACE MODEL, or CREATE MODEL IF NOT "
        "EXISTS"
    )


def create_model(engine: DuckDBEngine, asked: Wanted) -> Model:
    """Learn a model and make it the current version of its name."""
    registry = Registry(engine)
    options = reading.checked(asked.options)
    earlier = _earlier(registry, asked.name, options)
    if earlier is not None:
        assert earlier.bigquery is not None
        # Where the earlier run started says nothing of this one.
        starts = ("KMEANS_INIT_METHOD", "KMEANS_INIT_COL")
        before = earlier.bigquery["options"].items()
        options = options.over({key: value for key, value in before if key not in starts})
        if options.get("NUM_CLUSTERS") not in (None, earlier.k):
            raise SegqlError(
                f"option NUM_CLUSTERS got {options.get('NUM_CLUSTERS')}, but WARM_START goes on "
                f"from {earlier.k} clusters; accepted: {earlier.k}, or leave it out"
            )
    raw = engine.temporary("bigquery_raw")
    try:
        _keep(engine, raw, asked.query)
        return _train(engine, asked, options, raw, earlier)
    finally:
        engine.drop(raw)


def drop_model(engine: DuckDBEngine, statement: exp.Drop) -> None:
    """Carry out DROP MODEL."""
    for table in statement.args.get("tables") or [statement.this]:
        name = model_name(table)
        names = Registry(engine).names()
        if name in names:
            drop(engine.connection, name)
        elif not statement.args.get("exists"):
            raise SegqlError(unknown("model", name, names))


def _keep(engine: DuckDBEngine, table: exp.Table, query: str) -> None:
    try:
        engine.connection.execute(f"create temporary table {sql.text(table)} as {query}")
    except duckdb.Error as error:
        raise SegqlError(f"the query of CREATE MODEL cannot be run: {said(error)}") from error


def _earlier(registry: Registry, name: str, options: Options) -> Model | None:
    """The model that WARM_START goes on from."""
    if options.model_type != "KMEANS" or not options.get("WARM_START"):
        return None
    if name not in registry.names():
        raise SegqlError(
            f"WARM_START needs a model, but {unknown('model', name, registry.names())}"
        )
    model = registry.load(name)
    if model.bigquery is None or model.bigquery["model_type"] != "KMEANS":
        raise SegqlError(
            f"WARM_START goes on from a KMEANS model of a BigQuery statement, and {name!r} is none"
        )
    if model.bigquery["is_tuned"]:
        raise SegqlError(f"WARM_START: NUM_CLUSTERS of model {name!r} was tuned; accepted: a model "
                         "with one NUM_CLUSTERS")  # fmt: skip
    return model


def _train(
    engine: DuckDBEngine,
    asked: Wanted,
    options: Options,
    raw: exp.Table,
    earlier: Model | None,
) -> Model:
    columns = engine.columns(raw)
    written: Prepared = [(column, sql.quoted(column)) for column in columns]
    shown = raw
    tables = []
    try:
        if asked.transform is not None:
            written = learn_transform(engine, raw, asked.transform)
            shown = engine.temporary("bigquery_transformed")
            tables.append(shown)
            listed = ", ".join(f"{text} as {sql.quoted(column)}" for column, text in written)
            _keep(engine, shown, f"select {listed} from {sql.text(raw)}")
        types = engine.columns(shown)
        start = _start_column(options, types)
        prepared, flags = spread_lists(
            engine, shown, {k: v for k, v in types.items() if k != start}, dict(written)
        )
        plain, _ = spread_lists(engine, shown, {k: v for k, v in types.items() if k != start}, {})
        rows = engine.temporary("bigquery")
        tables.append(rows)
        listed = ", ".join(f"{text} as {sql.quoted(column)}" for column, text in plain)
        marked = (
            ""
            if start is None
            else f", coalesce({sql.quoted(start)}, false) as {sql.quoted(start)}"
        )
        row = _free(ROW, [column for column, _ in prepared])
        ordered = ", ".join(
            sql.quoted(column) for column in [*(c for c, _ in plain), *([start] if start else [])]
        )
        _keep(
            engine, rows,
            f"select *, row_number() over (order by {ordered}) as {sql.quoted(row)} from "
            f"(select {listed}{marked} from {sql.text(shown)})",
        )  # fmt: skip
        kinds = {k: v for k, v in engine.columns(rows).items() if k not in (row, start)}
        features = _features(kinds, options, flags)
        is_plain = asked.transform is None and all(text == sql.quoted(c) for c, text in prepared)
        method = BigQueryMethod(
            options,
            {
                "prepared": [] if is_plain else prepared,
                "transform": None if asked.transform is None else written,
                "feature_info": _feature_info(
                    engine, raw, {k: v for k, v in columns.items() if k != start}
                ),
            },
            asked.query,
            earlier,
        )
        if earlier is not None and list(features) != earlier.recipe.names:
            raise SegqlError(
                f"WARM_START: model {asked.name!r} has the features "
                f"{', '.join(earlier.recipe.names)}, "
                f"the query {', '.join(features)}; accepted: the same"
            )
        request = Request(
            relation=sql.text(rows), id=row, name=asked.name,
            **DEFAULTS | _asked(options) | {"features": features, "seed": options.get("SEED")},
            method=method,
        )  # fmt: skip
        try:
            model, _ = fitted(engine.connection, request, requested_by="bigquery")
        except SegqlError as error:
            told = str(error).replace("pca got", "NUM_PRINCIPAL_COMPONENTS got", 1)
            raise type(error)(told.split(", or a share of variance")[0]) from error
        return model
    finally:
        for table in tables:
            engine.drop(table)


def _asked(options: Options) -> dict[str, Any]:
    """What of the options the lifecycle's request says."""
    kind = options.model_type
    if kind == "PCA":
        count = options.get("NUM_PRINCIPAL_COMPONENTS")
        share = options.get("PCA_EXPLAINED_VARIANCE_RATIO")
        return {"algorithm": "pca", "pca": count if share is None else float(share)}
    if kind == "HIERARCHICAL":
        return {"algorithm": "hierarchical", "k": options.get("NUM_CLUSTERS"),
                "linkage": options.get("LINKAGE").lower()}  # fmt: skip
    if kind == "DBSCAN":
        eps = options.get("EPS")
        return {"algorithm": "dbscan", "eps": "auto" if eps is None else float(eps),
                "min_samples": options.get("MIN_SAMPLES")}  # fmt: skip
    return {"algorithm": "kmeans"}


def _start_column(options: Options, types: dict[str, str]) -> str | None:
    if options.model_type != "KMEANS" or options.get("KMEANS_INIT_COL") is None:
        return None
    column = recipe.match_column(options.get("KMEANS_INIT_COL"), types, "KMEANS_INIT_COL")
    if types[column].upper() != "BOOLEAN":
        raise SegqlError(f"KMEANS_INIT_COL {column!r} has type {types[column]}; accepted: BOOL")
    options.given["KMEANS_INIT_COL"] = column
    return column


def _free(name: str, taken: list[str]) -> str:
    lowered = {item.lower() for item in taken}
    while name in lowered:
        name += "_"
    return name


def _features(
    kinds: dict[str, str], options: Options, flags: set[str]
) -> dict[str, dict[str, Any]]:
    """The recipe of each column, by BigQuery's rules."""
    if not kinds:
        raise SegqlError("the query of CREATE MODEL has no column to learn from")
    scale: Any = {"standard": "sample"}
    if options.model_type == "PCA" and not options.get("SCALE_FEATURES"):
        scale = {"standard": "center"}
    if options.model_type != "PCA" and not options.get("STANDARDIZE_FEATURES"):
        scale = "none"
    features: dict[str, dict[str, Any]] = {}
    for name, column_type in kinds.items():
        kind = recipe.kind_of(column_type)
        if kind in ("text", "boolean"):
            features[name] = {"encode": {"onehot": {"top": MOST_CATEGORIES}}, "weight": 1.0}
        elif kind == "number":
            features[name] = {
                "impute": "mean", "transform": "none", "weight": 1.0,
                "scale": "none" if name in flags else scale,
            }  # fmt: skip
        else:
            raise SegqlError(
                f"column {name!r} has type {column_type}; accepted: numbers, texts, BOOL, and "
                "lists of numbers (of a date take a part, or the days to a fixed date)"
            )
    return features


def _feature_info(
    engine: DuckDBEngine, rows: exp.Table, columns: dict[str, str]
) -> list[dict[str, Any]]:
    """What ML.FEATURE_INFO says of each column of the query, before any TRANSFORM."""
    found = []
    for name, column_type in columns.items():
        column, kind = sql.quoted(name), recipe.kind_of(column_type)
        number = "null::double"
        if kind == "number":
            number = f"(case when isfinite({column}::double) then {column}::double end)"
        count = f"count(distinct {column})" if kind in ("text", "boolean") else "null"
        size = f"max(len({column}))" if column_type.endswith("[]") else "null"
        [row] = engine.rows(
            f"select min({number}), max({number}), fsum({number} order by {number}) / "
            f"count({number}), median({number}), stddev_samp({number}), {count}, "
            f"count(*) - count({column}), {size} from {sql.text(rows)}"
        )
        keys = ("min", "max", "mean", "median", "stddev", "category_count", "null_count",
                "dimension")  # fmt: skip
        found.append({"input": name} | dict(zip(keys, row, strict=True)))
    return found
