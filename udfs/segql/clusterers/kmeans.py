"""k-means on weighted points: k-means++ seeding, Lloyd, and breathing out of local optima."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segql.errors import SegqlError

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]

#: k-means++ starts of one search, of which the best is breathed on.
STARTS = 4
#: Searches are repeated while points · searches stay below this, at most MAXIMUM_SEARCHES times.
SEARCH_BUDGET, MAXIMUM_SEARCHES = 40_000, 16
#: Centroids added and removed in the first breathing round.
BREATH = 5
#: A round must improve the inertia by this share to count.
WORTHWHILE = 1e-6
#: While searching, Lloyd stops at this relative gain; the last run goes to the fixed point.
SEARCH_GAIN = 1e-4
MAXIMUM_ITERATIONS = 500


@dataclass(frozen=True)
class Iteration:
    """One Lloyd iteration of the chosen fit."""

    inertia: float


@dataclass(frozen=True)
class KMeansFit:
    """Centroids in canonical order, labels 0-based in the order of the input points."""

    centroids: Matrix
    labels: Labels
    inertia: float
    iterations: tuple[Iteration, ...]


class Points:
    """Weighted points in canonical order, prepared once for many fits.

    Sorting comes before anything random: the same points give the same fit whatever order they
    arrived in. Equal points are merged, their weights added.

    Parameters
    ----------
    points : ndarray of shape (n, d)
    weights : ndarray of shape (n,), optional
        1 for each when not given.
    """

    def __init__(self, points: Matrix, weights: Matrix | None = None) -> None:
        points = np.ascontiguousarray(points, dtype=np.float64)
        if points.ndim != 2 or points.size == 0:
            raise SegqlError("points must be a non-empty list of rows of equal length")
        if not np.isfinite(points).all():
            raise SegqlError("points must be finite numbers: NULL, NaN and infinity are refused")
        weights = np.ones(len(points)) if weights is None else np.asarray(weights, np.float64)
        if (
            weights.shape != (len(points),)
            or not np.isfinite(weights).all()
            or (weights <= 0).any()
        ):
            raise SegqlError("weights must be one number above 0 for each point")
        # Sorted with the weights, so that equal points add theirs in one order.
        order = np.lexsort([weights, *points.T[::-1]])
        ordered = points[order]
        first: NDArray[np.bool_] = np.ones(len(points), dtype=bool)
        first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        group = np.cumsum(first) - 1
        self.values: Matrix = ordered[first]
        self.weights: Matrix = _sums(group, weights[order], int(group[-1]) + 1)
        self.center: Matrix = self.weights @ self.values / self.weights.sum()
        self.values = self.values - self.center
        self._positions = np.empty(len(points), dtype=np.intp)
        self._positions[order] = group

    @property
    def distinct(self) -> int:
        """Number of distinct points."""
        return len(self.values)

    def spread(self, labels: Labels) -> Labels:
        """Take labels of distinct points back to the input's order."""
        return labels[self._positions]


