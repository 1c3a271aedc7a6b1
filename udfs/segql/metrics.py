"""Exact figures of a segmentation on all rows: two aggregate queries, no pair of rows compared."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import FAR, Assignment, NearestCentroid
from segql.diagnostics import davies_bouldin
from segql.engines.base import Engine
from segql.space import Matrix, Space
from segql.sums import GridSums

#: From so many segments on, a text that grows with k² is more than it is worth.
BRANCHED = 64
#: Rows by segment_id (None where it cannot be told) and by what an expression says of them.
ToldCounts = dict[tuple[int | None, int | None], int]

METRICS = (
    "n",
    "inertia",
    "silhouette",
    "davies_bouldin",
    "calinski_harabasz",
    "mean_squared_distance",
    "noise_share",
)


@dataclass(frozen=True)
class SegmentSums:
    """What one pass says about the segments under given centroids.

    Attributes
    ----------
    sizes : ndarray of shape (k,)
        Members of each segment.
    means : ndarray of shape (k, d)
        Mean point of each; the centroid itself where a segment has no member.
    squares : ndarray of shape (k,)
        Sum of squared distances of the members to the centroid.
    unscorable : int
        Rows that cannot be scored.
    noise : int
        Rows that belong to no segment.
    """

    sizes: Matrix
    means: Matrix
    squares: Matrix
    unscorable: int
    noise: int = 0

    @property
    def inertia(self) -> float:
        """Sum of squared distances to the centroids."""
        return float(self.squares.sum())


def segment_sums(
    engine: Engine,
    source: exp.Expr,
    assignment: Assignment,
    bounds: Matrix,
    rows: int,
) -> SegmentSums:
    """Assign every row and sum the points of each segment, exactly, in one query."""
    space, k = assignment.space, assignment.k
    assigned = assignment.assigned(space.inputs(source), points=True)
    squared = sql.not_below_zero(
        exp.Add(this=assignment.squared_norm(), expression=exp.Paren(this=assignment.own_score()))
    )
    reach = float(((bounds + np.abs(assignment.centroids).max(axis=0)) ** 2).sum())
    summed = GridSums(
        [*(f"p{i}" for i in range(space.size)), "squared"], [*bounds.tolist(), reach], rows
    )
    measured = sql.layer(assigned, sql.alias(squared, f"{sql.SCRATCH}squared"))
    query = (
        exp.select(sql.scratch("segment"), exp.Count(this=exp.Star()), *summed.aggregates())
        .from_(sql.layer(measured, *summed.columns()).subquery("summed", copy=False), copy=False)
        .group_by(sql.scratch("segment"))
    )
    sizes, means = np.zeros(k), assignment.centroids.copy()
    squares, unscorable, noise = np.zeros(k), 0, 0
    for segment, count, *sums in engine.rows(query):
        if segment is None:
            unscorable = int(count)
            continue
        if segment == 0:
            noise = int(count)
            continue
        index = int(segment) - 1
        exact = summed.exact(sums)
        sizes[index] = count
        means[index] = [float(value / int(count)) for value in exact[:-1]]
        squares[index] = float(exact[-1])
    return SegmentSums(sizes, means, squares, unscorable, noise)


@dataclass(frozen=True)
class ExactFigures:
    """The metrics of a segmentation, and per segment what they are made of.

    Noise counts in ``n`` and ``noise_share`` and in nothing else. ``told`` counts rows by segment
    and by what an expression says of them, where one was asked about.
    """

    metrics: dict[str, float]
    sizes: Matrix
    silhouettes: Matrix
    mean_squares: Matrix
    unscorable: int
    means: Matrix
    noise: int = 0
    told: ToldCounts | None = None


def exact_figures(
    engine: Engine,
    source: exp.Expr,
    assignment: Assignment,
    bounds: Matrix,
    rows: int,
    sums: SegmentSums | None = None,
    told: exp.Expr | None = None,
) -> ExactFigures:
    """Measure a segmentation on all rows.

    Parameters
    ----------
    engine : Engine
    source : sqlglot expression
        FROM item with the alias ``source``.
    assignment : Assignment
    bounds : ndarray of shape (d,)
        Largest absolute value of each coordinate.
    rows : int
        Rows of the source.
    sums : SegmentSums, optional
        Those of the assignment, where a pass has found them.
    told : sqlglot expression, optional
        A whole number over the bare columns of the source; rows are counted by it in the same pass.

    Notes
    -----
    Squared-Euclidean silhouette in closed form (as in Spark MLlib's ClusteringEvaluator), written
    with ‖x − mean‖² and the segment's mean squared deviation rather than with Σ‖x‖², which loses
    digits; equal to ``silhouette_score(metric="sqeuclidean")``.
    """
    sums = sums or segment_sums(engine, source, assignment, bounds, rows)
    sizes, means = sums.sizes, sums.means
    n = float(sizes.sum())
    gaps = ((means - assignment.centroids) ** 2).sum(axis=1)
    mean_squares = sums.squares / np.maximum(sizes, 1.0)
    deviation = np.maximum(mean_squares - gaps, 0.0)
    silhouettes, scatter, counts = _silhouette_pass(
        engine, source, assignment, means, deviation, sizes, bounds, told
    )
    filled = sizes > 0
    k = int(filled.sum())
    center = sizes @ means / max(n, 1.0)
    between = float(sizes @ ((means - center) ** 2).sum(axis=1))
    within = float(sizes @ deviation)
    calinski = 1.0
    if k > 1 and within > 0 and n > k:
        calinski = (between / (k - 1)) / (within / (n - k))
    metrics = {
        "n": n + sums.noise,
        "inertia": sums.inertia,
        "silhouette": float(sizes @ silhouettes / max(n, 1.0)),
        "davies_bouldin": davies_bouldin(means[filled], scatter[filled]),
        "calinski_harabasz": calinski,
        "mean_squared_distance": sums.inertia / max(n, 1.0),
        "noise_share": sums.noise / max(n + sums.noise, 1.0),
    }
    return ExactFigures(
        metrics, sizes, silhouettes, mean_squares, sums.unscorable, means, sums.noise,
        None if told is None else counts,
    )  # fmt: skip


def _silhouette_pass(
    engine: Engine,
    source: exp.Expr,
    assignment: Assignment,
    means: Matrix,
    deviation: Matrix,
    sizes: Matrix,
    bounds: Matrix,
    told: exp.Expr | None,
) -> tuple[Matrix, Matrix, ToldCounts]:
    """Mean silhouette and mean distance to the own mean, per segment, in one query."""
    k, space = assignment.k, assignment.space
    # An empty segment is nobody's neighbour.
    constants = np.where(sizes > 0, deviation, FAR)
    to_means = NearestCentroid(space, means).scores(constants.tolist())
    layered = sql.layer(
        assignment.assigned(space.inputs(source), points=True),
        *(sql.alias(score, f"{sql.SCRATCH}t{i}") for i, score in enumerate(to_means)),
        sql.alias(assignment.squared_norm(), f"{sql.SCRATCH}norm"),
        sql.alias(sql.integer(0) if told is None else told, f"{sql.SCRATCH}told"),
    )
    segment = sql.scratch("segment")
    is_segment = [sql.compare(exp.EQ, segment.copy(), sql.integer(i + 1)) for i in range(k)]
    own = sql.case([(test.copy(), sql.scratch(f"t{i}")) for i, test in enumerate(is_segment)])
    other = _nearest_other(is_segment)
    correction = sql.case(
        [
            (test.copy(), sql.number(float(sizes[i] / max(sizes[i] - 1.0, 1.0))))
            for i, test in enumerate(is_segment)
        ]
    )
    own_deviation = sql.case(
        [(test.copy(), sql.number(float(deviation[i]))) for i, test in enumerate(is_segment)]
    )
    shifted = sql.layer(
        layered,
        sql.alias(
            sql.not_below_zero(exp.Add(this=own, expression=sql.scratch("norm"))),
            f"{sql.SCRATCH}inside",
        ),
        sql.alias(exp.Add(this=other, expression=sql.scratch("norm")), f"{sql.SCRATCH}outside"),
        sql.alias(correction, f"{sql.SCRATCH}correction"),
        sql.alias(own_deviation, f"{sql.SCRATCH}deviation"),
    )
    cohesion = sql.product(sql.scratch("inside"), sql.scratch("correction"))
    separation = sql.scratch("outside")
    wider = exp.Greatest(this=cohesion.copy(), expressions=[separation.copy()], ignore_nulls=True)
    score = exp.Div(
        this=exp.Paren(this=sql.minus(separation.copy(), cohesion.copy())), expression=wider.copy()
    )
    silhouette = sql.case([(sql.compare(exp.GT, wider, sql.number(0.0)), score)], sql.number(0.0))
    distance = exp.Sqrt(
        this=sql.not_below_zero(sql.minus(sql.scratch("inside"), sql.scratch("deviation")))
    )
    reach = float(np.sqrt(((bounds + np.abs(means).max(axis=0)) ** 2).sum()))
    measured = sql.layer(
        shifted,
        sql.alias(silhouette, f"{sql.SCRATCH}silhouette"),
        sql.alias(distance, f"{sql.SCRATCH}distance"),
    )
    summed = GridSums(["silhouette", "distance"], [1.0, reach], int(sizes.sum()))
    query = (
        exp.select(
            segment.copy(), sql.scratch("told"), exp.Count(this=exp.Star()), *summed.aggregates()
        )
        .from_(sql.layer(measured, *summed.columns()).subquery("summed", copy=False), copy=False)
        .group_by(segment.copy(), sql.scratch("told"))
    )
    counts: ToldCounts = {}
    score_sums, distance_sums = [Fraction(0)] * k, [Fraction(0)] * k
    for label, said, count, *found in engine.rows(query):
        counts[label, said] = int(count)
        # Rows without a segment are a group of their own: a filter would be pushed down through
        # the layers and compute them all twice.
        if not label:
            continue
        score_sum, distance_sum = summed.exact(found)
        score_sums[int(label) - 1] += score_sum
        distance_sums[int(label) - 1] += distance_sum
    silhouettes, scatter = np.zeros(k), np.zeros(k)
    for index in np.flatnonzero(sizes > 0).tolist():
        scatter[index] = float(distance_sums[index] / int(sizes[index]))
        if sizes[index] > 1 and k > 1:
            silhouettes[index] = float(score_sums[index] / int(sizes[index]))
    return silhouettes, scatter, counts


def _nearest_other(is_segment: list[exp.Expr]) -> exp.Expr:
    """Smallest score of the other segments."""
    k = len(is_segment)
    if k > BRANCHED:
        return sql.least(
            [
                sql.case([(test.copy(), sql.number(FAR))], sql.scratch(f"t{i}"))
                for i, test in enumerate(is_segment)
            ]
        )
    # A branch a segment, so that a row compares the other k − 1 and nothing else.
    return sql.case(
        [
            (
                test.copy(),
                sql.least([sql.scratch(f"t{j}") for j in range(k) if j != i] or [sql.number(FAR)]),
            )
            for i, test in enumerate(is_segment)
        ]
    )


def observed_bounds(engine: Engine, source: exp.Expr, space: Space) -> tuple[int, Matrix]:
    """Number of rows, and largest absolute value of each coordinate on them."""
    points = [sql.alias(value, f"{sql.SCRATCH}p{i}") for i, value in enumerate(space.coordinates())]
    layered = sql.layer(space.inputs(source), *points)
    query = exp.select(
        exp.Count(this=exp.Star()),
        *(exp.Max(this=sql.absolute(sql.scratch(f"p{i}"))) for i in range(space.size)),
    ).from_(layered.subquery("prepared"))
    rows, *largest = engine.rows(query)[0]
    return int(rows), np.array([float(value or 0.0) for value in largest])
