"""The k-distance curve: how far a point's neighbours are, and the eps that this suggests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from segql.clusterers.kmeans import Matrix
from segql.clusterers.near_components import search_threads

#: Points whose distance to a neighbour makes the curve, and the points of the curve.
CURVE_POINTS, CURVE = 10_000, 200
#: Share of the curve in which the knee is looked for: a few outliers must not stretch it.
CUT = 0.995


@dataclass(frozen=True)
class Curve:
    """The distances to the ``min_samples``-th neighbour, sorted, and their knee.

    Attributes
    ----------
    shares, distances : ndarray
        Share of the points whose distance is at most so much.
    knee : float
        The distance where the curve bends from the clusters' distances to those of the noise.
    """

    shares: Matrix
    distances: Matrix
    knee: float


def k_distance_curve(points: Matrix, min_samples: int) -> Curve:
    """Distance of a point to its ``min_samples``-th neighbour, itself being the first.

    With eps at this distance the point is just a core point. At most 10,000 points are asked,
    chosen by a hash of their coordinates, among all points.

    Notes
    -----
    Sander et al. (1998) read eps off the first valley of this curve; here it is the point that is
    farthest below the chord, both axes scaled to 1 (Satopää et al. 2011).
    """
    asked = points[chosen(points, CURVE_POINTS)]
    count = min(max(min_samples, 2), len(points))
    distances = np.sort(
        cKDTree(points).query(asked, k=[count], workers=search_threads(len(points)))[0][:, 0]
    )
    shares = np.linspace(0.0, 1.0, min(CURVE, len(distances)))
    curve = np.quantile(distances, shares, method="higher")
    return Curve(shares, curve, _rounded(_knee(distances)))


def _knee(distances: Matrix) -> float:
    shares = np.linspace(0.0, CUT, CURVE)
    curve = np.quantile(distances, shares, method="higher")
    rise = curve[-1] - curve[0]
    below = shares / CUT - (curve - curve[0]) / rise if rise > 0 else np.zeros(CURVE)
    knee = float(curve[below.argmax()])
    positive = distances[distances > 0]
    if knee > 0 or not len(positive):
        return knee
    # No bend, or one at zero where most rows are repeated: what covers nine points in ten.
    return float(max(np.quantile(distances, 0.9, method="higher"), positive[0]))


def _rounded(value: float) -> float:
    """Keep four digits: no pair is then exactly eps apart, and people can read it."""
    return float(f"{value:.4g}")


def default_min_samples(rows: int, dimensions: int) -> int:
    """Twice the dimensions (Sander et al. 1998), or the fourth root of the rows if that is more.

    The more rows there are, the more often a few of the noise are near each other by chance.
    """
    return max(2 * dimensions, round(math.sqrt(math.sqrt(rows))))


def chosen(points: Matrix, most: int) -> NDArray[np.intp]:
    """Positions of at most so many points, decided by their coordinates alone.

    Equal points are told apart by counting them, so that a repeated one is drawn in proportion
    and not as a whole or not at all.
    """
    if len(points) <= most:
        return np.arange(len(points))
    mixed = np.zeros(len(points), dtype=np.uint64)
    for column in points.T:
        mixed = _mixed(mixed ^ np.ascontiguousarray(column + 0.0).view(np.uint64))
    order = np.argsort(mixed, kind="stable")
    ordered = mixed[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    sizes = np.diff(np.append(starts, len(ordered)))
    nth = np.arange(len(ordered)) - np.repeat(starts, sizes)
    drawn = np.argpartition(_mixed(ordered + nth.astype(np.uint64)), most)[:most]
    return np.sort(order[drawn])


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over the others (the finalizer of Steele, Lea & Flood's SplitMix)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
