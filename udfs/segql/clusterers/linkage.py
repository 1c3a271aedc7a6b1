"""Agglomerative clustering of weighted points: the linkage table, its cuts, and how true it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import cophenet
from scipy.spatial.distance import cdist, pdist

from segql.clusterers.kmeans import Labels, Matrix
from segql.errors import SegqlError, unknown

LINKAGES = ("ward", "average", "complete", "single")


@dataclass(frozen=True)
class Tree:
    """The merges of n leaves, lowest first.

    Attributes
    ----------
    pairs : ndarray of int, shape (n − 1, 2)
        What each merge joins: a leaf i < n, or the result of merge m as n + m.
    heights : ndarray of shape (n − 1,)
        Distance at which they are joined; never falling.
    sizes : ndarray of shape (n − 1,)
        Weight of what results.
    segments : ndarray of int, shape (n,), optional
        segment_id of each leaf, where the tree was cut.
    """

    pairs: NDArray[np.intp]
    heights: Matrix
    sizes: Matrix
    segments: Labels | None = None

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return len(self.heights) + 1

    def counted(self) -> Matrix:
        """The table as :func:`scipy.cluster.hierarchy.linkage` gives it: sizes count leaves."""
        n = self.leaves
        counts = np.ones(2 * n - 1)
        for merge, (left, right) in enumerate(self.pairs.tolist()):
            counts[n + merge] = counts[left] + counts[right]
        return np.column_stack([self.pairs, self.heights, counts[n:]])

    def cut(self, k: int) -> Labels:
        """0-based labels of the leaves when k clusters are left, by their first leaf."""
        return self._labels(self.leaves - k)

    def cut_at(self, height: float) -> Labels:
        """Labels of the leaves when everything up to a height is merged."""
        return self._labels(int(np.searchsorted(self.heights, height, side="right")))

    def height_of(self, k: int) -> float:
        """Height of the last merge that k clusters allow; 0 when each leaf is one."""
        return float(self.heights[self.leaves - k - 1]) if k < self.leaves else 0.0

    def _labels(self, merges: int) -> Labels:
        """Labels after the first merges: each node takes the name of the one that it went into."""
        n = self.leaves
        parent = np.arange(n + merges)
        for merge in range(merges):
            parent[self.pairs[merge]] = n + merge
        for node in range(n + merges - 1, -1, -1):
            parent[node] = parent[parent[node]]
        _, first, labels = np.unique(parent[:n], return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[labels].astype(np.intp)


def fit_tree(points: Matrix, weights: Matrix, linkage: str) -> Tree:
    """Merge weighted points until one cluster is left.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        At least one; memory grows with n².
    weights : ndarray of shape (n,)
        How many customers each stands for. With all weights 1 the heights are those of
        :func:`scipy.cluster.hierarchy.linkage`.
    linkage : {"ward", "average", "complete", "single"}

    Notes
    -----
    Nearest-neighbour chain (Murtagh 1983) with the updates of Lance & Williams (1967). Ward's
    distance of two points of weight v and w is √(2vw / (v + w)) times their Euclidean distance:
    what it is between groups of v and w equal customers.
    """
    if linkage not in LINKAGES:
        raise SegqlError(unknown("linkage", linkage, LINKAGES))
    n = len(points)
    if linkage == "ward":
        distances = cdist(points, points, "sqeuclidean")
        distances *= 2.0 * weights[:, None] * weights / (weights[:, None] + weights)
    else:
        distances = cdist(points, points)
    np.fill_diagonal(distances, np.inf)
    merged = _chain(distances, weights.astype(np.float64).copy(), linkage)
    heights = np.sqrt(np.maximum(merged[:, 2], 0.0)) if linkage == "ward" else merged[:, 2]
    order = np.argsort(heights, kind="stable")
    pairs, sizes = _renumbered(merged[order, :2].astype(np.intp), weights, n)
    # A cluster is not lower than its parts; rounding may say so by a last digit.
    return Tree(pairs, np.maximum.accumulate(heights[order]) if n > 1 else heights, sizes)


def _chain(distances: Matrix, mass: Matrix, linkage: str) -> Matrix:
    """Merges as (slot, slot, distance), in the order in which the chain finds them."""
    n = len(mass)
    merged = np.empty((n - 1, 3))
    alive = np.ones(n, dtype=bool)
    chain: list[int] = []
    start = 0
    for merge in range(n - 1):
        if not chain:
            while not alive[start]:
                start += 1
            chain.append(start)
        while True:
            last = chain[-1]
            row = distances[last]
            nearest = int(row.argmin())
            # Back to where one came from when that is as near: the chain must end.
            if len(chain) > 1 and row[chain[-2]] <= row[nearest]:
                break
            chain.append(nearest)
        first, second = sorted((chain.pop(), chain.pop()))
        joined = distances[first, second]
        merged[merge] = first, second, joined
        row = _updated(distances, mass, first, second, linkage)
        alive[first] = False
        row[~alive] = np.inf
        row[second] = np.inf
        mass[second] += mass[first]
        distances[second], distances[:, second] = row, row
        distances[:, first] = np.inf
    return merged


def _updated(distances: Matrix, mass: Matrix, first: int, second: int, linkage: str) -> Matrix:
    """Distances of everything to the union of two clusters."""
    a, b = distances[first], distances[second]
    if linkage == "single":
        return np.asarray(np.minimum(a, b))
    if linkage == "complete":
        return np.asarray(np.maximum(a, b))
    v, w = mass[first], mass[second]
    if linkage == "average":
        return np.asarray((v * a + w * b) / (v + w))
    total: Matrix = ((mass + v) * a + (mass + w) * b - mass * a[second]) / (mass + v + w)
    return total


def _renumbered(
    slots: NDArray[np.intp], weights: Matrix, n: int
) -> tuple[NDArray[np.intp], Matrix]:
    """Name what a merge joins by the merge that made it, and weigh the result."""
    name = np.arange(n)
    # Slot of a cluster: the root of the tree that its leaves form.
    parent = np.arange(n)
    mass = weights.astype(np.float64).copy()
    pairs = np.empty((len(slots), 2), dtype=np.intp)
    sizes = np.empty(len(slots))
    for merge, (first, second) in enumerate(slots.tolist()):
        left, right = _root(parent, first), _root(parent, second)
        pairs[merge] = sorted((name[left], name[right]))
        parent[left] = right
        mass[right] += mass[left]
        name[right] = n + merge
        sizes[merge] = mass[right]
    return pairs, sizes


def _root(parent: NDArray[np.intp], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = int(parent[node])
    return node


def cophenetic_correlation(tree: Tree, points: Matrix, weights: Matrix) -> float:
    """Correlation of the heights at which pairs meet with their distances, pairs by weight.

    Sokal & Rohlf (1962). Of Ward's tree too, as scipy's ``cophenet`` computes it. NaN when all
    pairs are equally far.
    """
    meet, apart = cophenet(tree.counted()), pdist(points)
    share = (weights[:, None] * weights)[np.triu_indices(len(points), 1)]
    share /= share.sum()
    meet, apart = meet - share @ meet, apart - share @ apart
    spread = float(np.sqrt((share @ meet**2) * (share @ apart**2)))
    return float(share @ (meet * apart)) / spread if spread > 0 else float("nan")
