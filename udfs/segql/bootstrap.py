"""How stable each segment is: drawn anew and clustered anew, how much of it comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segql.clusterers.kmeans import Labels, Matrix, Problem
from segql.diagnostics import BOOTSTRAPS

#: Clusters drawn points, each with how often it was drawn: 0-based labels, −1 for noise.
Refit = Callable[[Matrix, Matrix], Labels]


@dataclass(frozen=True)
class Stability:
    """Bootstrap Jaccard of each segment, in segment_id order, and what it was measured on.

    Attributes
    ----------
    jaccards : list of float or None
        None where the sample holds no row of the segment.
    bootstraps, rows : int
        How often rows were drawn and clustered anew, and from how many rows.
    """

    jaccards: list[float | None]
    bootstraps: int
    rows: int


def spread_sample(points: Problem, most: int, seed: int) -> Matrix:
    """Draw at most so many points, each by its weight; see :func:`spread_places`."""
    return np.asarray(points.x[spread_places(points, most, seed)])


def spread_places(points: Problem, most: int, seed: int) -> Labels:
    """Draw places of at most so many points by weight: every so-manieth in canonical order.

    A table that is its own coreset and no larger is taken as it is; otherwise a heavy point may be
    drawn more than once.
    """
    x, w = points.x, points.w
    if len(x) <= most and bool(np.all(w == 1)):
        return np.arange(len(x))
    size = int(min(most, max(len(x), w.sum())))
    reached = np.cumsum(w)
    start = np.random.default_rng([seed, 29]).random()
    wanted = (np.arange(size) + start) / size * reached[-1]
    return np.asarray(np.minimum(np.searchsorted(reached, wanted), len(x) - 1))


def bootstrap_jaccards(
    sample: Matrix, labels: Labels, k: int, refit: Refit, seed: int
) -> list[float | None]:
    """Mean Jaccard of each segment with its best match among the clusters of each bootstrap.

    Parameters
    ----------
    sample : ndarray of shape (n, d)
    labels : ndarray of int, shape (n,)
        0-based segment of each point, −1 for noise.
    k : int
        Number of segments.
    refit : callable
        Clusters drawn points with the algorithm that found the segments.
    seed : int

    Notes
    -----
    ``clusterboot`` (Hennig 2007): rows are drawn with replacement; sets are compared on the rows
    that were drawn, each once. Noise is no cluster, but counts among what a cluster should not
    have taken. A segment that no drawn row belongs to has nothing to say in that bootstrap.
    """
    scores, used = np.zeros(k), np.zeros(k)
    rng = np.random.default_rng([seed, k, 31])
    for _ in range(BOOTSTRAPS):
        counts = np.bincount(rng.integers(0, len(sample), len(sample)), minlength=len(sample))
        drawn = np.flatnonzero(counts)
        again = refit(sample[drawn], counts[drawn].astype(np.float64))
        width = int(again.max(initial=-1)) + 2
        joint = np.bincount(
            (labels[drawn] + 1) * width + again + 1, minlength=(k + 1) * width
        ).reshape(k + 1, width)
        both = joint[1:, 1:]
        own, other = joint.sum(axis=1)[1:], joint.sum(axis=0)[1:]
        either = own[:, None] + other[None, :] - both
        scores += (both / np.maximum(either, 1)).max(axis=1, initial=0.0)
        used += own > 0
    return [float(s / u) if u else None for s, u in zip(scores, used, strict=True)]
