"""HDBSCAN: clusters of varying density, how stable each is, and at which distance it is born."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from segql.clusterers.kmeans import Labels, Matrix

#: Points outside the tree are gathered anew when this share of them has gone in.
GATHER = 0.1
#: Neighbours beyond the one that is asked for, among which it may be.
SPARE = 8


@dataclass(frozen=True)
class Hierarchy:
    """The clusters that were selected.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        0-based; −1 is noise.
    births : ndarray of shape (k,)
        Mutual reachability distance below which the cluster is a component of its own.
    stabilities : ndarray of shape (k,)
        Excess of mass: Σ (λ at which a point leaves − λ at the birth), λ = 1 / distance.
    """

    labels: Labels
    births: Matrix
    stabilities: Matrix

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.births)

    def by_size(self) -> Hierarchy:
        """The same clusters, numbered by their size."""
        order = np.argsort(
            -np.bincount(self.labels[self.labels >= 0], minlength=self.k), kind="stable"
        )
        numbers = np.empty(self.k + 1, dtype=np.intp)
        numbers[order], numbers[-1] = np.arange(self.k), -1
        return Hierarchy(numbers[self.labels], self.births[order], self.stabilities[order])


def fit_hdbscan(points: Matrix, min_samples: int, min_cluster_size: int) -> Hierarchy:
    """Find clusters of varying density.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        Time grows with n².
    min_samples : int
        The core distance is that to this neighbour, the point itself being the first.
    min_cluster_size : int
        What has fewer points falls out of its cluster instead of being one.

    Notes
    -----
    Campello, Moulavi & Sander (2013), clusters by excess of mass, never the root: the labels of
    ``sklearn.cluster.HDBSCAN(min_cluster_size, min_samples)``. The spanning tree is Prim's (1957),
    a numpy pass a point.
    """
    edges, distances = _spanning_tree(points, _squared_cores(points, min_samples))
    condensed = _condensed(edges, distances, min_cluster_size)
    return _selected(condensed, len(points))


def _squared_cores(points: Matrix, min_samples: int) -> Matrix:
    """Squared core distances, in the very arithmetic of the pairs' distances.

    The tree's own arithmetic may swap neighbours that are equally far but for the last digit.
    """
    count = min(min_samples, len(points))
    if count <= 1:
        return np.zeros(len(points))
    _, near = cKDTree(points).query(points, k=min(count + SPARE, len(points)), workers=-1)
    squared = np.zeros(near.shape)
    for column in points.T:
        squared += (column[:, None] - column[near]) ** 2
    return np.asarray(np.partition(squared, count - 1, axis=1)[:, count - 1])


def _spanning_tree(points: Matrix, cores: Matrix) -> tuple[NDArray[np.intp], Matrix]:
    """Edges of a minimum spanning tree of mutual reachability, shortest first."""
    n = len(points)
    edges = np.empty((n - 1, 2), dtype=np.intp)
    lengths = np.empty(n - 1)
    rest = np.arange(1, n)
    columns, own = np.ascontiguousarray(points[1:].T), cores[1:].copy()
    best, source = np.full(n - 1, np.inf), np.zeros(n - 1, dtype=np.intp)
    current, gone = 0, 0
    squared, part = np.empty(n - 1), np.empty(n - 1)
    for step in range(n - 1):
        here = points[current]
        np.subtract(columns[0], here[0], out=squared)
        np.multiply(squared, squared, out=squared)
        for axis in range(1, len(columns)):
            np.subtract(columns[axis], here[axis], out=part)
            np.multiply(part, part, out=part)
            squared += part
        np.maximum(squared, own, out=squared)
        np.maximum(squared, cores[current], out=squared)
        closer = np.flatnonzero(squared < best)
        best[closer] = squared[closer]
        source[closer] = current
        nearest = int(best.argmin())
        edges[step] = source[nearest], rest[nearest]
        lengths[step] = best[nearest]
        current = int(rest[nearest])
        # In the tree: nothing is nearer than −1, and infinity is never the smallest.
        best[nearest], own[nearest] = np.inf, np.inf
        gone += 1
        if gone > GATHER * len(rest):
            left = np.ones(len(rest), dtype=bool)
            left[np.isinf(own)] = False
            rest, own, best, source = rest[left], own[left], best[left], source[left]
            columns = np.ascontiguousarray(columns[:, left])
            squared, part = np.empty(len(rest)), np.empty(len(rest))
            gone = 0
    lengths = np.sqrt(lengths)
    order = np.argsort(lengths)
    return edges[order], lengths[order]


@dataclass(frozen=True)
class _Condensed:
    """What falls out of which cluster, or splits off it, and when: a row each.

    Points are numbered from 0, clusters from n; the root is n.
    """

    parent: NDArray[np.intp]
    child: NDArray[np.intp]
    rate: Matrix
    size: NDArray[np.intp]


def _condensed(edges: NDArray[np.intp], distances: Matrix, smallest: int) -> _Condensed:
    """Walk down the single-linkage tree; only splits into two large parts make new clusters."""
    n = len(distances) + 1
    left, right, sizes = _merges(edges)
    with np.errstate(divide="ignore"):
        rates = (1.0 / distances).tolist()
    first, count = _leaves_below(left, right, sizes, n)
    cluster = {2 * n - 2: n}
    fresh = n + 1
    parents: list[int] = []
    children: list[int] = []
    at: list[float] = []
    weights: list[int] = []
    fallen: list[tuple[int, int, int, float]] = []
    for node in range(2 * n - 2, n - 1, -1):
        label = cluster.pop(node, None)
        if label is None:
            continue
        merge = node - n
        rate = rates[merge]
        parts = (left[merge], right[merge])
        large = [part for part in parts if (sizes[part - n] if part >= n else 1) >= smallest]
        for part in parts:
            size = sizes[part - n] if part >= n else 1
            if size < smallest:
                fallen.append((label, first[part], size, rate))
            elif len(large) == 1:
                # What is left goes on as the same cluster.
                cluster[part] = label
            else:
                parents.append(label)
                children.append(fresh)
                at.append(rate)
                weights.append(size)
                cluster[part] = fresh
                fresh += 1
    runs = np.array([item[2] for item in fallen], dtype=np.intp)
    starts = np.array([item[1] for item in fallen], dtype=np.intp)
    inside = np.arange(runs.sum()) - np.repeat(np.cumsum(runs) - runs, runs)
    points = count[np.repeat(starts, runs) + inside]
    return _Condensed(
        np.concatenate([np.repeat([item[0] for item in fallen], runs), parents]).astype(np.intp),
        np.concatenate([points, children]).astype(np.intp),
        np.concatenate([np.repeat([item[3] for item in fallen], runs), at]).astype(np.float64),
        np.concatenate([np.ones(len(points)), weights]).astype(np.intp),
    )


def _merges(edges: NDArray[np.intp]) -> tuple[list[int], list[int], list[int]]:
    """Single linkage from the sorted edges: what each merge joins, and its size."""
    n = len(edges) + 1
    parent = list(range(2 * n - 1))
    sizes = [1] * n + [0] * (n - 1)
    left, right = [], []
    for merge, (a, b) in enumerate(edges.tolist()):
        roots = []
        for node in (a, b):
            root = node
            while parent[root] != root:
                parent[root] = parent[parent[root]]
                root = parent[root]
            roots.append(root)
        parent[roots[0]] = parent[roots[1]] = n + merge
        sizes[n + merge] = sizes[roots[0]] + sizes[roots[1]]
        left.append(roots[0])
        right.append(roots[1])
    return left, right, sizes[n:]


def _leaves_below(
    left: list[int], right: list[int], sizes: list[int], n: int
) -> tuple[list[int], NDArray[np.intp]]:
    """Order the leaves so that each node's are in one run; return the runs' starts, the order."""
    start = [0] * (2 * n - 1)
    for node in range(2 * n - 2, n - 1, -1):
        a, b = left[node - n], right[node - n]
        start[a] = start[node]
        start[b] = start[node] + (sizes[a - n] if a >= n else 1)
    order = np.empty(n, dtype=np.intp)
    order[np.array(start[:n])] = np.arange(n)
    return start, order


def _selected(tree: _Condensed, n: int) -> Hierarchy:
    """Select by excess of mass, bottom up, and label each point by the cluster that holds it."""
    count = int(tree.parent.max()) + 1 - n
    is_cluster = tree.child >= n
    births = np.zeros(count)
    births[tree.child[is_cluster] - n] = tree.rate[is_cluster]
    above = np.full(count, -1)
    above[tree.child[is_cluster] - n] = tree.parent[is_cluster] - n
    stability = np.zeros(count)
    with np.errstate(invalid="ignore"):
        gained = (tree.rate - births[tree.parent - n]) * tree.size
        np.add.at(stability, tree.parent - n, gained)
        excess, below = stability.copy(), np.zeros(count)
        chosen: NDArray[np.bool_] = np.ones(count, dtype=bool)
        # Children have higher numbers than their parent: they are judged before it.
        for node in range(count - 1, 0, -1):
            if below[node] > excess[node]:
                chosen[node] = False
                excess[node] = below[node]
            below[above[node]] += excess[node]
    chosen[0] = False
    owner = np.full(count, -1)
    for node in range(1, count):
        inherited = owner[above[node]]
        owner[node] = inherited if inherited >= 0 else (node if chosen[node] else -1)
    kept = np.unique(owner[owner >= 0])
    number = np.full(count + 1, -1)
    number[kept] = np.arange(len(kept))
    labels = np.full(n, -1, dtype=np.intp)
    held = owner[tree.parent[~is_cluster] - n]
    labels[tree.child[~is_cluster]] = number[held]
    with np.errstate(divide="ignore"):
        distances = 1.0 / births[kept]
    return Hierarchy(labels, distances, stability[kept])
