"""DBSCAN, exact: which points are core points, and which of them belong together."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from segql.clusterers.kmeans import Labels, Matrix
from segql.clusterers.near_components import (
    connected,
    join_components,
    just_above,
    search_threads,
)
from segql.errors import SegqlError
from segql.grid import MOST_DIMENSIONS, Grid, contained, distinct, padded, positions

#: Neighbours may be this much farther than the nearest ones when any within eps will do.
SLACK = 8.0
#: Neighbours of each core point that make the first edges.
EDGES = 8
#: Points at a time, so that the lists of their neighbours stay small.
BATCH = 200_000


@dataclass(frozen=True)
class Density:
    """Core points and their clusters.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        0-based cluster of each core point; −1 for all others, borders too.
    is_core : ndarray of bool, shape (n,)
    """

    labels: Labels
    is_core: NDArray[np.bool_]


def fit_dbscan(
    points: Matrix, eps: float, min_samples: int, weights: Matrix | None = None
) -> Density:
    """Find the core points and their clusters.

    Parameters
    ----------
    points : ndarray of shape (n, d)
    eps : float
        Largest distance of neighbours.
    min_samples : int
        Neighbours, itself among them, that make a point a core point.
    weights : ndarray of shape (n,), optional
        How many rows each point stands for, at least 1; 1 when not given.

    Notes
    -----
    Ester et al. (1996). Points are core points without a search where a cell whose diagonal is
    eps holds enough of them (Gunawan 2013; up to three dimensions). For the others, a first search
    accepts any neighbours within eps, and only where it found too few an exact one follows. Cells
    or neighbours that were found make components, and these are joined until no two core points
    of different components are within eps.
    """
    weights = np.ones(len(points)) if weights is None else weights
    if points.shape[1] <= MOST_DIMENSIONS:
        try:
            return _by_grid(points, eps, min_samples, weights)
        except SegqlError:
            # So small an eps that the cells cannot be numbered: hardly anything is near.
            pass
    return _by_tree(points, eps, min_samples, weights)


def _by_tree(points: Matrix, eps: float, min_samples: int, weights: Matrix) -> Density:
    order = cKDTree(points, leafsize=32).indices
    # In the order of the tree, neighbours in space are neighbours in memory.
    near, mass = np.ascontiguousarray(points[order]), weights[order]
    tree = cKDTree(near, leafsize=32)
    is_core: NDArray[np.bool_] = np.zeros(len(near), dtype=bool)
    edges = []
    for start in range(0, len(near), BATCH):
        end = min(start + BATCH, len(near))
        is_core[start:end], found = _enough(tree, near[start:end], mass, eps, min_samples)
        at = np.flatnonzero(is_core[start:end])
        to = found[at, :EDGES]
        edges.append(np.column_stack([np.repeat(at + start, to.shape[1]), to.ravel()]))
    pairs = np.vstack(edges)
    pairs = pairs[np.append(is_core, False)[pairs[:, 1]]]
    position = np.cumsum(is_core) - 1
    cores = order[is_core]
    first = connected(len(cores), position[pairs])
    labels = np.full(len(points), -1, dtype=np.intp)
    labels[cores] = join_components(near[is_core], first, eps)
    return Density(labels, _mask(len(points), cores))


def _enough(
    tree: cKDTree, asked: Matrix, mass: Matrix, eps: float, min_samples: int
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Tell whose neighbours weigh enough, and name some neighbours within eps."""
    bound = just_above(eps)
    # One more for the neighbour that is none; so many are enough whatever they weigh.
    mass, count = np.append(mass, 0.0), min(min_samples, tree.n)
    wanted = range(1, count + 1)
    _, near = tree.query(
        asked, k=wanted, distance_upper_bound=bound, eps=SLACK, workers=search_threads(tree.n)
    )
    enough = mass[near].sum(axis=1) >= min_samples
    few = np.flatnonzero(~enough)
    if len(few):
        _, exact = tree.query(
            asked[few], k=wanted, distance_upper_bound=bound, workers=search_threads(tree.n)
        )
        near[few] = exact
        enough[few] = mass[exact].sum(axis=1) >= min_samples
    return enough, near


