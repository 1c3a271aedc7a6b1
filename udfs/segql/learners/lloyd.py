"""Fit k-means as BigQuery does: Lloyd's iterations over all rows, ended by the relative loss."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import NearestCentroid, Scorer
from segql.clusterers.kmeans import Points, Problem, plus_plus
from segql.directions import NearestDirection
from segql.errors import SegqlError, TooFewRowsError
from segql.features import SOURCE
from segql.learners.base import Training
from segql.metrics import SegmentSums, segment_sums
from segql.segments import Iteration
from segql.space import Matrix, Space
from segql.threads import one_thread


@dataclass(frozen=True)
class Rules:
    """How Lloyd's algorithm starts and ends.

    Attributes
    ----------
    start : str
        ``RANDOM`` (distinct rows), ``KMEANS++``, or ``CUSTOM`` (the rows of ``start_column``).
    is_cosine : bool
        Whether rows go to the centroid of the smallest angle.
    least_progress : float or None
        The relative drop of the loss below which it ends; None goes on to ``most_iterations``,
        or until nothing moves.
    """

    start: str
    start_column: str | None
    is_cosine: bool
    most_iterations: int
    least_progress: float | None

    def assignment(self, space: Space, centroids: Matrix) -> Scorer:
        """Which centroid a row belongs to."""
        if self.is_cosine:
            return NearestDirection.to(space, centroids)
        return NearestCentroid(space, centroids)


@dataclass(frozen=True)
class Run:
    """Where Lloyd's algorithm ended: centroids numbered by size, then by coordinates."""

    assignment: Scorer
    sums: SegmentSums
    iterations: tuple[Iteration, ...]


def run_lloyd(training: Training, rules: Rules, centroids: Matrix) -> Run:
    """Iterate from given centroids.

    An iteration moves each centroid to the mean of its rows and measures the loss, the mean
    squared distance. A centroid without rows stays where it is.
    """
    space = training.space
    sums = _pass(training, rules, centroids)[0]
    losses: list[float] = []
    iterations: list[Iteration] = []
    while True:
        started = time.perf_counter()
        moved = sums.means
        settled = bool((moved == centroids).all())
        centroids = moved
        sums, loss = _pass(training, rules, centroids)
        radii = np.sqrt(sums.squares / np.maximum(sums.sizes, 1.0))
        iterations.append(
            Iteration(
                "all rows", len(iterations), loss, (time.perf_counter() - started) * 1000.0,
                tuple(int(size) for size in sums.sizes), tuple(float(item) for item in radii),
            )
        )  # fmt: skip
        losses.append(loss)
        if settled or len(iterations) == rules.most_iterations or loss == 0:
            break
        if rules.least_progress is not None and len(losses) > 1:
            before = losses[-2]
            if (before - loss) / before < rules.least_progress:
                break
    order = np.lexsort([*centroids.T[::-1], -sums.sizes])
    numbered = [
        Iteration(
            step.phase, step.iteration, step.loss, step.duration_ms,
            tuple(step.sizes[i] for i in order), tuple(step.radii[i] for i in order),
        )
        for step in iterations
    ]  # fmt: skip
    return Run(
        rules.assignment(space, centroids[order]),
        SegmentSums(sums.sizes[order], sums.means[order], sums.squares[order], sums.unscorable),
        tuple(numbered),
    )


def _pass(training: Training, rules: Rules, centroids: Matrix) -> tuple[SegmentSums, float]:
    """Assign all rows; what their segments sum to, and the loss."""
    assignment = rules.assignment(training.space, centroids)
    data = training.data
    sums = segment_sums(training.engine, data.source, assignment, training.space.bounds, data.rows)
    if rules.is_cosine:
        squares = _angular_squares(training, assignment)
        sums = SegmentSums(sums.sizes, sums.means, squares, sums.unscorable)
    return sums, sums.inertia / max(float(sums.sizes.sum()), 1.0)


def _angular_squares(training: Training, assignment: Scorer) -> Matrix:
    """Sum of the squared cosine distances, 1 − cos, of each segment."""
    assert isinstance(assignment, NearestDirection)
    space = assignment.space
    assigned = assignment.assigned(space.inputs(training.data.source), points=True)
    whole = [
        exp.Paren(this=sql.total([sql.scratch(f"p{i}"), sql.number(float(moved))]))
        for i, moved in enumerate(assignment.offsets)
    ]
    length = exp.Sqrt(this=sql.total(exp.Mul(this=z.copy(), expression=z.copy()) for z in whole))
    measured = sql.layer(assigned, sql.alias(length, f"{sql.SCRATCH}length"))
    # The smallest score is −2·ĉ·z.
    cosine = exp.Div(
        this=exp.Paren(this=sql.product(sql.scratch("low"), sql.number(-0.5))),
        expression=sql.scratch("length"),
    )
    angular = sql.not_below_zero(sql.minus(sql.number(1.0), cosine))
    squared = sql.case(
        [(sql.compare(exp.GT, sql.scratch("length"), sql.number(0.0)), angular)], sql.number(1.0)
    )
    rows = training.engine.rows(
        f"select segment, fsum(squared order by squared) from (select {sql.SCRATCH}segment as "
        f"segment, {sql.text(squared)} as squared from ({sql.text(measured)})) group by segment"
    )
    squares = np.zeros(assignment.k)
    for segment, value in rows:
        if segment is not None:
            squares[int(segment) - 1] = float(value)
    return squares


def start_centroids(training: Training, rules: Rules, k: int) -> Matrix:
    """Draw or look up the first centroids."""
    if rules.start_column is not None:
        return _marked(training, rules.start_column, k)
    points = Points(training.points.x, training.points.w)
    if k > points.distinct:
        raise TooFewRowsError(
            f"NUM_CLUSTERS is {k} but there are only {points.distinct} distinct rows; accepted: "
            f"up to {points.distinct}"
        )
    rng = np.random.default_rng([training.request.seed, k])
    if rules.start == "KMEANS++":
        with one_thread():
            found = plus_plus(Problem(points.values, points.weights), k, rng)
    else:
        share = points.weights / points.weights.sum()
        found = points.values[np.sort(rng.choice(points.distinct, k, replace=False, p=share))]
    return np.asarray(found + points.center)


def _marked(training: Training, column: str, k: int) -> Matrix:
    """Points of the rows that are marked as first centroids, in canonical order."""
    space = training.space
    mark = sql.column(column, SOURCE)
    inputs = space.inputs(training.data.source).where(mark)
    names = [f"c{index}" for index in range(space.size)]
    points = sql.layer(
        inputs,
        *(sql.alias(value, name) for name, value in zip(names, space.coordinates(), strict=True)),
    )
    query = exp.select(*(sql.column(name) for name in names)).from_(points.subquery("marked"))
    rows: Sequence[tuple[float, ...]] = sorted(training.engine.rows(query))
    if len(rows) != k:
        raise SegqlError(
            f"KMEANS_INIT_COL {column!r} is TRUE in {len(rows)} rows, but NUM_CLUSTERS is {k}; "
            "accepted: as many TRUE rows as clusters"
        )
    found = np.array(rows, dtype=np.float64)
    if len(np.unique(found, axis=0)) < k:
        raise SegqlError(
            f"KMEANS_INIT_COL {column!r} marks rows that are equal on the features; accepted: "
            "rows that differ"
        )
    return found
