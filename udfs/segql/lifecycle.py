"""Fit, predict, evaluate, load: a model's life, the same from every door."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import duckdb
import numpy as np

from segql import recipe
from segql import sql_text as sql
from segql.engines import DuckDBEngine, Engine, engine_of
from segql.errors import SegqlError, unknown, within_memory
from segql.fitting import keep_keys, learn_model
from segql.functions.session import register_functions
from segql.labelled import labelled
from segql.learners import ALGORITHMS
from segql.metrics import exact_figures, observed_bounds
from segql.model import Model
from segql.progress import progress
from segql.registry import Registry
from segql.storing import model_of, registry_of
from segql.training import Request, aliased, training_input
from segql.verdicts import caps_of

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    Connection: TypeAlias = duckdb.DuckDBPyConnection | SparkSession


def fit(
    con: Connection,
    relation: str,
    *,
    id: str,
    name: str | None = None,
    features: Any = "auto",
    algorithm: str = "kmeans",
    k: Any = "auto",
    pca: int | float | None = None,
    eps: Any = "auto",
    min_samples: int | None = None,
    linkage: str = "ward",
    seed: int = 42,
    publish: bool = True,
    requested_by: str = "call",
    registry: duckdb.DuckDBPyConnection | str | None = None,
) -> Model:
    """Learn a segmentation next to its table and leave it behind as SQL.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection or pyspark.sql.SparkSession
        Where the relation lives. On Spark (k-means) the rows stay on the cluster: only
        aggregates and the coreset reach the driver.
    relation : str
        Table or view name, or a SELECT.
    id : str
        Column that identifies a row: unique and never NULL.
    name : str, optional
        Name in the registry; without one nothing is stored.
    features : "auto", list of str, or {column: {option: value}}
        ``"auto"`` decides from the columns' types and says what it decided.
    algorithm : {"kmeans", "hierarchical", "dbscan", "hdbscan"}
    k : int, (int, int), "auto" or {"height": float}
        Number of segments, or a range to choose from; ``"auto"`` is (2, 10). A tree may be cut at
        a height instead. DBSCAN and HDBSCAN find it themselves.
    pca : int or float, optional
        Number of principal components, or the share of variance they must reach.
    eps : float or "auto"
        DBSCAN's largest distance of neighbours, in the model space; ``"auto"`` is the knee of the
        k-distance curve. Another algorithm refuses it.
    min_samples : int, optional
        Neighbours, itself among them, that make a core point (DBSCAN), or the one whose distance
        is the core distance, and the smallest cluster (HDBSCAN). By default the larger of twice
        the number of coordinates and rows^(1/4); HDBSCAN's clusters then hold 1 % of the rows at
        least. Another algorithm refuses it.
    linkage : {"ward", "average", "complete", "single"}
        Of the hierarchical algorithm.
    seed : int
        Same rows and seed, same segments.
    publish : bool
        Make the version current at once. dbt publishes in its own transaction instead.
    requested_by : str
        Who asked, for the registry.
    registry : duckdb.DuckDBPyConnection or str, optional
        The DuckDB database, or its file, that a model learned on Spark is stored in under
        ``name``; it is scored there and, by ``predict(spark, model, …)``, on Spark. A model
        learned in DuckDB is stored where its rows are.

    Returns
    -------
    Model

    Raises
    ------
    SegqlError
        Naming the column or option, the value and what is accepted; nothing is stored then.

    Warns
    -----
    UserWarning
        When the file's storage version shuts out DuckDB 1.x clients.
    """
    request = Request(
        relation, id, name, features, algorithm, k, pca, eps, min_samples, linkage, seed
    )
    with ExitStack() as stack:
        engine = engine_of(con)
        kept = registry_of(engine, name, registry, stack)
        model, _ = fitted(
            engine, request, publish=publish, requested_by=requested_by, registry=kept
        )
        if name is not None:
            kept.warn_about_storage()
    if features == "auto":
        print(explain_decisions(model))
    return model


@within_memory()
def fitted(
    con: Connection | Engine,
    request: Request,
    *,
    publish: bool = True,
    requested_by: str = "call",
    reuse: bool = False,
    registry: DuckDBEngine | None = None,
) -> tuple[Model, bool]:
    """Learn a segmentation; see :func:`fit`.

    Parameters
    ----------
    reuse : bool
        Take the current version when it was learned from the same rows with the same options.
    registry : DuckDBEngine, optional
        Where the model is stored, when that is not where the rows are.

    Returns
    -------
    Model, bool
        The model, and whether it was learned now.
    """
    started = time.perf_counter()
    engine = engine_of(con)
    _check(request, engine)
    own = () if request.method is not None else ALGORITHMS[request.algorithm].options
    options = json.dumps(request.options(own), default=str, ensure_ascii=False)
    register_functions(engine.near.connection)
    models = Registry(registry or engine.near)
    if request.name is not None:
        models.check_writable(request.name)
        models.update()
    with progress(f"segql: {request.name or 'fit'}") as report, ExitStack() as stack:
        report("checking ids")
        data = stack.enter_context(training_input(engine, request, models))
        if reuse and request.name is not None:
            same = models.current_of(request.name, options, data.fingerprint)
            if same is not None:
                return same, False
        model = learn_model(engine, data, request, report, stack)
        if request.name is not None:
            report("storing")
            models.prepare()
            keep_keys(engine, models, model, data)
        model.info |= {
            "relation": request.method.relation if request.method else request.relation,
            "requested_by": requested_by,
            "fitted_at": datetime.now(UTC).replace(tzinfo=None),
            "seed": request.seed,
            "options": options,
            "input_hash": data.fingerprint,
            "row_count": data.rows,
            "as_of_date": data.as_of_date,
            "segql_version": _own_version(),
            "duckdb_version": duckdb.__version__,
            "caps": caps_of(model, data.rows),
            "seconds": time.perf_counter() - started,
        }
        if request.name is not None:
            models.write(model, publish=publish)
        elif model.scorer is not None:
            model.scorer = model.scorer.forgotten()
    return model, True


@overload
def predict(
    con: duckdb.DuckDBPyConnection, name: str | Model, relation: str, *, version: int | None = None
) -> duckdb.DuckDBPyRelation: ...


@overload
def predict(con: SparkSession, name: Model, relation: str) -> DataFrame: ...


def predict(
    con: Connection, name: str | Model, relation: str, *, version: int | None = None
) -> duckdb.DuckDBPyRelation | DataFrame:
    """Score a relation: all of its columns and the prediction columns.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection or pyspark.sql.SparkSession
    name : str or Model
        A model of the registry, or a model itself. Spark has no registry: it takes the model.
    relation : str
        Table or view name, or a SELECT, with the model's feature columns.
    version : int, optional
        An older version; the current one by default.

    Returns
    -------
    duckdb.DuckDBPyRelation or pyspark.sql.DataFrame
    """
    engine = engine_of(con)
    model = model_of(engine, name, version)
    table = engine.relation(relation)
    columns = engine.columns(table)
    _require_features(model, columns, relation)
    carried = [
        sql.column(column)
        for column in columns
        if column.lower() not in recipe.PREDICTION_COLUMNS
        and not column.lower().startswith(sql.SCRATCH)
    ]
    return engine.frame(model.predict_query(aliased(table), carried))


def evaluate(
    con: Connection,
    name: str | Model,
    relation: str | None = None,
    *,
    version: int | None = None,
) -> dict[str, float]:
    """Measure a model on a relation, exactly on all of its rows.

    Returns
    -------
    dict of str to float
        The keys of ``model.metrics``; without a relation, the training figures.
    """
    engine = engine_of(con)
    model = model_of(engine, name, version)
    if relation is None:
        return model.metrics
    table = engine.relation(relation)
    try:
        _require_features(model, engine.columns(table), relation)
        source = aliased(table)
        rows, observed = observed_bounds(engine, source, model.space)
        bounds = np.maximum(observed, 1e-300)
        with labelled(engine, source, model.assignment) as (rows_of, assignment):
            return exact_figures(engine, rows_of, assignment, bounds, rows).metrics
    finally:
        engine.release(table)


def load(con: duckdb.DuckDBPyConnection, name: str, *, version: int | None = None) -> Model:
    """Read a model from the registry; an unknown name lists the known ones."""
    return Registry(DuckDBEngine(con)).load(name, version)


def models(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Every published version of every model, newest first.

    Returns
    -------
    pandas.DataFrame
    """
    engine = DuckDBEngine(con)
    columns = (
        "model_name, model_version, is_current, algorithm, k, n, silhouette, fitted_at, "
        "requested_by, relation, reason"
    )
    if not Registry(engine).exists():
        import pandas as pd

        return pd.DataFrame(columns=[name.strip() for name in columns.split(",")])
    frame: pd.DataFrame = (
        con.sql(
            f"select {columns} from segql.models where is_published "
            "order by model_name, model_version desc"
        )
        .to_arrow_table()
        .to_pandas()
    )
    return frame


