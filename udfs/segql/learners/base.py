"""What a learner is given and what it gives back, and how its segments are measured."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import Assignment, Scorer
from segql.bootstrap import Refit, Stability, bootstrap_jaccards, spread_sample
from segql.clusterers.k_distance import Curve
from segql.clusterers.kmeans import Labels, Problem
from segql.clusterers.linkage import Tree
from segql.coreset import Coreset
from segql.diagnostics import BOOTSTRAPS, adjusted_rand
from segql.engines.base import Engine
from segql.features import SOURCE
from segql.gap import finds_one_segment
from segql.kept import kept_of
from segql.labelled import LabelledRows, labelled, told
from segql.metrics import ExactFigures, exact_figures, segment_sums
from segql.progress import Report
from segql.recipe import Recipe
from segql.segments import Iteration, SegmentRule
from segql.selection import Trial
from segql.space import Matrix, Space
from segql.training import Input, Request

if TYPE_CHECKING:
    from segql.model import Model


@dataclass(frozen=True)
class Training:
    """The prepared rows of a fit.

    Attributes
    ----------
    coreset, points : Coreset, Problem
        The weighted sample as a temporary table, and fetched in canonical order.
    stack : ExitStack
        Closed when the fit has ended: what must live until the model is stored goes here.
    """

    engine: Engine
    data: Input
    request: Request
    recipe: Recipe
    space: Space
    coreset: Coreset
    points: Problem
    report: Report
    stack: ExitStack


@dataclass(frozen=True)
class Learned:
    """What an algorithm has found.

    Attributes
    ----------
    diagnostics : dict of str to (float, str)
        Figures of this algorithm, each with the sentence that says what it is.
    stabilities : sequence of float, optional
        Of each segment, in segment_id order.
    stability : Stability, optional
        Bootstrap Jaccards.
    rules : list of SegmentRule, optional
        Where the learner has found them on its way; others are learned from the model.
    """

    assignment: Scorer
    figures: ExactFigures
    trials: list[Trial]
    reason: str
    iterations: list[Iteration] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)
    diagnostics: dict[str, tuple[float, str]] = field(default_factory=dict)
    stabilities: list[float | None] | None = None
    tree: Tree | None = None
    curve: Curve | None = None
    stability: Stability | None = None
    rules: list[SegmentRule] | None = None


class Method(Protocol):
    """How a door trains that has rules of its own, e.g. BigQuery's."""

    #: What the registry says of where the rows came from.
    relation: str
    #: Whether principal components are of products about the mean, or of plain products.
    is_centred: bool

    def learn(self, training: Training) -> Learned:
        """Find segments."""

    def complete(self, engine: Engine, data: Input, model: Model) -> None:
        """Add what the door keeps of the model, before it is stored."""


@dataclass(frozen=True)
class Measured:
    """Segments on all rows, numbered by size.

    Attributes
    ----------
    figures : ExactFigures
    centroids : ndarray of shape (k, d)
        Means of the members, in segment_id order.
    numbers : ndarray of int, shape (k + 1,)
        segment_id of each provisional number; 0 stays 0.
    """

    figures: ExactFigures
    centroids: Matrix
    numbers: NDArray[np.intp]


def measure(training: Training, assignment: Assignment) -> Measured:
    """Assign all rows once, number the segments by size, then centroid, and measure them.

    Parameters
    ----------
    training : Training
    assignment : Assignment
        With provisional numbers from 1; its centroids are not looked at.
    """
    engine, rows = training.engine, training.data.rows
    bounds = training.space.bounds
    with labelled(engine, training.data.source, assignment) as (source, counted):
        sums = segment_sums(engine, source, counted, bounds, rows)
        order = np.lexsort([*sums.means.T[::-1], -sums.sizes])
        numbers = np.zeros(len(order) + 1, dtype=np.intp)
        numbers[order + 1] = np.arange(1, len(order) + 1)
        centroids = sums.means[order]
        numbered = LabelledRows(counted.space, centroids, numbers)
        figures = exact_figures(engine, source, numbered, bounds, rows)
    return Measured(figures, centroids, numbers)


