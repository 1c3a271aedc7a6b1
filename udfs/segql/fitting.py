"""One fit, from recipe to measured segments: a handful of SQL statements and one kernel call."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import numpy as np
from sqlglot import exp

from segql import coreset, distribution, keys, sql
from segql.clusterers.kmeans import Problem
from segql.clusterers.polish import Polished, polish
from segql.diagnostics import euclidean_silhouette
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError
from segql.functions.session import check_components
from segql.learning import learn
from segql.metrics import ExactFigures, exact_figures
from segql.model import Iteration, Model, Segment
from segql.progress import Report
from segql.recipe import Recipe
from segql.registry import Registry
from segql.selection import Trial, parse_k
from segql.space import Matrix, Projection, Space, fit_projection
from segql.statistics import Statistics
from segql.training import Input, Request, aliased


def learn_model(engine: DuckDBEngine, data: Input, request: Request, report: Report) -> Model:
    """Learn recipe, projection, coreset, clusters and metrics; keys are those of a first fit."""
    report("learning the recipe")
    statistics = Statistics(
        engine, data.source, lambda share: engine.hash_below(data.hashable, request.seed, share)
    )
    learned = learn(statistics, data.plans, data.decisions, auto=request.features == "auto")
    projection = _project(statistics, learned, request.pca)
    space = Space(learned.dimensions(), projection)
    if not float(space.variance.sum()) > 0:
        raise SegqlError("all rows are equal on the features: there is nothing to segment")
    report("drawing the coreset")
    carried = coreset.awaited(learned)
    if request.name is not None:
        carried |= distribution.observed(learned)
    sample = coreset.draw(
        engine, data.source, space, carried,
        hashable=data.hashable, rows=data.rows, seed=request.seed,
    )  # fmt: skip
    try:
        if sample.rows == 0:
            raise SegqlError(
                "no row can be scored: each misses a feature whose impute option is none"
            )
        learned.complete(coreset.stand_ins(engine, sample, learned))
        report("clustering")
        result = _cluster(engine, sample.table, request)
        points = coreset.fetch(engine, sample, space.size)
        bins = [] if request.name is None else distribution.observe(engine, sample, learned)
    finally:
        engine.drop(sample.table)
    space = Space(learned.dimensions(), projection)
    report("polishing")
    centroids = np.array(result["centroids"])
    anchor = None if sample.exact else points
    if data.rows >= coreset.THINNED_FROM:
        thinned = coreset.thin(engine, data.source, learned, data.hashable, request.seed)
        fewer = Problem(points.x, points.w * coreset.THINNED_SHARE)
        try:
            first = polish(engine, aliased(thinned), space, centroids, fewer, data.rows)
        finally:
            engine.drop(thinned)
        centroids = first.assignment.centroids
    polished = polish(engine, data.source, space, centroids, anchor, data.rows)
    report("measuring")
    euclidean = euclidean_silhouette(points, polished.assignment.centroids, request.seed)
    figures = exact_figures(
        engine, data.source, polished.assignment, space.bounds, data.rows, polished.sums
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
        bins=bins,
        info={
            "coreset_rows": sample.rows,
            "is_exact": sample.exact,
            "unscorable_count": figures.unscorable,
            "elbow": result["elbow"],
            "prefers_one": result["prefers_one"],
            **euclidean,
        },
    )


def _project(statistics: Statistics, learned: Recipe, pca: Any) -> Projection | None:
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
    origins = np.array([axis.origin for axis in axes])
    offsets = np.array([axis.offset for axis in axes])
    means = (covariance.means - origins) * factors + offsets
    scaled = covariance.matrix * np.outer(factors, factors)
    return fit_projection(scaled, means, covariance.count, wanted)


def _cluster(engine: DuckDBEngine, table: exp.Table, request: Request) -> dict[str, Any]:
    """Call the k-means kernel on the coreset: the same function that SQL users call."""
    low, high = parse_k(request.k)
    wanted = str(low) if low == high else f"[{low}, {high}]"
    statement = (
        f"select segql_kmeans(list(point order by point), {wanted}, "
        f"{{seed: {request.seed}, weights: list(weight order by point)}}) from {sql.text(table)} "
        "where point is not null"
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


def keep_keys(engine: DuckDBEngine, registry: Registry, model: Model, data: Input) -> None:
    """Match the segments of a refit to those of the current version."""
    used = registry.keys_used(str(model.name))
    if data.previous is None:
        counts: Matrix = np.zeros((0, model.k))
        old: list[str] = []
    else:
        counts = keys.contingency(engine, data.source, data.previous, model)
        old = data.previous.keys
    named = keys.matched_keys(counts, old, used)
    model.segments = [
        Segment(**(vars(segment) | {"segment_key": key}))
        for segment, key in zip(model.segments, named, strict=True)
    ]
