"""Fit, predict, evaluate, load: a model's life, the same from every door."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
from sqlglot import exp

from segql import coreset, keys, recipe, sql
from segql.clusterers.polish import Polished, polish
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, UnknownModelError, unknown
from segql.features import SOURCE
from segql.functions.session import check_components, register_functions
from segql.metrics import ExactFigures, exact_figures, observed_bounds
from segql.model import Iteration, Model, Segment
from segql.recipe import Recipe
from segql.registry import Registry, contingency
from segql.selection import Trial, parse_k
from segql.space import Matrix, Projection, Space, fit_projection
from segql.statistics import Statistics

if TYPE_CHECKING:
    import pandas as pd

ALGORITHMS = ("kmeans",)


@dataclass(frozen=True)
class Request:
    """The arguments of a fit, checked."""

    relation: str
    id: str
    name: str | None
    features: Any
    algorithm: str
    k: Any
    pca: Any
    seed: int

    def options(self) -> dict[str, Any]:
        """What is stored about how the model was asked for."""
        return {
            "id": self.id,
            "features": self.features,
            "algorithm": self.algorithm,
            "k": self.k,
            "pca": self.pca,
            "seed": self.seed,
        }


def fit(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    *,
    id: str,
    name: str | None = None,
    features: Any = "auto",
    algorithm: str = "kmeans",
    k: Any = "auto",
    pca: int | float | None = None,
    seed: int = 42,
    publish: bool = True,
    requested_by: str = "call",
) -> Model:
    """Learn a segmentation next to its table and leave it behind as SQL.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Where the relation lives.
    relation : str
        Table or view name, or a SELECT.
    id : str
        Column that identifies a row: unique and never NULL.
    name : str, optional
        Name in the registry; without one nothing is stored.
    features : "auto", list of str, or {column: {option: value}}
        ``"auto"`` decides from the columns' types and says what it decided.
    algorithm : {"kmeans"}
    k : int, (int, int) or "auto"
        Number of segments, or a range to choose from; ``"auto"`` is (2, 10).
    pca : int or float, optional
        Number of principal components, or the share of variance they must reach.
    seed : int
        Same rows and seed, same segments.
    publish : bool
        Make the version current at once. dbt publishes in its own transaction instead.
    requested_by : str
        Who asked, for the registry.

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
    started = time.perf_counter()
    request = _check(relation, id, name, features, algorithm, k, pca, seed)
    engine = DuckDBEngine(con)
    register_functions(con)
    registry = Registry(engine)
    if request.name is not None:
        engine.warn_about_storage()
        registry.prepare()
    with _input(engine, request, registry) as data:
        model = _learn(engine, data, request)
        if request.name is not None:
            _keep_keys(engine, registry, model, data)
        model.info |= {
            "relation": request.relation,
            "requested_by": requested_by,
            "fitted_at": datetime.now(UTC),
            "seed": request.seed,
            "options": json.dumps(request.options(), default=str, ensure_ascii=False),
            "input_hash": data.fingerprint,
            "row_count": data.rows,
            "segql_version": _own_version(),
            "duckdb_version": duckdb.__version__,
            "seconds": time.perf_counter() - started,
        }
        if request.name is not None:
            registry.write(model, publish=publish)
    model.statements = engine.statements
    if features == "auto":
        print(explain_decisions(model))
    return model


def predict(
    con: duckdb.DuckDBPyConnection, name: str, relation: str, *, version: int | None = None
) -> duckdb.DuckDBPyRelation:
    """Score a relation: all of its columns and the prediction columns.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    name : str
        A model of the registry.
    relation : str
        Table or view name, or a SELECT, with the model's feature columns.
    version : int, optional
        An older version; the current one by default.
    """
    engine = DuckDBEngine(con)
    model = Registry(engine).load(name, version)
    table = engine.relation(relation)
    columns = engine.columns(table)
    _require_features(model, columns, relation)
    carried = [
        sql.column(column)
        for column in columns
        if column.lower() not in recipe.PREDICTION_COLUMNS
        and not column.lower().startswith(sql.SCRATCH)
    ]
    return con.sql(sql.text(model.predict_query(_aliased(table), carried)))