def fit_kmeans(points: Points, k: int, seed: int) -> KMeansFit:
    """Find k centroids of small weighted inertia.

    Parameters
    ----------
    points : Points
        The weighted points.
    k : int
        Number of clusters, at most the number of distinct points.
    seed : int
        Seed of everything random.

    Notes
    -----
    Greedy k-means++ (Arthur & Vassilvitskii 2007), Lloyd's algorithm, and the breathing search of
    Fritzke (2020, arXiv:2006.15666): add centroids where the error is largest, run Lloyd, remove
    those of least utility, run Lloyd, keep what is better.
    """
    if k < 1:
        raise SegqlError(f"k got {k!r}; accepted: a whole number of at least 1")
    if k > points.distinct:
        raise SegqlError(f"k is {k} but there are only {points.distinct} distinct points")
    rng = np.random.default_rng([seed, k])
    x, w = points.values, points.weights
    searches = max(1, min(MAXIMUM_SEARCHES, SEARCH_BUDGET // len(x))) if k > 1 else 1
    found = [_search(x, w, k, rng) for _ in range(searches)]
    best = min(found, key=lambda result: result[1])[0]
    history: list[Iteration] = []
    centroids, inertia = _lloyd(x, w, best, 0.0, history)
    order = np.lexsort(centroids.T[::-1])
    centroids = centroids[order]
    labels, _ = _nearest(x, centroids)
    return KMeansFit(centroids + points.center, points.spread(labels), inertia, tuple(history))


def _search(x: Matrix, w: Matrix, k: int, rng: np.random.Generator) -> tuple[Matrix, float]:
    """Seed a few times, converge, breathe on the best."""
    starts = [
        _lloyd(x, w, _plus_plus(x, w, k, rng), SEARCH_GAIN) for _ in range(STARTS if k > 1 else 1)
    ]
    best = min(starts, key=lambda result: result[1])
    return _breathe(x, w, best[0], rng) if 1 < k < len(x) else best


def refine_kmeans(points: Points, centroids: Matrix) -> tuple[Matrix, Labels, float]:
    """Run Lloyd from given centroids to the fixed point; labels are of the distinct points."""
    moved, inertia = _lloyd(points.values, points.weights, centroids - points.center, SEARCH_GAIN)
    labels, _ = _nearest(points.values, moved)
    return moved + points.center, labels, inertia


def nearest(points: Matrix, centroids: Matrix) -> Labels:
    """0-based index of the nearest centroid of each point."""
    return _nearest(points, centroids)[0]


def seed_kmeans(points: Points, k: int, seed: int) -> Matrix:
    """One k-means++ start, for refits that ask how stable a solution is."""
    rng = np.random.default_rng([seed, k])
    return _plus_plus(points.values, points.weights, k, rng) + points.center


def _nearest(x: Matrix, centroids: Matrix) -> tuple[Labels, Matrix]:
    """Labels and squared distances less ‖x‖²."""
    scores = x @ (-2.0 * centroids.T)
    scores += (centroids**2).sum(axis=1)
    labels = scores.argmin(axis=1)
    return labels, np.take_along_axis(scores, labels[:, None], axis=1)[:, 0]


def _sums(labels: Labels, values: Matrix, k: int) -> Matrix:
    """Sum of the values of each label, added in the order of the points."""
    return np.bincount(labels, weights=values, minlength=k).astype(np.float64)


def _means(x: Matrix, w: Matrix, labels: Labels, k: int) -> tuple[Matrix, Matrix]:
    mass = _sums(labels, w, k)
    sums = np.stack([_sums(labels, w * x[:, j], k) for j in range(x.shape[1])], axis=1)
    return sums / np.maximum(mass, 1e-300)[:, None], mass


def _lloyd(
    x: Matrix, w: Matrix, centroids: Matrix, gain: float, history: list[Iteration] | None = None
) -> tuple[Matrix, float]:
    """Iterate until the relative gain falls below ``gain``; 0 goes on until nothing moves."""
    norms = (x**2).sum(axis=1)
    total = float(w @ norms)
    previous, before = np.inf, None
    for _ in range(MAXIMUM_ITERATIONS):
        labels, scores = _nearest(x, centroids)
        inertia = max(total + float(w @ scores), 0.0)
        if history is not None:
            history.append(Iteration(inertia))
        if before is not None and np.array_equal(labels, before):
            break
        if gain and previous - inertia <= gain * inertia:
            break
        previous, before = inertia, labels
        centroids, mass = _means(x, w, labels, len(centroids))
        empty = np.flatnonzero(mass == 0)
        if len(empty):
            # An empty cluster moves to the point that is served worst.
            worst = np.argsort(-(w * (norms + scores)), kind="stable")[: len(empty)]
            centroids[empty] = x[worst]
            before = None
    return centroids, inertia


def _plus_plus(x: Matrix, w: Matrix, k: int, rng: np.random.Generator) -> Matrix:
    """Greedy k-means++: of a few candidates, drawn by weight · distance², keep the best."""
    candidates = 2 + int(np.log(k)) if k > 1 else 1
    norms = (x**2).sum(axis=1)
    chosen = np.empty((k, x.shape[1]))
    first = int(np.searchsorted(np.cumsum(w), rng.random() * w.sum(), side="right"))
    chosen[0] = x[min(first, len(x) - 1)]
    closest = np.maximum(norms + (chosen[0] ** 2).sum() - 2.0 * x @ chosen[0], 0.0)
    for index in range(1, k):
        cumulated = np.cumsum(w * closest)
        if cumulated[-1] <= 0:
            chosen[index:] = x[rng.choice(len(x), k - index, replace=False)]
            break
        drawn = np.searchsorted(cumulated, rng.random(candidates) * cumulated[-1], side="right")
        drawn = np.minimum(drawn, len(x) - 1)
        distances = norms[:, None] + norms[drawn] - 2.0 * x @ x[drawn].T
        np.maximum(distances, 0.0, out=distances)
        np.minimum(distances, closest[:, None], out=distances)
        best = int(np.argmin(w @ distances))
        chosen[index] = x[drawn[best]]
        closest = distances[:, best]
    return chosen


def _breathe(
    x: Matrix, w: Matrix, centroids: Matrix, rng: np.random.Generator
) -> tuple[Matrix, float]:
    k = len(centroids)
    norms = (x**2).sum(axis=1)
    total = float(w @ norms)

    def inertia_of(current: Matrix) -> float:
        return max(total + float(w @ _nearest(x, current)[1]), 0.0)

    best, lowest = centroids, inertia_of(centroids)
    breath = min(BREATH, k)
    while breath > 0:
        inflated, _ = _lloyd(x, w, _inhale(x, w, norms, best, breath, rng), SEARCH_GAIN)
        deflated, inertia = _lloyd(x, w, _exhale(x, w, inflated, breath), SEARCH_GAIN)
        if inertia < lowest * (1.0 - WORTHWHILE):
            best, lowest = deflated, inertia
        else:
            breath -= 1
    return best, lowest


def _inhale(
    x: Matrix, w: Matrix, norms: Matrix, centroids: Matrix, breath: int, rng: np.random.Generator
) -> Matrix:
    """Add a centroid beside each of those with the largest error."""
    labels, scores = _nearest(x, centroids)
    errors = np.bincount(labels, weights=w * (norms + scores), minlength=len(centroids))
    mass = np.bincount(labels, weights=w, minlength=len(centroids))
    worst = np.argsort(-errors, kind="stable")[:breath]
    radius = np.sqrt(np.maximum(errors[worst], 0.0) / np.maximum(mass[worst], 1e-300))
    step = rng.standard_normal((len(worst), x.shape[1]))
    step /= np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-300)
    return np.vstack([centroids, centroids[worst] + 0.1 * radius[:, None] * step])


def _exhale(x: Matrix, w: Matrix, centroids: Matrix, breath: int) -> Matrix:
    """Remove the centroids of least utility, but not two neighbours at once."""
    scores = x @ (-2.0 * centroids.T) + (centroids**2).sum(axis=1)
    pair = np.argpartition(scores, 1, axis=1)[:, :2]
    values = np.take_along_axis(scores, pair, axis=1)
    nearer = values.argmin(axis=1)
    own = np.take_along_axis(pair, nearer[:, None], axis=1)[:, 0]
    loss = np.abs(values[:, 1] - values[:, 0])
    utility = np.bincount(own, weights=w * loss, minlength=len(centroids))
    gaps = ((centroids[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(gaps, np.inf)
    frozen: set[int] = set()
    removed: list[int] = []
    for index in np.argsort(utility, kind="stable"):
        if len(removed) == breath:
            break
        if int(index) in frozen:
            continue
        removed.append(int(index))
        if len(frozen) + breath < len(centroids):
            frozen.add(int(gaps[index].argmin()))
    for index in np.argsort(utility, kind="stable"):
        if len(removed) == breath:
            break
        if int(index) not in removed:
            removed.append(int(index))
    return np.delete(centroids, removed, axis=0)


def as_points(rows: Any) -> Matrix:
    """Turn rows of numbers into a matrix; ragged or missing input is refused."""
    try:
        return np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SegqlError("points must be rows of equal length, without NULL") from error
