"""Many points told by few: micro-clusters that stand for rows, and those that name a segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from segql.clusterers.kmeans import Labels, Matrix

#: Rounds in which the seeds are drawn, and of Lloyd's algorithm after them.
DRAWS, MOVES = 5, 3
#: Rounds of growth that may pass without fewer errors.
PATIENCE = 5


@dataclass(frozen=True)
class MicroClusters:
    """Centres of near points, their weight, and the nearest one of each point."""

    points: Matrix
    weights: Matrix
    labels: Labels


def micro_clusters(points: Matrix, weights: Matrix, size: int, seed: int) -> MicroClusters:
    """Summarise weighted points by at most ``size`` weighted means.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        In canonical order: what is random depends on it.
    weights : ndarray of shape (n,)
    size : int
        Fewer result when there are fewer distinct points.

    Notes
    -----
    Seeds as k-means‖ draws them (Bahmani et al. 2012): a few rounds, each of many points at once
    with probability by weight and squared distance to the seeds so far; then Lloyd's algorithm.
    """
    rng = np.random.default_rng([seed, 17])
    seeds = points[:1]
    for round_ in range(DRAWS):
        squared = weights * nearest_center(seeds, points)[0] ** 2
        reached = np.flatnonzero(squared > 0)
        wanted = min((size - len(seeds)) // (DRAWS - round_), len(reached))
        if wanted < 1:
            break
        # Without replacement in one sort: the largest of u^(1/weight) (Efraimidis & Spirakis).
        ranks = np.log(rng.random(len(reached))) / squared[reached]
        drawn = reached[np.argsort(-ranks, kind="stable")[:wanted]]
        seeds = np.unique(np.vstack([seeds, points[np.sort(drawn)]]), axis=0)
    for _ in range(MOVES):
        seeds, _ = _means(points, weights, nearest_center(seeds, points)[1])
    # Not moved again: each point is then with the nearest.
    labels = nearest_center(seeds, points)[1]
    present, labels = np.unique(labels, return_inverse=True)
    mass: Matrix = np.bincount(labels, weights=weights).astype(np.float64)
    return MicroClusters(seeds[present], mass, labels.astype(np.intp))


@dataclass(frozen=True)
class Named:
    """Points that name a segment: whatever is nearest to one belongs to its segment."""

    points: Matrix
    labels: Labels


def name_segments(
    points: Matrix, weights: Matrix, labels: Labels, most: int, enough: float = 1.0
) -> Named:
    """Find few points whose nearest-point labels are those of all points.

    Parameters
    ----------
    points : ndarray of shape (n, d)
    weights : ndarray of shape (n,)
    labels : ndarray of int, shape (n,)
        Whole numbers; each gets a point at least.
    most : int
        Points to find at most; not fewer than there are labels.
    enough : float
        The share of the weight with its own label from which on no more points are added.

    Notes
    -----
    Each label starts with its mean. Where points are named wrongly, their own label gets another
    mean beside the one that took them, and the means of a label move as in Lloyd's algorithm;
    when that no longer helps, misnamed points are kept as they are (the condensed nearest
    neighbour rule of Hart 1968), which ends without an error if there is room.
    """
    present, classes = np.unique(labels, return_inverse=True)
    total = float(weights.sum())
    means, _ = _means(points, weights, classes)
    owners = np.arange(len(present))
    best, failures, moving = (means, owners, -1.0), 0, True
    while True:
        near = nearest_center(means, points)[1]
        wrong = np.flatnonzero(owners[near] != classes)
        agreement = 1.0 - float(weights[wrong].sum()) / total
        if agreement > best[2]:
            best, failures = (means, owners, agreement), 0
        else:
            failures += 1
        if not len(wrong) or agreement >= enough:
            break
        if moving and (failures > PATIENCE or len(means) >= most):
            # On from the best so far, without moving what is there.
            moving, failures = False, 0
            means, owners, _ = best
            continue
        if len(means) >= most:
            break
        room = min(most - len(means), max(len(means) // 2, 1))
        added, theirs = _beside(points, weights, classes, near, wrong, room, exact=not moving)
        means, owners = np.vstack([means, added]), np.concatenate([owners, theirs])
        if moving:
            means = _moved(points, weights, classes, means, owners)
    return Named(best[0], present[best[1]])


def _beside(
    points: Matrix,
    weights: Matrix,
    classes: Labels,
    near: Labels,
    wrong: Labels,
    room: int,
    *,
    exact: bool,
) -> tuple[Matrix, Labels]:
    """Means of the heaviest groups of misnamed points, by label and by what took them.

    With ``exact`` the member that is nearest to the mean instead.
    """
    pairs = np.stack([classes[wrong], near[wrong]], axis=1)
    groups, group = np.unique(pairs, axis=0, return_inverse=True)
    group = group.reshape(-1)
    means, mass = _means(points[wrong], weights[wrong], group)
    heaviest = np.argsort(-mass, kind="stable")[:room]
    if exact:
        gaps = ((points[wrong] - means[group]) ** 2).sum(axis=1)
        order = np.lexsort([gaps, group])
        firsts = order[np.searchsorted(group[order], np.arange(len(groups)))]
        means = points[wrong[firsts]]
    return means[heaviest], groups[heaviest, 0]


def _moved(
    points: Matrix, weights: Matrix, classes: Labels, means: Matrix, owners: Labels
) -> Matrix:
    """One round of Lloyd's algorithm within each label; a mean without members stays."""
    moved = means.copy()
    for label in range(int(owners.max()) + 1):
        own = np.flatnonzero(owners == label)
        if len(own) < 2:
            continue
        members = classes == label
        near = nearest_center(means[own], points[members])[1]
        centers, _ = _means(points[members], weights[members], near)
        moved[own[np.unique(near)]] = centers
    return moved


def nearest_center(centers: Matrix, points: Matrix) -> tuple[Matrix, Labels]:
    """Distance and 0-based index of the nearest centre of each point."""
    distances, labels = cKDTree(centers).query(points)
    return distances, labels


def _means(points: Matrix, weights: Matrix, labels: Labels) -> tuple[Matrix, Matrix]:
    """Weighted mean and mass of each label that occurs, in order of the labels."""
    _, dense = np.unique(labels, return_inverse=True)
    mass: Matrix = np.bincount(dense, weights=weights).astype(np.float64)
    sums = [np.bincount(dense, weights=weights * column) for column in points.T]
    return np.stack(sums, axis=1) / mass[:, None], mass
