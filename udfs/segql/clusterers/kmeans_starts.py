"""k-means of one small list in a fraction of a millisecond, where the clusters are plain."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from segql.clusterers.kmeans import (
    SEARCH_POINTS,
    Iteration,
    KMeansFit,
    Labels,
    Matrix,
    Points,
    Problem,
    fit_kmeans,
)
from segql.threads import one_thread

#: A start is seeded on at most so many points, or so many for each cluster.
SEEDED, SEEDED_EACH = 80, 20
#: A row is plainly in its cluster when the next centroid is so many times as far, squared; clusters
#: are plain when all but this share of the rows are.
APART, DOUBTFUL = 4.0, 0.02


def fit_starts(points: Points, k: int, seed: int) -> KMeansFit:
    """Find k centroids of small weighted inertia, at once where the clusters are plain.

    Parameters
    ----------
    points : Points
    k : int
        Number of clusters, from 1 to the number of distinct points.
    seed : int
        Seed of everything random.

    Notes
    -----
    Clusters that are far apart, and of which the seeds of another start take one each, are the
    best. Elsewhere, and among many points, the breathing search of
    :func:`~segql.clusterers.kmeans.fit_kmeans` looks for them.
    """
    if points.distinct <= 2 * max(SEARCH_POINTS, 100 * k):
        with one_thread():
            fit = _plain(points, k, np.random.default_rng([seed, k]))
        if fit is not None:
            return fit
    return fit_kmeans(points, k, seed, quick=True)


def _plain(points: Points, k: int, rng: np.random.Generator) -> KMeansFit | None:
    """Fit from one start, None when the clusters touch or another start may find others."""
    problem = Problem(points.values, points.weights)
    is_plain = k in (1, problem.n)
    # One mean, or a centroid for each point: there is nothing to look for.
    start, other = (problem.x[:k], None) if is_plain else _two_seedings(problem, k, rng)
    history: list[Iteration] = []
    centroids, inertia = problem.lloyd(start, 0.0, history)
    squared = cdist(centroids, problem.x, "sqeuclidean")
    labels = squared.argmin(axis=0)
    if other is not None:
        taken = cdist(other, centroids, "sqeuclidean").argmin(axis=1)
        if len(set(taken.tolist())) < k or not _far_apart(problem.w, squared, labels):
            return None
    return KMeansFit(centroids + points.center, points.spread(labels), inertia, tuple(history))


def _two_seedings(problem: Problem, k: int, rng: np.random.Generator) -> Matrix:
    """Greedy k-means++, twice at once, on points at equal steps of the canonical order.

    Returns
    -------
    ndarray of shape (2, k, d)
    """
    step = -(-problem.n // max(SEEDED, SEEDED_EACH * k))
    chosen = slice(int(rng.integers(step)), None, step)
    x, w = problem.x[chosen], problem.w[chosen]
    squared, last = cdist(x, x, "sqeuclidean"), len(x) - 1
    uniform = rng.random((k, 2, 2 + int(np.log(k))))
    cumulated, both = w.cumsum(), np.arange(2)
    seeds = np.empty((k, 2), dtype=np.intp)
    seeds[0] = cumulated.searchsorted(uniform[0, :, 0] * cumulated[-1], side="right").clip(0, last)
    closest = squared[seeds[0]]
    for index in range(1, k):
        one, other = (closest * w).cumsum(axis=1)
        drawn = np.array(
            [
                one.searchsorted(uniform[index, 0] * one[-1], side="right"),
                other.searchsorted(uniform[index, 1] * other[-1], side="right"),
            ]
        )
        np.minimum(drawn, last, out=drawn)
        nearer = np.minimum(squared[drawn], closest[:, None])
        best = (nearer @ w).argmin(axis=1)
        closest, seeds[index] = nearer[both, best], drawn[both, best]
    return np.asarray(x[seeds.T])


def _far_apart(weights: Matrix, squared: Matrix, labels: Labels) -> bool:
    """Tell whether nearly every row is much nearer to its centroid than to the next one."""
    rows = np.arange(len(labels))
    own = squared[labels, rows]
    squared[labels, rows] = np.inf
    doubtful = weights @ (own * APART > squared.min(axis=0))
    return bool(doubtful <= DOUBTFUL * weights.sum())
