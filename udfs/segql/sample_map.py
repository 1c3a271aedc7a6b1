"""A map of the segments: some rows on the axes along which all rows spread most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segql.assignment import Assignment, Scorer
from segql.bootstrap import spread_sample
from segql.clusterers.kmeans import Problem
from segql.engines.duckdb import DuckDBEngine
from segql.kept import kept_of
from segql.labelled import told
from segql.space import Matrix, Space, fit_projection

#: Rows on a map: enough to see shapes, few enough to draw.
MAP_ROWS = 1500
#: Axes of a map, at most: what can be drawn.
MAP_AXES = 3


@dataclass(frozen=True)
class SampleMap:
    """Rows on principal axes of the model space.

    Attributes
    ----------
    points : ndarray of shape (n, MAP_AXES at most)
        Coordinates on the axes.
    segments : ndarray of int, shape (n,)
        segment_id of each point, 0 for noise.
    shares : ndarray of shape (axes,)
        Share of the variance of the model space along each axis.
    loadings : ndarray of shape (axes, n_dimensions)
        Of the scaled dimensions.
    dimensions : tuple of str
    """

    points: Matrix
    segments: NDArray[np.intp]
    shares: Matrix
    loadings: Matrix
    dimensions: tuple[str, ...]


def draw_map(
    engine: DuckDBEngine, points: Problem, space: Space, scorer: Scorer, seed: int
) -> SampleMap:
    """Project a sample of the coreset, drawn by weight, on the coreset's principal axes.

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
    sample = spread_sample(points, MAP_ROWS, seed)
    onto = axes.components
    return SampleMap(
        points=(sample - mean) @ onto.T,
        segments=_segments(engine, sample, scorer),
        shares=axes.explained_variance_ratio,
        loadings=onto if space.projection is None else onto @ space.projection.components,
        dimensions=tuple(axis.name for axis in space.dimensions),
    )


def _segments(engine: DuckDBEngine, sample: Matrix, scorer: Scorer) -> NDArray[np.intp]:
    kept = kept_of(scorer)
    if kept is None:
        squares = ((sample[:, None, :] - scorer.centroids[None]) ** 2).sum(axis=2)
        return np.asarray(squares.argmin(axis=1) + 1)

    def assign(own: Space) -> Assignment:
        return kept.assignment(own, np.zeros((len(scorer.centroids), own.size)))

    return told(engine, sample, assign)