def export(model: Model, *, dialect: str = "duckdb", form: str = "query") -> str:
    """Print a model as SQL of another engine; see :meth:`Model.sql`."""
    return model.sql(dialect=dialect, form=form)


def explain_decisions(model: Model) -> str:
    """Say which columns ``features="auto"`` took, and why not the others."""
    lines = [
        f"  {'+' if item.used else '-'} {item.column}: {item.reason}"
        for item in sorted(model.recipe.decisions, key=lambda item: not item.used)
    ]
    return "\n".join([f"segql: features of {model.name or 'the model'}", *lines])


# -- checking --------------------------------------------------------------------------------


def _check(request: Request, engine: Engine) -> None:
    id, name, seed = request.id, request.name, request.seed
    if request.method is None:
        _check_algorithm(request, engine)
    if not isinstance(id, str) or not id:
        raise SegqlError(f"id got {id!r}; accepted: the name of the id column")
    if name is not None and (not isinstance(name, str) or not name.strip() or len(name) > 100):
        raise SegqlError(f"name got {name!r}; accepted: 1 to 100 characters, or None")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise SegqlError(f"seed got {seed!r}; accepted: a whole number from 0 to 2147483647")


def _check_algorithm(request: Request, engine: Engine) -> None:
    # A tuple: what was given need not have a hash.
    if request.algorithm not in tuple(ALGORITHMS):
        raise SegqlError(unknown("algorithm", request.algorithm, ALGORITHMS))
    if request.algorithm not in engine.algorithms:
        raise SegqlError(
            f"algorithm got {request.algorithm!r}, which {engine.dialect} does not fit yet; "
            f"accepted there: {', '.join(engine.algorithms)}"
        )
    chosen = ALGORITHMS[request.algorithm]
    request.check_particular(chosen.options)
    chosen.check(vars(request))


def _require_features(model: Model, columns: dict[str, str], relation: str) -> None:
    lowered = {name.lower() for name in columns}
    missing = [name for name in model.recipe.names if name.lower() not in lowered]
    if missing:
        raise SegqlError(
            f"relation {relation!r} lacks {missing[0]!r}, a feature of model {model.name!r} "
            f"(there are: {', '.join(columns)})"
        )


def _own_version() -> str:
    try:
        return package_version("segql")
    except PackageNotFoundError:
        return "unknown"
