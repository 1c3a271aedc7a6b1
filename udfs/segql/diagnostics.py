"""How good a clustering of weighted points is: the figures of every k that is tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from segql.clusterers.kmeans import (
    Labels,
    Matrix,
    Points,
    Problem,
    nearest,
    refine_kmeans,
)
from segql.threads import one_thread

#: Bootstraps of the stability, the k-means++ starts of each, and the points it is drawn from.
BOOTSTRAPS = 20
BOOTSTRAP_STARTS = 2
BOOTSTRAP_POINTS = 2000
#: Points on which the jackknife sees the silhouettes move with the means.
MOVED_POINTS = 2000
#: Half the width of a 95 % interval in standard errors.
NORMAL = 1.96
#: Groups of the jackknife, and the same width by Student's t with a degree of freedom less.
GROUPS, STUDENT = 20, 2.093
#: Rows of the Euclidean silhouette, which compares all pairs of them.
EUCLIDEAN_ROWS = 2000


@dataclass(frozen=True)
class Quality:
    """Internal measures of one clustering of weighted points.

    ``silhouette`` is on squared Euclidean distance; the columns ``…_low`` and ``…_high``
    bound a 95 % interval for the population that the weights stand for.
    """

    inertia: float
    inertia_low: float
    inertia_high: float
    silhouette: float
    silhouette_low: float
    silhouette_high: float
    davies_bouldin: float
    davies_bouldin_low: float
    davies_bouldin_high: float
    calinski_harabasz: float
    calinski_harabasz_low: float
    calinski_harabasz_high: float
    smallest_share: float


def quality(points: Points, labels: Labels) -> Quality:
    """Measure a clustering; labels are 0-based, one a distinct point.

    Notes
    -----
    With squared Euclidean distance the mean distance of x to a cluster is ‖x − mean‖² plus the
    cluster's mean squared deviation, so the silhouette needs no pairs of points. A weight counts
    as that many customers, x itself left out of its own cluster.
    """
    x, w = points.values, points.weights
    k = int(labels.max()) + 1
    mass: Matrix = np.bincount(labels, weights=w, minlength=k).astype(np.float64)
    means = (
        np.stack(
            [np.bincount(labels, weights=w * x[:, j], minlength=k) for j in range(x.shape[1])],
            axis=1,
        )
        / np.maximum(mass, 1e-300)[:, None]
    )
    own_squared = ((x - means[labels]) ** 2).sum(axis=1)
    within = np.bincount(labels, weights=w * own_squared, minlength=k)
    deviation = within / np.maximum(mass, 1e-300)
    scores = _silhouettes(x, labels, means, deviation, mass)
    total = w.sum()
    mean_score = float(w @ scores / total)
    # A table that is its own coreset has nothing to estimate.
    estimated = not np.all(w == np.round(w))
    center = w @ x / total
    between = float(mass @ ((means - center) ** 2).sum(axis=1))
    rest = max(total - k, 1e-300)
    inertia = float(within.sum())
    separation = davies_bouldin(
        means,
        np.bincount(labels, weights=w * np.sqrt(own_squared), minlength=k)
        / np.maximum(mass, 1e-300),
    )
    calinski = (between / max(k - 1, 1)) / (inertia / rest) if inertia > 0 and k > 1 else 1.0
    errors = np.zeros(4)
    if estimated:
        errors = _jackknife(x, w, labels, means, own_squared, scores)
    margins = STUDENT * errors
    margin = float(margins[3])
    return Quality(
        inertia=inertia,
        inertia_low=max(inertia - float(margins[0]), 0.0),
        inertia_high=inertia + float(margins[0]),
        silhouette=mean_score,
        silhouette_low=max(mean_score - margin, -1.0),
        silhouette_high=min(mean_score + margin, 1.0),
        davies_bouldin=separation,
        davies_bouldin_low=max(separation - float(margins[1]), 0.0),
        davies_bouldin_high=separation + float(margins[1]),
        calinski_harabasz=calinski,
        calinski_harabasz_low=max(calinski - float(margins[2]), 0.0),
        calinski_harabasz_high=calinski + float(margins[2]),
        smallest_share=float(mass.min() / total),
    )


def _jackknife(
    x: Matrix, w: Matrix, labels: Labels, means: Matrix, own_squared: Matrix, scores: Matrix
) -> NDArray[np.float64]:
    """Standard errors of inertia, Davies-Bouldin, Calinski-Harabasz and silhouette.

    Delete-a-group jackknife (Shao & Tu 1995): the points fall into random groups, and each figure
    is computed anew without one group at a time, from sums that one pass has made. What a group
    does to the silhouettes of others, by moving the means, is seen on a few points. A group that
    takes a whole cluster with it says nothing; with fewer than two others left, nothing is known
    and the errors are infinite.
    """
    k, d = means.shape
    # Sizes are left to chance, as the size of the coreset is.
    group = np.random.default_rng(GROUPS).integers(0, GROUPS, len(x))
    code = labels * GROUPS + group

    def summed(values: Matrix) -> Matrix:
        sums = np.bincount(code, weights=values, minlength=k * GROUPS).reshape(k, GROUPS)
        return np.asarray((sums.sum(axis=1, keepdims=True) - sums) * (GROUPS / (GROUPS - 1)))

    mass = summed(w)
    coordinates = np.stack([summed(w * x[:, j]) for j in range(d)], axis=2)
    squares, distances = summed(w * own_squared), summed(w * np.sqrt(own_squared))
    score_sums = summed(w * scores).sum(axis=0)
    few = np.random.default_rng(GROUPS).permutation(len(x))[:MOVED_POINTS]

    def seen(moved: Matrix, deviation: Matrix, size: Matrix) -> float:
        """Mean silhouette of the few under other means."""
        found = _silhouettes(x[few], labels[few], moved, deviation, size)
        return float(w[few] @ found / w[few].sum())

    usable = np.flatnonzero((mass > 0).all(axis=0))
    if len(usable) < 2:
        return np.full(4, np.inf)
    # Sums without a group are scaled up to all: added over the groups they are all of it.
    size = mass.mean(axis=1)
    unmoved = seen(means, squares.mean(axis=1) / size, size)
    figures = np.empty((len(usable), 4))
    for row, left_out in enumerate(usable):
        size = mass[:, left_out]
        moved = coordinates[:, left_out] / size[:, None]
        inside = squares[:, left_out] - size * ((moved - means) ** 2).sum(axis=1)
        within = inside.sum()
        center = size @ moved / size.sum()
        between = size @ ((moved - center) ** 2).sum(axis=1)
        ratio = (size.sum() - k) / max(k - 1, 1)
        figures[row] = (
            within,
            davies_bouldin(moved, distances[:, left_out] / size),
            between / within * ratio if within > 0 and k > 1 else 1.0,
            score_sums[left_out] / size.sum() + seen(moved, inside / size, size) - unmoved,
        )
    spread = ((figures - figures.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(np.sqrt((len(usable) - 1) / len(usable) * spread))


def _silhouettes(
    x: Matrix, labels: Labels, means: Matrix, deviation: Matrix, mass: Matrix
) -> Matrix:
    k = len(means)
    if k == 1:
        return np.zeros(len(x))
    distances = (x**2).sum(axis=1)[:, None] - 2.0 * x @ means.T + (means**2).sum(axis=1) + deviation
    rows = np.arange(len(x))
    others = np.maximum(mass - 1.0, 1e-300)
    own = distances[rows, labels] * (mass / others)[labels]
    distances[rows, labels] = np.inf
    other = distances.min(axis=1)
    scores = (other - own) / np.maximum(np.maximum(own, other), 1e-300)
    scores[mass[labels] <= 1.0] = 0.0
    return np.asarray(scores)


def davies_bouldin(means: Matrix, scatter: Matrix) -> float:
    """Davies & Bouldin (1979), mean scatter as in scikit-learn; 0 for one cluster.

    Parameters
    ----------
    means : ndarray of shape (k, d)
    scatter : ndarray of shape (k,)
        Mean Euclidean distance of the members to their mean.
    """
    k = len(means)
    if k < 2:
        return 0.0
    gaps = np.sqrt(((means[:, None, :] - means[None, :, :]) ** 2).sum(axis=2))
    np.fill_diagonal(gaps, np.inf)
    gaps[gaps == 0] = np.inf
    ratios = (scatter[:, None] + scatter[None, :]) / gaps
    return float(ratios.max(axis=1).mean())


def stability(points: Points, centroids: Matrix, seed: int) -> NDArray[np.float64]:
    """Mean bootstrap Jaccard of each cluster (Hennig 2007, ``clusterboot``).

    Each bootstrap is clustered anew from its own k-means++ start; a cluster is as stable as its
    best match among the new ones, on the points that were drawn.
    """
    with one_thread():
        return _stability(points, centroids, np.random.default_rng([seed, len(centroids), 7]), seed)


def bootstrap_rows(points: Points) -> int:
    """Rows that the bootstraps of k-means draw from."""
    return min(BOOTSTRAP_POINTS, max(points.distinct, int(min(points.weights.sum(), 1e9))))


def _stability(
    points: Points, centroids: Matrix, rng: np.random.Generator, seed: int
) -> NDArray[np.float64]:
    k = len(centroids)
    share = points.weights / points.weights.sum()
    size = bootstrap_rows(points)
    if points.distinct <= size and np.all(points.weights == 1):
        sample = points.values
    else:
        sample = points.values[np.sort(rng.choice(points.distinct, size, p=share))]
    original = nearest(sample, centroids - points.center)
    scores = np.zeros(k)
    for draw in range(BOOTSTRAPS):
        counts = np.bincount(rng.integers(0, len(sample), len(sample)), minlength=len(sample))
        drawn = np.flatnonzero(counts)
        boot = Points(sample[drawn], counts[drawn].astype(np.float64))
        if boot.distinct < k:
            return np.zeros(k)
        moved = refine_kmeans(boot, k, seed + 31 * draw, BOOTSTRAP_STARTS)
        refitted = nearest(sample[drawn], moved)
        both = np.bincount(original[drawn] * k + refitted, minlength=k * k).reshape(k, k)
        either = both.sum(axis=1)[:, None] + both.sum(axis=0)[None, :] - both
        scores += (both / np.maximum(either, 1)).max(axis=1)
    return scores / BOOTSTRAPS


def adjusted_rand(joint: Matrix) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985) of two labellings, from their contingency table.

    Parameters
    ----------
    joint : ndarray of shape (labels of the first, labels of the second)
        How many rows, or how much weight, each pair of labels has.
    """
    total = float(joint.sum())

    def pairs(mass: Matrix) -> float:
        return float((mass * (mass - 1.0)).sum()) / 2.0

    together, rows, columns = pairs(joint), pairs(joint.sum(axis=1)), pairs(joint.sum(axis=0))
    expected = rows * columns / max(total * (total - 1.0) / 2.0, 1e-300)
    highest = (rows + columns) / 2.0
    return 1.0 if highest == expected else (together - expected) / (highest - expected)


