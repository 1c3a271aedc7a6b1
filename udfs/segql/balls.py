"""Clusters and their noise told by few balls: a row outside of all of them is noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from segql.clusterers.kmeans import Labels, Matrix
from segql.microclusters import micro_clusters

#: Rounds in which every ball finds its radius anew.
SWEEPS = 3
#: More balls are laid until so small a share of the points is gained by them.
WORTHWHILE = 0.0001
#: A ball's squared radius is so much larger than needed, where nothing is in the way.
MARGIN = 0.05


@dataclass(frozen=True)
class Balls:
    """Balls and the cluster of each; a point in several belongs by the smallest power distance."""

    centers: Matrix
    labels: Labels
    radii: Matrix

    def label(self, points: Matrix) -> Labels:
        """Cluster of each point; −1 outside of all balls."""
        power = cdist(points, self.centers, "sqeuclidean") - self.radii**2
        best = power.argmin(axis=1)
        inside = power[np.arange(len(points)), best] <= 0
        return np.where(inside, self.labels[best], -1).astype(np.intp)


def cover(points: Matrix, labels: Labels, most: int, seed: int) -> Balls:
    """Find balls whose union holds the clusters and leaves the noise out.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        In canonical order.
    labels : ndarray of int, shape (n,)
        Cluster of each; −1 is noise. At least one is not.
    most : int
        Balls to lay at most.

    Notes
    -----
    Balls start at means of the members. Each in turn takes the radius that wins
    the most points which no other ball holds (class cover, Priebe et al. 2003); where members are
    left out, more balls are laid at the means of what is left.
    """
    held = np.flatnonzero(labels >= 0)
    centers, owners = _middles(points, labels, held, max(most // 4, int(labels.max()) + 1), seed)
    best = _sized(points, labels, centers, owners)
    right = _right(best, points, labels)
    while len(best.centers) < most:
        missed = held[best.label(points[held]) != labels[held]]
        if not len(missed):
            break
        room = min(most - len(best.centers), max(len(best.centers) // 2, 4))
        more, theirs = _middles(points, labels, missed, room, seed)
        grown = _sized(
            points, labels, np.vstack([best.centers, more]), np.concatenate([best.labels, theirs])
        )
        now = _right(grown, points, labels)
        if now <= right + WORTHWHILE:
            break
        best, right = grown, now
    return best


def _middles(
    points: Matrix, labels: Labels, rows: Labels, count: int, seed: int
) -> tuple[Matrix, Labels]:
    """About so many means of the rows, by label, each label in proportion to its rows."""
    centers, owners = [], []
    for label in np.unique(labels[rows]):
        own = rows[labels[rows] == label]
        wanted = max(1, round(count * len(own) / len(rows)))
        found = micro_clusters(points[own], np.ones(len(own)), wanted, seed)
        centers.append(found.points)
        owners.append(np.full(len(found.points), label))
    return np.vstack(centers), np.concatenate(owners)


def _sized(points: Matrix, labels: Labels, centers: Matrix, owners: Labels) -> Balls:
    """Give every ball the radius that is right for most points."""
    squared = cdist(points, centers, "sqeuclidean")
    order = np.argsort(squared, axis=0, kind="stable")
    # First the nearest centre decides alone, then each radius given all others.
    near = squared.argmin(axis=1)
    reach = np.zeros(len(centers))
    worth = np.where(labels[:, None] == owners, 1, -1)
    for ball in range(len(centers)):
        reach[ball] = _radius(squared[:, ball], order[:, ball], worth[:, ball] * (near == ball))
    inside = squared <= reach
    holders = inside.sum(axis=1)
    for _ in range(SWEEPS):
        for ball in range(len(centers)):
            holders -= inside[:, ball]
            gain = worth[:, ball] * (holders == 0)
            reach[ball] = _radius(squared[:, ball], order[:, ball], gain)
            inside[:, ball] = squared[:, ball] <= reach[ball]
            holders += inside[:, ball]
    kept = inside.any(axis=0)
    for label in np.setdiff1d(owners, owners[kept]):
        # Others hold all of its members: the ball that holds most of them stays all the same.
        own = np.flatnonzero(owners == label)
        reach[own] = [_radius(squared[:, b], order[:, b], worth[:, b]) for b in own]
        held = (squared[:, own] <= reach[own]) & (labels == label)[:, None]
        widest = own[int(held.sum(axis=0).argmax())]
        kept[widest] = True
        reach[widest] = max(reach[widest], 0.0)
    return Balls(centers[kept], owners[kept].astype(np.intp), np.sqrt(reach[kept]))


def _radius(squared: Matrix, order: Labels, gain: Labels) -> float:
    """Squared radius with the largest gain, half way to what must stay out; −1 holds nothing."""
    gained = np.cumsum(gain[order])
    best = int(gained.argmax())
    if gained[best] <= 0:
        return -1.0
    own = float(squared[order[best]])
    after = gain[order[best + 1 :]]
    # Wider than the last one held, which rounding must not put outside.
    wider = own * (1.0 + MARGIN) if own > 0 else MARGIN * float(squared[order[-1]])
    if not after.any():
        return wider
    return min(wider, (own + float(squared[order[best + 1 + int(np.argmax(after != 0))]])) / 2.0)


def _right(balls: Balls, points: Matrix, labels: Labels) -> float:
    return float((balls.label(points) == labels).mean())
