"""The gap statistic: is there more structure than in uniform points of the same extent?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from segql.bootstrap import spread_sample
from segql.clusterers.kmeans import Points, Problem, start_kmeans
from segql.threads import one_thread

#: Uniform reference sets, points of each, and k-means++ starts of each clustering.
REFERENCES, SAMPLE, STARTS = 10, 1000, 2
#: Segments that are compared with one whatever k is, the largest k that is, and the standard
#: errors by which one must be beaten.
ALWAYS_TRIED, MOST_TRIED, SURE = 10, 20, 3.0


@dataclass(frozen=True)
class Gap:
    """Gap of one k, and the standard error that a choice of k allows for."""

    gap: float
    error: float


class GapStatistic:
    """Gaps of any k on one sample of the points.

    Parameters
    ----------
    points : Points
        The weighted points; at most a thousand are drawn from them.
    seed : int
    is_turned : bool
        Whether references fill the box along the principal axes, or that along the coordinates.

    Notes
    -----
    Tibshirani, Walther & Hastie (2001), references uniform over a box (their variants b and a).
    Data and references are clustered in the same way, from the same number of starts, so that
    the search is no part of the difference.
    """

    def __init__(self, points: Points, seed: int, *, is_turned: bool = True) -> None:
        self.seed = seed
        self._is_turned = is_turned
        self._known: dict[int, Gap] = {}
        rng = np.random.default_rng([seed, 11])
        with one_thread():
            problem = Problem(points.values, points.weights)
            size = min(SAMPLE, max(problem.n, int(min(points.weights.sum(), SAMPLE))))
            whole = problem.n <= size and bool(np.all(points.weights == 1))
            self._data = problem if whole else problem.sample(size, rng)
            self._references = [self._reference(rng) for _ in range(REFERENCES)]

    def _reference(self, rng: np.random.Generator) -> Problem:
        x, w = self._data.x, self._data.w
        center = w @ x / w.sum()
        axes = np.eye(x.shape[1])
        if self._is_turned:
            axes = np.linalg.svd((x - center) * np.sqrt(w)[:, None], full_matrices=False)[2]
        turned = (x - center) @ axes.T
        low, high = turned.min(axis=0), turned.max(axis=0)
        drawn = rng.uniform(low, high, (int(w.sum()), len(low)))
        return Problem(drawn @ axes, np.ones(len(drawn)))

    def of(self, k: int) -> Gap:
        """Gap and standard error of k clusters."""
        if k not in self._known:
            self._known[k] = self._measured(k)
        return self._known[k]

    def _measured(self, k: int) -> Gap:
        with one_thread():
            observed = self._dispersion(self._data, k)
            expected = np.array([self._dispersion(item, k) for item in self._references])
        error = float(expected.std() * np.sqrt(1.0 + 1.0 / REFERENCES))
        return Gap(float(expected.mean() - observed), error)

    def _dispersion(self, problem: Problem, k: int) -> float:
        inertia = start_kmeans(problem, k, self.seed, STARTS)[1]
        return float(np.log(max(inertia, 1e-300)))


def prefers_one_segment(one: Gap, others: Iterable[Gap], errors: float = 1.0) -> bool:
    """Whether no k tried beats one segment by more than its standard error, or several of them.

    The paper stops at the first k that its successor does not beat; clusters of clusters, whose
    gap dips before it rises, would stop it at one.
    """
    return all(one.gap >= other.gap - errors * other.error for other in others)


def finds_one_segment(problem: Problem, k: int, seed: int) -> bool:
    """Whether one segment is preferred to any other number, whatever algorithm found k.

    From 2 to 10 segments, and k itself up to 20, must beat one by three standard errors: by a
    single one, so many comparisons are often won by chance. The statistic's clusters are k-means'
    own, so that it judges the rows and not an algorithm; the first number that beats one is
    enough, and k is looked at first. References of both kinds must be beaten.
    """
    # No row twice: two in one place would be a cluster of their own.
    points = Points(spread_sample(problem, SAMPLE, seed))
    most = min(MOST_TRIED, points.distinct)
    found = min(k, most)
    ks = sorted({*range(2, min(ALWAYS_TRIED, most) + 1), found} - {1}, key=lambda n: n != found)
    # A square lies askew in the box along its principal axes, an oblong in that along the others.
    return any(
        prefers_one_segment(gaps.of(1), map(gaps.of, ks), SURE)
        for gaps in (GapStatistic(points, seed, is_turned=way) for way in (True, False))
    )