def with_trust(training: Training, learned: Learned, refit: Refit, most: int) -> Learned:
    """Add the bootstrap Jaccards, and whether the gap statistic prefers one segment.

    Parameters
    ----------
    training : Training
    learned : Learned
        Its assignment says to which segment, as finally numbered, a drawn row belongs.
    refit : callable
        The algorithm on drawn points.
    most : int
        Rows that are drawn from, at most.
    """
    seed, points = training.request.seed, training.points
    kept, k = kept_of(learned.assignment), len(learned.assignment.centroids)
    sample = spread_sample(points, most, seed)
    assert kept is not None

    def scorer(own: Space) -> Assignment:
        return kept.assignment(own, np.zeros((k, own.size)))

    labels = told(training.engine.near, sample, scorer) - 1
    jaccards = bootstrap_jaccards(sample, labels, k, refit, seed)
    prefers_one = finds_one_segment(points, k, seed)
    return replace(
        learned,
        stability=Stability(jaccards, BOOTSTRAPS, len(sample)),
        info=learned.info | {"prefers_one": prefers_one},
    )


def as_number(value: Any) -> float:
    """Read a number, NumPy's too; NaN for everything else, truth values among it."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("nan")


def agreement(first: NDArray[np.intp], second: NDArray[np.intp], weights: Matrix) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985) of two labellings, each point by its weight."""
    a = np.unique(first, return_inverse=True)[1]
    b = np.unique(second, return_inverse=True)[1]
    width = int(b.max()) + 1
    both = np.bincount(a * width + b, weights=weights, minlength=(int(a.max()) + 1) * width)
    joint: Matrix = both.astype(np.float64).reshape(-1, width)
    return adjusted_rand(joint)


def agreement_in_sql(
    training: Training,
    points: Matrix,
    labels: Labels,
    assign: Callable[[Space], Assignment],
    weights: Matrix | None = None,
) -> dict[str, tuple[float, str]]:
    """How often SQL gives a row the 0-based label that the algorithm itself gave it."""
    weights = np.ones(len(labels)) if weights is None else weights
    found = told(training.engine.near, points, assign) - 1
    return {
        "agreement": (
            float(weights[found == labels].sum() / weights.sum()),
            "Share of the rows whose segment in SQL is that of the algorithm's own clusters.",
        ),
        "agreement_ari": (
            agreement(found, labels, weights),
            "Adjusted Rand index of the segments in SQL and the algorithm's own clusters.",
        ),
        "agreement_rows": (float(len(labels)), "Rows on which these were compared."),
    }


def prepared_points(training: Training, share: float, *, by_id: bool = False) -> Matrix:
    """Fetch the points of all scorable rows, or of a share of them by the hash of their ids."""
    engine, space, data = training.engine, training.space, training.data
    inputs = space.inputs(data.source, sql.alias(sql.column(data.id, SOURCE), f"{sql.SCRATCH}id"))
    if share < 1.0:
        inputs = inputs.where(engine.hash_below(data.hashable, training.request.seed + 2, share))
    names = [f"p{index}" for index in range(space.size)]
    points = sql.layer(
        inputs,
        *(
            sql.alias(value, sql.SCRATCH + name)
            for name, value in zip(names, space.coordinates(), strict=True)
        ),
    )
    whole = exp.Paren(this=sql.total(sql.scratch(name) for name in names))
    query = (
        exp.select(*(sql.alias(sql.scratch(name), name) for name in names))
        .from_(points.subquery("prepared"))
        .where(exp.Not(this=exp.Is(this=whole, expression=exp.Null())))
    )
    if by_id:
        query = query.order_by(sql.scratch("id"))
    fetched = engine.arrays(query)
    return np.column_stack([fetched[name] for name in names]).astype(np.float64, copy=False)
