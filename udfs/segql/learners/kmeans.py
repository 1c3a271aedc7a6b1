"""Fit k-means: the kernel on the coreset, passes over all rows, exact figures."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import numpy as np
from sqlglot import exp

from segql import coreset
from segql import sql_text as sql
from segql.assignment import NearestCentroid
from segql.bootstrap import Stability
from segql.clusterers.kmeans import Matrix, Points, Problem
from segql.clusterers.polish import Polished, polish
from segql.diagnostics import BOOTSTRAPS, bootstrap_rows, euclidean_silhouette, stability
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError
from segql.gap import finds_one_segment
from segql.learners.base import Learned, Training
from segql.metrics import ExactFigures, exact_figures
from segql.rules import FoundRules, count, search
from segql.segments import Iteration, SegmentRule
from segql.selection import Trial, parse_k
from segql.training import Request, aliased


def check(options: dict[str, Any]) -> None:
    """Refuse a k that is none."""
    parse_k(options["k"])


def learn(training: Training) -> Learned:
    """Call the kernel, polish its centroids on all rows, and measure."""
    engine, data, space = training.engine, training.data, training.space
    points, request = training.points, training.request
    training.report("clustering")
    result = _cluster(engine.near, training.coreset.table, request)
    training.report("polishing")
    centroids = np.array(result["centroids"])
    anchor = None if training.coreset.exact else points
    if data.rows >= engine.thinned_from:
        thinned = coreset.thin(engine, data.source, training.recipe, data.hashable, request.seed)
        fewer = Problem(points.x, points.w * coreset.THINNED_SHARE)
        try:
            first = polish(engine, aliased(thinned), space, centroids, fewer, data.rows)
        finally:
            engine.drop(thinned)
        centroids = first.assignment.centroids
    polished = polish(engine, data.source, space, centroids, anchor, data.rows)
    training.report("measuring")
    # What is measured on the coreset takes one core, and the engine's answer takes a while.
    with ThreadPoolExecutor(1) as beside:
        trust = beside.submit(_trust, points, polished.assignment.centroids, request.seed)
        rules = search(
            engine.near, training.coreset, training.recipe, polished.assignment, polished.sums.sizes
        )
        told = rules.case() if rules is not None and engine.likes_long_queries else None
        figures = exact_figures(
            engine, data.source, polished.assignment, space.bounds, data.rows, polished.sums, told
        )
        said, jaccards = trust.result()
    return Learned(
        assignment=polished.assignment,
        figures=figures,
        trials=[Trial(**trial) for trial in result["trials"]],
        reason=result["reason"],
        iterations=_iterations(result["iterations"], polished),
        info={"elbow": result["elbow"], **said},
        stability=jaccards,
        rules=_counted(training, polished.assignment, rules, figures),
    )


def _counted(
    training: Training, assignment: NearestCentroid, rules: FoundRules | None, figures: ExactFigures
) -> list[SegmentRule]:
    if rules is None:
        return []
    counts = figures.told
    if counts is None:
        rows = assignment.assigned(training.space.inputs(training.data.source))
        counts = count(training.engine, rows.subquery("assigned"), rules)
    return rules.counted(counts)


def _trust(problem: Problem, centroids: Matrix, seed: int) -> tuple[dict[str, Any], Stability]:
    """Measure on the coreset how far the segments can be trusted."""
    euclidean = euclidean_silhouette(problem, centroids, seed)
    # The trials compare one segment with the k that were asked for, be it a single one.
    prefers_one = finds_one_segment(problem, len(centroids), seed)
    return {"prefers_one": prefers_one, **euclidean}, _stability(problem, centroids, seed)


def _stability(problem: Problem, centroids: Matrix, seed: int) -> Stability:
    """Bootstrap the segments as they are after the passes over all rows, in their own numbers."""
    points = Points(problem.x, problem.w)
    jaccards: list[float | None] = [1.0]
    if len(centroids) > 1:
        jaccards = [float(item) for item in stability(points, centroids, seed)]
    return Stability(jaccards, BOOTSTRAPS, bootstrap_rows(points))


def _cluster(engine: DuckDBEngine, table: exp.Table, request: Request) -> dict[str, Any]:
    """Call the k-means kernel on the coreset: the same function that SQL users call."""
    low, high = parse_k(request.k)
    wanted = str(low) if low == high else f"[{low}, {high}]"
    statement = (
        f"select segql_kmeans(list(point order by point), {wanted}, "
        f"{{seed: {request.seed}, weights: list(weight order by point), thorough: true}}) "
        f"from {sql.text(table)} where point is not null"
    )
    try:
        result: dict[str, Any] = engine.rows(statement)[0][0]
    except duckdb.Error as error:
        raise _own_error(error) from error
    return result


def _own_error(error: duckdb.Error) -> Exception:
    """Bring back the sentence of an error that crossed SQL."""
    found = re.search(r"SegqlError: (?:segql_kmeans: )?(.+?)(?:\n|$)", str(error))
    return SegqlError(found[1]) if found else error


def _iterations(on_coreset: list[float], polished: Polished) -> list[Iteration]:
    first = [Iteration("coreset", i, loss) for i, loss in enumerate(on_coreset, start=1)]
    second = [
        Iteration("all rows", i, item.inertia, item.seconds * 1000.0, item.sizes, item.radii)
        for i, item in enumerate(polished.passes, start=1)
    ]
    return first + second
