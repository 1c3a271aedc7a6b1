"""A map of the segments: means of a few customers each, on the axes along which all differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segql.assignment import Assignment, Scorer
from segql.bootstrap import spread_places
from segql.clusterers.kmeans import Problem
from segql.engines.duckdb import DuckDBEngine
from segql.kept import kept_of
from segql.labelled import told
from segql.space import Matrix, Space, fit_projection

#: Points on a map, at most: enough to see shapes, few enough to draw.
MAP_POINTS = 1500
#: Customers that a point is the mean of, at least. A point of one customer would stay when that one
#: is forgotten, since it bears no id; elsewhere, too, eleven are the fewest that are shown.
FEWEST = 11
#: Axes of a map, at most: what can be drawn.
MAP_AXES = 3


@dataclass(frozen=True)
class SampleMap:
    """Means of neighbouring customers on principal axes of the model space.

    Attributes
    ----------
    points : ndarray of shape (n, MAP_AXES at most)
        Coordinates on the axes.
    customers : ndarray of int, shape (n,)
        Customers of the sample that each point is the mean of, at least ``FEWEST``.
    segments : ndarray of int, shape (n,)
        segment_id of each point, 0 for noise.
    shares : ndarray of shape (axes,)
        Share of the variance of the model space along each axis.
    loadings : ndarray of shape (axes, n_dimensions)
        Of the scaled dimensions.
    dimensions : tuple of str
    """

    points: Matrix
    customers: NDArray[np.intp]
    segments: NDArray[np.intp]
    shares: Matrix
    loadings: Matrix
    dimensions: tuple[str, ...]


def draw_map(
    engine: DuckDBEngine, points: Problem, space: Space, scorer: Scorer, seed: int
) -> SampleMap:
    """Project customers of the coreset, drawn by weight, on its principal axes, and take means.

    Customers of one segment are halved along their widest axis until no half has ``FEWEST``; a
    segment with fewer has no point.

    Parameters
    ----------
    engine : DuckDBEngine
    points : Problem
        The coreset in the model space.
    space : Space
        The model space.
    scorer : Scorer
        Names the segments as they are finally numbered.
    seed : int
    """
    total = float(points.w.sum())
    mean = points.w @ points.x / total
    centred = points.x - mean
    covariance = (centred * (points.w / total)[:, None]).T @ centred
    axes = fit_projection(covariance, mean, int(total), min(MAP_AXES, space.size))
    # A heavy customer is drawn more than once; the mean of eleven has to be one of eleven.
    sample = points.x[np.unique(spread_places(points, MAP_POINTS * FEWEST, seed))]
    onto = axes.components
    drawn = (sample - mean) @ onto.T
    segments = _segments(engine, sample, scorer)
    groups = [
        group
        for segment in np.unique(segments)
        for group in _neighbours(drawn, np.flatnonzero(segments == segment))
    ]
    return SampleMap(
        points=np.array([drawn[group].mean(axis=0) for group in groups]).reshape(-1, len(onto)),
        customers=np.array([len(group) for group in groups], dtype=np.intp),
        segments=np.array([segments[group[0]] for group in groups], dtype=np.intp),
        shares=axes.explained_variance_ratio,
        loadings=onto if space.projection is None else onto @ space.projection.components,
        dimensions=tuple(axis.name for axis in space.dimensions),
    )


def _neighbours(points: Matrix, members: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Groups of at least ``FEWEST`` members that lie together; none of fewer members than that."""
    if len(members) < 2 * FEWEST:
        return [members] if len(members) >= FEWEST else []
    within = points[members]
    widest = int(np.argmax(within.max(axis=0) - within.min(axis=0)))
    ordered = members[np.argsort(within[:, widest], kind="stable")]
    half = len(ordered) // 2
    return [*_neighbours(points, ordered[:half]), *_neighbours(points, ordered[half:])]


def _segments(engine: DuckDBEngine, sample: Matrix, scorer: Scorer) -> NDArray[np.intp]:
    kept = kept_of(scorer)
    if kept is None:
        squares = ((sample[:, None, :] - scorer.centroids[None]) ** 2).sum(axis=2)
        return np.asarray(squares.argmin(axis=1) + 1)

    def assign(own: Space) -> Assignment:
        return kept.assignment(own, np.zeros((len(scorer.centroids), own.size)))

    return told(engine, sample, assign)