def _mask(size: int, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.zeros(size, dtype=bool)
    mask[places] = True
    return mask


def _by_grid(points: Matrix, eps: float, min_samples: int, weights: Matrix) -> Density:
    dimensions, full = points.shape[1], padded(points)
    fine = Grid(full, eps / np.sqrt(dimensions) * (1.0 - 1e-9), 1)
    # A little wider than eps: two points at eps itself are never two cells apart.
    coarse = Grid(full, eps * (1.0 + 1e-9), 1)
    keys = fine.keys(full)
    order = np.argsort(keys, kind="stable")
    near, mass = np.ascontiguousarray(points[order]), weights[order]
    homes = coarse.keys(full[order])
    keys = keys[order]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    cells, counts = keys[starts], np.diff(np.append(starts, len(points)))
    is_core = np.repeat(np.add.reduceat(mass, starts) >= min_samples, counts)
    rest = np.flatnonzero(~is_core)
    if len(rest):
        reached = np.flatnonzero(_around(coarse, homes, homes[rest], dimensions))
        tree = cKDTree(near[reached])
        for start in range(0, len(rest), BATCH):
            part = rest[start : start + BATCH]
            is_core[part], _ = _enough(tree, near[part], mass[reached], eps, min_samples)
    cores = np.flatnonzero(is_core)
    labels = np.full(len(points), -1, dtype=np.intp)
    if len(cores):
        cell = np.repeat(np.arange(len(cells)), counts)[cores]
        first = _cell_components(fine, cells, cell, near[cores], eps)
        labels[order[cores]] = _joined(coarse, homes[cores], near[cores], first, eps)
    return Density(labels, _mask(len(points), order[cores]))


def _around(
    grid: Grid, homes: NDArray[np.int64], asked: NDArray[np.int64], dimensions: int
) -> NDArray[np.bool_]:
    """Tell whose cell is one of those asked for, or beside one."""
    wanted = distinct(asked)
    steps = [grid.step(offset) for offset in itertools.product((-1, 0, 1), repeat=dimensions)]
    return contained(np.sort(np.concatenate([wanted + step for step in steps])), homes)


def _cell_components(
    grid: Grid, cells: NDArray[np.int64], cell: Labels, cores: Matrix, eps: float
) -> Labels:
    """Components of core points by cells: one cell is one, and so are two with near middles."""
    dimensions = cores.shape[1]
    # Core points come cell by cell.
    starts = np.flatnonzero(np.append(True, cell[1:] != cell[:-1]))
    numbers = cells[cell[starts]]
    home = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(cell))))
    middles = grid.corners(numbers)[:, :dimensions] + 0.5
    apart = ((cores * grid.inverse - middles[home]) ** 2).sum(axis=1)
    closest = np.flatnonzero(apart == np.minimum.reduceat(apart, starts)[home])
    is_first = np.append(True, home[closest[1:]] != home[closest[:-1]])
    middle = cores[closest[is_first]]
    edges = [np.empty((0, 2), dtype=np.intp)]
    for offset in itertools.product((-1, 0, 1), repeat=dimensions):
        step = grid.step(offset)
        if step <= 0:
            continue
        at = positions(numbers, numbers + step)
        beside = np.flatnonzero(numbers[at] == numbers + step)
        gaps = ((middle[beside] - middle[at[beside]]) ** 2).sum(axis=1)
        touching = beside[gaps <= eps**2]
        edges.append(np.column_stack([touching, at[touching]]))
    return connected(len(numbers), np.vstack(edges))[home]


def _joined(
    grid: Grid, homes: NDArray[np.int64], points: Matrix, labels: Labels, eps: float
) -> Labels:
    """Join components, looking only at points with another component in reach of their cell."""
    order = np.argsort(homes, kind="stable")
    ordered, given = homes[order], labels[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    held, home = ordered[starts], np.empty(len(homes), dtype=np.intp)
    home[order] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(homes))))
    lowest = np.minimum.reduceat(given, starts)
    highest = np.maximum.reduceat(given, starts)
    least, most = lowest.copy(), highest.copy()
    for offset in itertools.product((-1, 0, 1), repeat=points.shape[1]):
        beside = held + grid.step(offset)
        at = positions(held, beside)
        there = held[at] == beside
        least[there] = np.minimum(least[there], lowest[at[there]])
        most[there] = np.maximum(most[there], highest[at[there]])
    contested = np.flatnonzero((least != most)[home])
    if not len(contested):
        return labels
    present, own = np.unique(labels[contested], return_inverse=True)
    joined = join_components(points[contested], own.astype(np.intp), eps)
    pairs = np.unique(np.column_stack([own, joined]), axis=0)
    # A component of the contested points has the name of the first of its parts.
    order = np.lexsort(pairs.T)
    first = pairs[order][np.searchsorted(pairs[order][:, 1], pairs[:, 1]), 0]
    names = np.arange(int(labels.max()) + 1)
    names[present[pairs[:, 0]]] = present[first]
    return np.unique(names[labels], return_inverse=True)[1].astype(np.intp)