def euclidean_silhouette(points: Problem, centroids: Matrix, seed: int) -> dict[str, float]:
    """Euclidean silhouette (Rousseeuw 1987) on a sample, with its size and standard error.

    It compares pairs of points and has no closed form; the figure says on how many rows it was
    computed, and its error is 0 when those are all of them.
    """
    exact = points.n <= EUCLIDEAN_ROWS and bool(np.all(points.w == 1))
    rows = points.x
    if not exact:
        rng = np.random.default_rng([seed, 13])
        size = min(points.n, EUCLIDEAN_ROWS)
        rows = rows[np.sort(rng.choice(points.n, size, p=points.w / points.w.sum()))]
    labels = nearest(rows, centroids)
    present, labels = np.unique(labels, return_inverse=True)
    if len(present) < 2 or len(present) == len(rows):
        return {}
    distances = cdist(rows, rows)
    sums = np.stack([distances[:, labels == index].sum(axis=1) for index in range(len(present))])
    sizes = np.bincount(labels)
    everyone = np.arange(len(rows))
    own = sums[labels, everyone] / np.maximum(sizes[labels] - 1, 1)
    means = sums / sizes[:, None]
    means[labels, everyone] = np.inf
    other = means.min(axis=0)
    scores = (other - own) / np.maximum(np.maximum(own, other), 1e-300)
    scores[sizes[labels] == 1] = 0.0
    return {
        "silhouette_euclidean": float(scores.mean()),
        "silhouette_euclidean_error": 0.0 if exact else float(scores.std() / np.sqrt(len(rows))),
        "silhouette_euclidean_rows": len(rows),
    }
