"""k-means on weighted points: k-means++ seeding, Lloyd, and breathing out of local optima."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segql.errors import SegqlError
from segql.threads import one_thread

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]
#: One row a cluster: who belongs to it.
Members = NDArray[np.bool_]

#: k-means++ starts of one search, of which the best is breathed on.
STARTS = 4
#: Searches are repeated while points · searches stay below this, at most MAXIMUM_SEARCHES times.
SEARCH_BUDGET, MAXIMUM_SEARCHES = 20_000, 16
#: Searches on a sample whose results are compared on all points.
FINALISTS = 3
#: Points that they are compared on, at most about twice as many.
FINAL_POINTS = 20_000
#: More points than this (and than 100 a cluster) are sampled for the search.
SEARCH_POINTS = 5_000
#: Centroids added and removed in the first breathing round; after a sampled search, fewer.
BREATH, SHALLOW_BREATH = 5, 2
#: Swaps in vain, one after the other, that end a search.
PATIENCE = 6
#: Up to so many clusters, sums as a matrix product beat sums by label.
FEW = 24
#: A round must improve the inertia by this share to count.
WORTHWHILE = 1e-6
#: Lloyd stops at this relative gain for a start, while breathing, and on a coreset; the last run
#: on unweighted points goes to the fixed point.
START_GAIN, SEARCH_GAIN, CORESET_GAIN = 1e-3, 1e-4, 1e-6
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
        if weights is None:
            weights = np.ones(len(points))
        else:
            weights = np.asarray(weights, np.float64)
            usable = weights.shape == (len(points),) and np.isfinite(weights).all()
            if not usable or (weights <= 0).any():
                raise SegqlError("weights must be one number above 0 for each point")
        # Sorted with the weights, so that equal points add theirs in one order.
        order, group = canonical_order(points, weights), np.arange(len(points))
        self.values: Matrix = points.take(order, axis=0)
        self.weights: Matrix = weights[order]
        if (self.values[1:, 0] == self.values[:-1, 0]).any():
            first: NDArray[np.bool_] = np.ones(len(points), dtype=bool)
            first[1:] = (self.values[1:] != self.values[:-1]).any(axis=1)
            group = np.cumsum(first) - 1
            self.values = self.values[first]
            self.weights = _sums(group, self.weights, int(group[-1]) + 1)
        self.center: Matrix = self.weights @ self.values / self.weights.sum()
        self.values = self.values - self.center
        self.positions = np.empty(len(points), dtype=np.intp)
        self.positions[order] = group

    @property
    def distinct(self) -> int:
        """Number of distinct points."""
        return len(self.values)

    def spread(self, labels: Labels) -> Labels:
        """Take labels of distinct points back to the input's order."""
        return labels[self.positions]


def canonical_order(points: Matrix, weights: Matrix | None = None) -> Labels:
    """Sort rows by their coordinates, then by their weights: the same whatever order they had."""
    order = np.argsort(points[:, 0])
    first = points[order, 0]
    if not (first[1:] == first[:-1]).any():
        return order
    ties = () if weights is None else (weights,)
    return np.lexsort([*ties, *points.T[::-1]])


