"""Components of points that are within eps of each other, exactly, whatever their dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from segql.clusterers.kmeans import Labels, Matrix

#: A component of at most so many points is joined by its nearest neighbours.
TINY = 32
#: Up to so many points are searched by one thread.
FEW_POINTS = 5_000


def join_components(points: Matrix, labels: Labels, eps: float) -> Labels:
    """Join components until no two points of different ones are within eps.

    Parameters
    ----------
    points : ndarray of shape (n, d)
    labels : ndarray of int, shape (n,)
        0-based components of a part of the graph of all pairs within eps.
    eps : float

    Notes
    -----
    Whether two sets of components touch is one search of nearest neighbours; sets by the bits of
    a component's number tell every two components apart, so a round that finds nothing is proof.
    """
    labels = _join_tiny(points, labels, eps)
    bound = just_above(eps)
    while (count := int(labels.max(initial=0)) + 1) > 1:
        found = []
        for bit in range((count - 1).bit_length()):
            one = (labels >> bit) & 1 == 1
            inside, outside = np.flatnonzero(one), np.flatnonzero(~one)
            if len(inside) > len(outside):
                inside, outside = outside, inside
            distances, near = cKDTree(points[outside]).query(
                points[inside], distance_upper_bound=bound, workers=search_threads(len(points))
            )
            hit = np.isfinite(distances)
            found.append(np.column_stack([labels[inside[hit]], labels[outside[near[hit]]]]))
        touching = np.unique(np.vstack(found), axis=0)
        if not len(touching):
            break
        labels = connected(count, touching)[labels]
    return labels


def _join_tiny(points: Matrix, labels: Labels, eps: float) -> Labels:
    """Join components that are too small to hold all of their points' nearest neighbours."""
    tree, bound = cKDTree(points), just_above(eps)
    lonely: NDArray[np.bool_] = np.zeros(len(points), dtype=bool)
    while True:
        sizes = np.bincount(labels)
        tiny = np.flatnonzero((sizes[labels] <= TINY) & ~lonely)
        if not len(tiny) or len(sizes) == 1:
            return labels
        count = min(TINY + 1, len(points))
        distances, near = tree.query(
            points[tiny], k=count, distance_upper_bound=bound, workers=search_threads(len(points))
        )
        distances, near = distances.reshape(len(tiny), -1), near.reshape(len(tiny), -1)
        known = np.append(labels, -1)[near]
        outside = np.isfinite(distances) & (known != labels[tiny][:, None])
        edges = np.column_stack(
            [np.repeat(labels[tiny], near.shape[1])[outside.ravel()], known[outside]]
        )
        if not len(edges):
            return labels
        joined = np.unique(edges)
        lonely[tiny] = ~np.isin(labels[tiny], joined)
        labels = connected(len(sizes), np.unique(edges, axis=0))[labels]


def connected(count: int, edges: NDArray[np.intp]) -> Labels:
    """Number the components of a graph, from 0."""
    ones = np.ones(len(edges), dtype=np.int8)
    graph = coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.intp)


def just_above(eps: float) -> float:
    """Turn "at most eps" into the "below" that a search tree understands."""
    return float(np.nextafter(eps, np.inf))


def search_threads(points: int) -> int:
    """Threads for a search: one a core, or one for so few points that starting them costs more."""
    return -1 if points > FEW_POINTS else 1