def evaluate(
    con: duckdb.DuckDBPyConnection,
    name: str,
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
    engine = DuckDBEngine(con)
    model = Registry(engine).load(name, version)
    if relation is None:
        return model.metrics
    table = engine.relation(relation)
    _require_features(model, engine.columns(table), relation)
    source = _aliased(table)
    bounds = np.maximum(observed_bounds(engine, source, model.space), 1e-300)
    return exact_figures(engine, source, model.assignment, bounds).metrics


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
    frame: pd.DataFrame = con.execute(
        f"select {columns} from segql.models where is_published "
        "order by model_name, model_version desc"
    ).df()
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


def _check(
    relation: str, id: str, name: str | None, features: Any, algorithm: str, k: Any, pca: Any,
    seed: Any,
) -> Request:  # fmt: skip
    if algorithm not in ALGORITHMS:
        raise SegqlError(unknown("algorithm", algorithm, ALGORITHMS))
    if not isinstance(id, str) or not id:
        raise SegqlError(f"id got {id!r}; accepted: the name of the id column")
    if name is not None and (not isinstance(name, str) or not name.strip() or len(name) > 100):
        raise SegqlError(f"name got {name!r}; accepted: 1 to 100 characters, or None")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise SegqlError(f"seed got {seed!r}; accepted: a whole number from 0 to 2147483647")
    parse_k(k)
    return Request(relation, id, name, features, algorithm, k, pca, seed)


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


# -- the input -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Input:
    """The rows of a fit: a table that may be read many times."""

    table: exp.Table
    id: str
    columns: dict[str, str]
    plans: list[recipe.Plan]
    decisions: list[recipe.Decision]
    rows: int
    fingerprint: str
    previous: Model | None

    @property
    def source(self) -> exp.Expression:
        """FROM item under the alias that feature columns are qualified with."""
        return _aliased(self.table)


def _aliased(table: exp.Table) -> exp.Expression:
    return sql.relation(table, SOURCE)


@contextmanager
def _input(engine: DuckDBEngine, request: Request, registry: Registry) -> Iterator[Input]:
    """Resolve the relation, check it, and copy what is not a stored table."""
    table = engine.relation(request.relation)
    columns = engine.columns(table)
    id_column = recipe.match_column(request.id, columns, "id")
    reserved = [name for name in columns if name.lower().startswith(sql.SCRATCH)]
    if reserved:
        raise SegqlError(f"column {reserved[0]!r}: names that start with {sql.SCRATCH} are taken")
    plans, decisions = recipe.plan(columns, request.features, id_column)
    previous = _previous(registry, request.name, columns)
    needed = dict.fromkeys([id_column, *(item.name for item in plans)])
    if previous is not None:
        lowered = {name.lower(): name for name in columns}
        needed |= dict.fromkeys(lowered[name.lower()] for name in previous.recipe.names)
    stored = engine.is_base_table(table)
    if not stored:
        table = engine.snapshot(table, list(needed))
    try:
        rows, fingerprint = _check_ids(engine, table, id_column, [item.name for item in plans])
        yield Input(
            table, id_column, columns, plans, decisions, rows, fingerprint, previous
        )
    finally:
        if not stored:
            engine.drop(table)


def _previous(registry: Registry, name: str | None, columns: dict[str, str]) -> Model | None:
    """The current version, when the relation still has all of its features."""
    if name is None:
        return None
    try:
        model = registry.load(name)
    except UnknownModelError:
        return None
    lowered = {column.lower() for column in columns}
    return model if {item.lower() for item in model.recipe.names} <= lowered else None


def _check_ids(
    engine: DuckDBEngine, table: exp.Table, id_column: str, features: list[str]
) -> tuple[int, str]:
    """Refuse missing and repeated ids; fingerprint the rows in any order, in the same pass."""
    name = sql.text(sql.column(id_column))
    listed = ", ".join(sql.text(sql.column(item)) for item in [id_column, *features])
    target = sql.text(table)
    rows, present, distinct, fingerprint = engine.rows(
        f"select count(*), count({name}), count(distinct {name}), "
        f"sum(hash({listed})::hugeint) from {target}"
    )[0]
    if rows < 2:
        raise SegqlError(f"the relation has {rows} rows; accepted: at least 2")
    if present < rows:
        raise SegqlError(f"id column {id_column!r} is NULL in {rows - present} of {rows} rows")
    if distinct < present:
        repeated = engine.rows(
            f"select {name}, count(*) as n from {target} group by all having n > 1 "
            "order by n desc, 1 limit 1"
        )[0]
        raise SegqlError(
            f"id column {id_column!r} is not unique: {repeated[0]!r} occurs {repeated[1]} times "
            f"({present - distinct} rows too many)"
        )
    return int(rows), f"{int(fingerprint) & (2**128 - 1):032x}"


# -- learning --------------------------------------------------------------------------------


def _learn(engine: DuckDBEngine, data: Input, request: Request) -> Model:
    statistics = Statistics(engine, data.source)
    learned = recipe.learn(
        statistics, data.plans, data.decisions, auto=request.features == "auto"
    )
    projection = _project(statistics, learned, request.pca, data.rows)
    space = Space(learned.dimensions(), projection)
    if not float(space.variance.sum()) > 0:
        raise SegqlError("all rows are equal on the features: there is nothing to segment")
    sample = coreset.draw(
        engine, data.source, space, learned,
        id_column=data.id, rows=data.rows, seed=request.seed,
    )  # fmt: skip
    try:
        if sample.rows == 0:
            raise SegqlError(
                "no row can be scored: each misses a feature whose impute option is none"
            )
        learned.complete(coreset.stand_ins(engine, sample, learned))
        result = _cluster(engine, sample.table, request)
    finally:
        engine.drop(sample.table)
    space = Space(learned.dimensions(), projection)
    polished = polish(engine, data.source, space, np.array(result["centroids"]))
    figures = exact_figures(
        engine, data.source, polished.assignment, space.bounds, polished.sums
    )
    return Model(
        name=request.name,
        version=0,
        id=data.id,
        recipe=learned,
        projection=projection,
        points=polished.assignment.centroids,
        segments=_segments(figures),
        metrics=figures.metrics,
        trials=[Trial(**trial) for trial in result["trials"]],
        reason=result["reason"],
        iterations=_iterations(result["iterations"], polished),
        algorithm=request.algorithm,
        info={
            "coreset_rows": sample.rows,
            "is_exact": sample.exact,
            "unscorable_count": figures.unscorable,
        },
    )


def _project(
    statistics: Statistics, learned: Recipe, pca: Any, rows: int
) -> Projection | None:
    if pca is None:
        return None
    axes = learned.dimensions()
    wanted = check_components(pca, len(axes))
    covariance = statistics.covariance(
        [axis.base for axis in axes],
        [axis.mean for axis in axes],
        [max(axis.bound, 1.0) for axis in axes],
    )
    factors = np.array([axis.factor for axis in axes])
    means = np.array([(axis.mean - axis.origin) * axis.factor + axis.offset for axis in axes])
    return fit_projection(covariance * np.outer(factors, factors), means, rows, wanted)


def _cluster(engine: DuckDBEngine, table: exp.Table, request: Request) -> dict[str, Any]:
    """Call the k-means kernel on the coreset: the same function that SQL users call."""
    low, high = parse_k(request.k)
    wanted = str(low) if low == high else f"[{low}, {high}]"
    statement = (
        f"select segql_kmeans(list(point order by point), {wanted}, "
        f"{{seed: {request.seed}, weights: list(weight order by point)}}) from {sql.text(table)}"
    )
    try:
        result: dict[str, Any] = engine.rows(statement)[0][0]
    except duckdb.Error as error:
        raise _own_error(error) from error
    return result


def _own_error(error: duckdb.Error) -> Exception:
    """Bring back the sentence of an error that crossed SQL."""
    found = re.search(r"SegqlError: (.+?)(?:\n|$)", str(error))
    return SegqlError(found[1]) if found else error


def _segments(figures: ExactFigures) -> list[Segment]:
    total = max(float(figures.sizes.sum()), 1.0)
    return [
        Segment(
            segment_id=index + 1,
            segment_key=key,
            customers=int(figures.sizes[index]),
            share=float(figures.sizes[index]) / total,
            mean_squared_distance=float(figures.mean_squares[index]),
            silhouette=float(figures.silhouettes[index]),
        )
        for index, key in enumerate(keys.first_keys(len(figures.sizes)))
    ]


def _iterations(on_coreset: list[float], polished: Polished) -> list[Iteration]:
    first = [Iteration("coreset", i, loss) for i, loss in enumerate(on_coreset, start=1)]
    second = [
        Iteration("all rows", i, item.inertia, item.seconds * 1000.0, item.sizes, item.radii)
        for i, item in enumerate(polished.passes, start=1)
    ]
    return first + second


def _keep_keys(engine: DuckDBEngine, registry: Registry, model: Model, data: Input) -> None:
    """Match the segments of a refit to those of the current version."""
    used = registry.keys_used(str(model.name))
    if data.previous is None:
        counts: Matrix = np.zeros((0, model.k))
        old: list[str] = []
    else:
        counts = contingency(engine, data.source, data.previous, model)
        old = data.previous.keys
    named = keys.matched_keys(counts, old, used)
    model.segments = [
        Segment(**(vars(segment) | {"segment_key": key}))
        for segment, key in zip(model.segments, named, strict=True)
    ]