class Problem:
    """Weighted points laid out for Lloyd's algorithm: one contiguous row a coordinate."""

    def __init__(self, x: Matrix, w: Matrix) -> None:
        self.x, self.w = x, w
        self.n, self.d = x.shape
        self.columns: Matrix = np.ascontiguousarray(x.T)
        self.weighted: Matrix = self.columns * w
        #: Coordinates over a row of ones: a product gives scores with their constant added …
        self._augmented: Matrix = np.ones((self.d + 1, self.n))
        self._augmented[:-1] = self.columns
        #: … and weighted coordinates beside the weights: a product gives sums and masses.
        self._summed: Matrix = np.empty((self.n, self.d + 1))
        self._summed[:, :-1], self._summed[:, -1] = self.weighted.T, w
        self.norms: Matrix = (self.columns**2).sum(axis=0)
        self.total = float(w @ self.norms)

    def assign(self, centroids: Matrix) -> tuple[Members | Labels, Matrix]:
        """Assign as :meth:`nearest` does, in the form whose means are cheapest."""
        if len(centroids) > FEW:
            return self.nearest(centroids)
        terms = np.empty((len(centroids), self.d + 1))
        np.multiply(centroids, -2.0, out=terms[:, :-1])
        np.sum(centroids**2, axis=1, out=terms[:, -1])
        scores = terms @ self._augmented
        best = scores.min(axis=0)
        members: Members = scores == best
        if np.count_nonzero(members) > self.n:
            # The same point may be as near to two centroids: the first one has it.
            members &= np.cumsum(members, axis=0) == 1
        return members, best

    def nearest(self, centroids: Matrix) -> tuple[Labels, Matrix]:
        """Labels and squared distances less ‖x‖²; ties go to the first centroid."""
        scores = (-2.0 * centroids) @ self.columns
        scores += (centroids**2).sum(axis=1)[:, None]
        best = scores[0].copy()
        labels = np.zeros(self.n, dtype=np.intp)
        for index in range(1, len(centroids)):
            closer = scores[index] < best
            labels[closer] = index
            np.minimum(best, scores[index], out=best)
        return labels, best

    def two_nearest(self, centroids: Matrix) -> tuple[Labels, Matrix]:
        """Labels, and what each point loses when its centroid goes."""
        scores = (-2.0 * centroids) @ self.columns
        scores += (centroids**2).sum(axis=1)[:, None]
        best = scores[0].copy()
        second = np.full(self.n, np.inf)
        labels = np.zeros(self.n, dtype=np.intp)
        for index in range(1, len(centroids)):
            closer = scores[index] < best
            labels[closer] = index
            np.minimum(second, np.maximum(best, scores[index]), out=second)
            np.minimum(best, scores[index], out=best)
        return labels, second - best

    def inertia(self, scores: Matrix) -> float:
        """Weighted inertia from the scores of :meth:`nearest`."""
        return max(self.total + float(self.w @ scores), 0.0)

    def means(self, labels: Members | Labels, k: int) -> tuple[Matrix, Matrix]:
        """Mean and mass of each cluster."""
        if labels.ndim == 2:
            sums = labels.astype(np.float64) @ self._summed
            mass = sums[:, -1]
            return sums[:, :-1] / np.maximum(mass, 1e-300)[:, None], mass
        single = labels.astype(np.intp, copy=False)
        mass = _sums(single, self.w, k)
        sums = np.stack([_sums(single, row, k) for row in self.weighted], axis=1)
        return sums / np.maximum(mass, 1e-300)[:, None], mass

    def lloyd(
        self, centroids: Matrix, gain: float, history: list[Iteration] | None = None
    ) -> tuple[Matrix, float]:
        """Iterate until the relative gain falls below ``gain``; 0 goes on until nothing moves."""
        previous, before = np.inf, None
        inertia = np.inf
        for _ in range(MAXIMUM_ITERATIONS):
            labels, scores = self.assign(centroids)
            inertia = self.inertia(scores)
            if history is not None:
                history.append(Iteration(inertia))
            if before is not None and (labels == before).all():
                break
            if gain and previous - inertia <= gain * inertia:
                break
            previous, before = inertia, labels
            centroids, mass = self.means(labels, len(centroids))
            empty = np.flatnonzero(mass == 0)
            if len(empty):
                # An empty cluster moves to the point that is served worst.
                worst = np.argsort(-(self.w * (self.norms + scores)), kind="stable")
                centroids[empty] = self.x[worst[: len(empty)]]
                before = None
        return centroids, inertia

    def sample(self, size: int, rng: np.random.Generator) -> Problem:
        """Draw points by weight; those drawn more than once weigh more."""
        drawn = rng.choice(self.n, size, p=self.w / self.w.sum())
        counts = np.bincount(drawn, minlength=self.n)
        kept = np.flatnonzero(counts)
        return Problem(self.x[kept], counts[kept].astype(np.float64))


def fit_kmeans(points: Points, k: int, seed: int, *, quick: bool = False) -> KMeansFit:
    """Find k centroids of small weighted inertia.

    Parameters
    ----------
    points : Points
        The weighted points.
    k : int
        Number of clusters, at most the number of distinct points.
    seed : int
        Seed of everything random.
    quick : bool
        Search once rather than a few times: for a k that is only compared with others.

    Notes
    -----
    Greedy k-means++ (Arthur & Vassilvitskii 2007), Lloyd's algorithm, and the breathing search of
    Fritzke (2020, arXiv:2006.15666): add centroids where the error is largest, run Lloyd, remove
    those of least utility, run Lloyd, keep what is better. Many points are searched on a sample
    and breathed on once more as a whole.
    """
    if k < 1:
        raise SegqlError(f"k got {k!r}; accepted: a whole number of at least 1")
    if k > points.distinct:
        raise SegqlError(f"k is {k} but there are only {points.distinct} distinct points")
    rng = np.random.default_rng([seed, k])
    with one_thread():
        problem = Problem(points.values, points.weights)
        size = max(SEARCH_POINTS, 100 * k)
        sampled = problem.n > 2 * size
        searched = problem.sample(size, rng) if sampled else problem
        repeats = max(1, min(MAXIMUM_SEARCHES, SEARCH_BUDGET // searched.n))
        repeats = 1 if k == 1 or quick else repeats
        found = [_search(searched, k, rng) for _ in range(repeats)]
        found.sort(key=lambda result: result[1])
        best = found[0][0]
        if sampled and k > 1:
            # What is best on the sample need not be on all points: the first few compete again.
            wide = max(FINAL_POINTS, 4 * size)
            final = problem.sample(wide, rng) if problem.n > 2 * wide else problem
            again = [final.lloyd(centroids, SEARCH_GAIN) for centroids, _ in found[:FINALISTS]]
            best = min(again, key=lambda result: result[1])[0]
            if not quick:
                best, _ = _breathe(final, best, SHALLOW_BREATH, rng)
        history: list[Iteration] = []
        # A coreset only stands for the rows: its last digits are not worth going after.
        gain = 0.0 if np.all(points.weights == np.round(points.weights)) else CORESET_GAIN
        centroids, inertia = problem.lloyd(best, gain, history)
        centroids = centroids[np.lexsort(centroids.T[::-1])]
        labels, _ = problem.nearest(centroids)
    return KMeansFit(centroids + points.center, points.spread(labels), inertia, tuple(history))


def refine_kmeans(points: Points, k: int, seed: int, starts: int) -> Matrix:
    """Cluster anew from k-means++ starts, without a search: what a bootstrap asks for."""
    problem = Problem(points.values, points.weights)
    return start_kmeans(problem, k, seed, starts)[0] + points.center


def start_kmeans(problem: Problem, k: int, seed: int, starts: int) -> tuple[Matrix, float]:
    """Best of a few k-means++ starts: centroids and inertia."""
    rng = np.random.default_rng([seed, k])
    fits = [problem.lloyd(plus_plus(problem, k, rng), START_GAIN) for _ in range(starts)]
    return min(fits, key=lambda result: result[1])


def nearest(points: Matrix, centroids: Matrix) -> Labels:
    """0-based index of the nearest centroid of each point."""
    return Problem(points, np.ones(len(points))).nearest(centroids)[0]


def _search(problem: Problem, k: int, rng: np.random.Generator) -> tuple[Matrix, float]:
    """Seed a few times, converge, breathe on the best."""
    starts = [
        problem.lloyd(plus_plus(problem, k, rng), START_GAIN) for _ in range(STARTS if k > 1 else 1)
    ]
    best = min(starts, key=lambda result: result[1])
    return _breathe(problem, best[0], BREATH, rng) if 1 < k < problem.n else best


def _sums(labels: Labels, values: Matrix, k: int) -> Matrix:
    """Sum of the values of each label, added in the order of the points."""
    return np.bincount(labels, weights=values, minlength=k).astype(np.float64, copy=False)


def plus_plus(problem: Problem, k: int, rng: np.random.Generator) -> Matrix:
    """Greedy k-means++: of a few candidates, drawn by weight · distance², keep the best."""
    x, w, norms = problem.x, problem.w, problem.norms
    candidates = 2 + int(np.log(k)) if k > 1 else 1
    chosen = np.empty((k, problem.d))
    first = int(np.searchsorted(np.cumsum(w), rng.random() * w.sum(), side="right"))
    chosen[0] = x[min(first, problem.n - 1)]
    closest = np.maximum(norms + (chosen[0] ** 2).sum() - 2.0 * chosen[0] @ problem.columns, 0.0)
    for index in range(1, k):
        cumulated = np.cumsum(w * closest)
        if cumulated[-1] <= 0:
            chosen[index:] = x[rng.choice(problem.n, k - index, replace=False)]
            break
        drawn = np.searchsorted(cumulated, rng.random(candidates) * cumulated[-1], side="right")
        drawn = np.minimum(drawn, problem.n - 1)
        distances = norms + norms[drawn][:, None] - 2.0 * x[drawn] @ problem.columns
        np.maximum(distances, 0.0, out=distances)
        np.minimum(distances, closest, out=distances)
        best = int(np.argmin(distances @ w))
        chosen[index] = x[drawn[best]]
        closest = distances[best]
    return chosen


def _breathe(
    problem: Problem, centroids: Matrix, breath: int, rng: np.random.Generator
) -> tuple[Matrix, float]:
    best, lowest = centroids, problem.inertia(problem.nearest(centroids)[1])
    size = min(breath, len(centroids))
    failures = 0
    while failures < PATIENCE:
        # Deep breaths first, beside the largest errors; when even the shallowest is in vain,
        # single centroids are tried where k-means++ would put one.
        beside = size > 0
        count = max(size, 1)
        grown = _inhale(problem, best, count, rng) if beside else _swap_in(problem, best, rng)
        inflated, _ = problem.lloyd(grown, START_GAIN)
        deflated, inertia = problem.lloyd(_exhale(problem, inflated, count), SEARCH_GAIN)
        if inertia < lowest * (1.0 - WORTHWHILE):
            best, lowest = deflated, inertia
            failures = 0
        elif beside:
            size -= 1
        else:
            failures += 1
    return best, lowest


def _swap_in(problem: Problem, centroids: Matrix, rng: np.random.Generator) -> Matrix:
    """Add one centroid at a point drawn by weight · squared distance."""
    _, scores = problem.nearest(centroids)
    cumulated = np.cumsum(problem.w * np.maximum(problem.norms + scores, 0.0))
    drawn = int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right"))
    return np.vstack([centroids, problem.x[min(drawn, problem.n - 1)]])


def _inhale(problem: Problem, centroids: Matrix, breath: int, rng: np.random.Generator) -> Matrix:
    """Add a centroid beside each of those with the largest error."""
    labels, scores = problem.nearest(centroids)
    errors = _sums(labels, problem.w * (problem.norms + scores), len(centroids))
    mass = _sums(labels, problem.w, len(centroids))
    worst = np.argsort(-errors, kind="stable")[:breath]
    radius = np.sqrt(np.maximum(errors[worst], 0.0) / np.maximum(mass[worst], 1e-300))
    step = rng.standard_normal((len(worst), problem.d))
    step /= np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-300)
    return np.vstack([centroids, centroids[worst] + 0.1 * radius[:, None] * step])


def _exhale(problem: Problem, centroids: Matrix, breath: int) -> Matrix:
    """Remove the centroids of least utility, but not two neighbours at once."""
    labels, loss = problem.two_nearest(centroids)
    utility = _sums(labels, problem.w * loss, len(centroids))
    gaps = ((centroids[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(gaps, np.inf)
    order = [int(index) for index in np.argsort(utility, kind="stable")]
    frozen: set[int] = set()
    removed: list[int] = []
    for index in order:
        if len(removed) < breath and index not in frozen:
            removed.append(index)
            if len(frozen) + breath < len(centroids):
                frozen.add(int(gaps[index].argmin()))
    return np.delete(centroids, removed, axis=0)
