"""Cells of a grid that say which segment a row belongs to: what a density model leaves behind."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from segql.clusterers.kmeans import Labels, Matrix
from segql.grid import Grid, contained, distinct, padded

#: Up to this many points in the lists all are kept, so that scoring is exact for every row.
LISTED = 3_000_000
#: A cell with more points than this gives only its outermost ones to its neighbours then.
CROWDED = 26
#: Label of a listed point that belongs to no cluster of the level.
NOT_HERE = -1

POINT = pa.struct([*((axis, pa.float64()) for axis in "xyz"), ("segment_id", pa.int32())])


@dataclass(frozen=True)
class Level:
    """Points that belong to a cluster when they are within eps of one of its members."""

    eps: float
    side: float


@dataclass(frozen=True)
class Cells:
    """Cells of one or more levels, a row each.

    A row of the table belongs to the first level whose cell gives it a segment: a cell that holds
    members gives theirs, since its diagonal is at most eps, and so does one that lies within eps
    of a member as a whole; any other beside them gives that of the nearest listed point, if that
    is within eps.

    Attributes
    ----------
    levels : tuple of Level
    level, segment : ndarray of int, shape (n,)
        Of each cell; segment 0 where points are listed.
    corners : ndarray of shape (n, 3)
        Whole numbers: coordinate divided by the side of the level, rounded down.
    starts : ndarray of int, shape (n + 1,)
        Where the listed points of each cell begin.
    points : ndarray of shape (m, 3)
    labels : ndarray of int, shape (m,)
    is_exact : bool
        Whether every row within eps of a member is told so, not only those of the training.
    """

    levels: tuple[Level, ...]
    level: Labels
    corners: Matrix
    segment: Labels
    starts: Labels
    points: Matrix
    labels: Labels
    is_exact: bool

    def renumbered(self, numbers: NDArray[np.intp]) -> Cells:
        """Replace each segment s > 0 by ``numbers[s]``."""
        segment, labels = self.segment.copy(), self.labels.copy()
        segment[segment > 0] = numbers[segment[segment > 0]]
        labels[labels > 0] = numbers[labels[labels > 0]]
        return replace(self, segment=segment, labels=labels)

    def arrow(self) -> Any:
        """The table of :data:`segql.schema.TABLES` without its version columns."""
        fields = [
            *(pa.array(column) for column in np.ascontiguousarray(self.points.T)),
            pa.array(self.labels.astype(np.int32)),
        ]
        structs = pa.StructArray.from_arrays(fields, fields=list(POINT))
        is_listed = np.diff(self.starts) > 0
        # A list without points is NULL: its offset is then no number.
        offsets = pa.array(self.starts, pa.int32(), mask=np.append(~is_listed, False))
        return pa.table(
            {
                "level": pa.array(self.level, pa.int32()),
                **{f"cell_{axis + 1}": pa.array(self.corners[:, axis]) for axis in range(3)},
                "segment_id": pa.array(self.segment, pa.int32(), mask=self.segment == 0),
                "points": pa.ListArray.from_arrays(offsets, structs),
            }
        )


def make_cells(members: list[tuple[float, Matrix, Labels]], points: Matrix | None = None) -> Cells:
    """Lay the grid of each level.

    Parameters
    ----------
    members : list of (eps, points of shape (n, d), segment of each)
        A level each, in the order in which they are asked. At most three dimensions.
    points : ndarray, optional
        All training points: those within eps of a level's members without being one are listed,
        so that training rows get their own label back.
    """
    parts = [
        _level(number, eps, inside, segments, points)
        for number, (eps, inside, segments) in enumerate(members)
    ]
    listed = np.cumsum([0, *(len(part.points) for part in parts)])
    starts = [part.starts[:-1] + begin for part, begin in zip(parts, listed, strict=False)]
    return Cells(
        levels=tuple(part.levels[0] for part in parts),
        level=np.concatenate([part.level for part in parts]),
        corners=np.vstack([part.corners for part in parts]),
        segment=np.concatenate([part.segment for part in parts]),
        starts=np.append(np.concatenate(starts), listed[-1]),
        points=np.vstack([part.points for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        is_exact=all(part.is_exact for part in parts),
    )


def _level(
    number: int, eps: float, members: Matrix, segments: Labels, points: Matrix | None
) -> Cells:
    dimensions = members.shape[1]
    members = padded(members)
    side = eps / np.sqrt(dimensions) * (1.0 - 1e-9)
    others = np.empty((0, 3))
    if points is not None:
        # Members are told by their distance 0 to a member.
        apart = cKDTree(members).query(padded(points), distance_upper_bound=eps)[0]
        others = padded(points)[(apart > 0) & np.isfinite(apart)]
    grid = Grid(np.vstack([members, others]), side, _reach(dimensions))
    cell_of = grid.keys(members)
    order = np.argsort(cell_of, kind="stable")
    members, segments, cell_of = members[order], segments[order], cell_of[order]
    starts = np.flatnonzero(np.append(True, cell_of[1:] != cell_of[:-1]))
    held, counts = cell_of[starts], np.diff(np.append(starts, len(cell_of)))
    home = np.repeat(np.arange(len(held)), counts)
    # Members of one cell are of one cluster; where others are among them, all are listed.
    crowd = np.isin(held, grid.keys(others))
    lowest = np.minimum.reduceat(segments, starts)
    mixed = crowd | (np.maximum.reduceat(segments, starts) != lowest)
    targets, rows, farthest, is_exact = _beside(
        grid, held, starts, counts, members, eps, dimensions
    )
    inside = np.flatnonzero(mixed[home])
    targets = np.concatenate([targets, cell_of[inside]])
    rows = np.concatenate([rows, inside])
    wanted = distinct(targets)
    foreign = np.flatnonzero(contained(wanted, grid.keys(others))) if len(wanted) else np.arange(0)
    targets = np.concatenate([targets, grid.keys(others)[foreign]])
    listed = np.vstack([members[rows], others[foreign]])
    labels = np.concatenate([segments[rows], np.full(len(foreign), NOT_HERE)])
    farthest = np.append(farthest, np.full(len(targets) - len(farthest), np.inf))
    order = np.argsort(targets, kind="stable")
    targets, listed, labels = targets[order], listed[order], labels[order]
    whole, owner = _covered(targets, labels, farthest[order] <= eps**2 * (1.0 - 1e-9))
    kept = ~whole[np.searchsorted(wanted, targets)]
    targets, listed, labels = targets[kept], listed[kept], labels[kept]
    _settle(targets, listed, labels)
    around, wanted = wanted[whole], wanted[~whole]
    starts = np.searchsorted(targets, np.append(wanted, np.iinfo(np.int64).max))
    single = np.flatnonzero(~mixed)
    pure = np.concatenate([held[single], around])
    cells = np.concatenate([pure, wanted])
    named = np.concatenate([lowest[single], owner[whole]])
    return Cells(
        levels=(Level(eps, side),),
        level=np.full(len(cells), number),
        corners=grid.corners(cells),
        segment=np.concatenate([named, np.zeros(len(wanted), dtype=np.intp)]),
        starts=np.concatenate([np.zeros(len(pure), dtype=np.intp), starts]),
        points=listed,
        labels=labels,
        is_exact=is_exact,
    )


def _reach(dimensions: int) -> int:
    """Cells between a point and the farthest one that holds a point at eps itself."""
    return int(np.sqrt(dimensions) * (1.0 + 1e-8)) + 1


def _covered(
    targets: NDArray[np.int64], labels: Labels, covers: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], Labels]:
    """Which cells lie within eps of one listed point, and list no other label; and that label."""
    if not len(targets):
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=np.intp)
    starts = np.flatnonzero(np.append(True, targets[1:] != targets[:-1]))
    lowest = np.minimum.reduceat(labels, starts)
    single = lowest == np.maximum.reduceat(labels, starts)
    return single & np.logical_or.reduceat(covers, starts), lowest


def _settle(targets: NDArray[np.int64], listed: Matrix, labels: Labels) -> None:
    """Sort the points of cells that list several labels: the first of equally near ones counts."""
    starts = np.flatnonzero(np.append(True, targets[1:] != targets[:-1]))
    if not len(targets):
        return
    several = np.minimum.reduceat(labels, starts) != np.maximum.reduceat(labels, starts)
    sizes = np.diff(np.append(starts, len(targets)))
    at = np.flatnonzero(np.repeat(several, sizes))
    order = at[np.lexsort([labels[at], *listed[at].T[::-1], targets[at]])]
    listed[at], labels[at] = listed[order], labels[order]


def _beside(
    grid: Grid,
    held: NDArray[np.int64],
    firsts: NDArray[np.intp],
    counts: NDArray[np.intp],
    members: Matrix,
    eps: float,
    dimensions: int,
) -> tuple[NDArray[np.int64], Labels, Matrix, bool]:
    """Pairs of a cell without members and a member that may be within eps of a row in it.

    With the squared distance to the farthest place in the cell.
    """
    order = np.arange(len(members))
    targets, sources = [], []
    side = 1.0 / grid.inverse
    reach = _reach(dimensions)
    for offset in itertools.product(*[range(-reach, reach + 1)] * dimensions):
        away = np.array([*offset, *[0] * (3 - dimensions)])
        gap = np.maximum(np.abs(away) - 1, 0) * side
        if not away.any() or (gap**2).sum() > eps**2:
            continue
        beside = held + grid.step(offset)
        empty = np.flatnonzero(~contained(held, beside))
        targets.append(beside[empty])
        sources.append(empty)
    target, source = np.concatenate(targets), np.concatenate(sources)
    is_exact = True
    if counts[source].sum() > LISTED:
        surface = np.unique(source)
        order, counts, firsts, thinned = _outermost(members, order, counts, firsts, surface)
        is_exact = not thinned
    sizes = counts[source]
    inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = order[np.repeat(firsts[source], sizes) + inside]
    # Squared distances from a member to the nearest and to the farthest place in the cell.
    apart, farthest = np.zeros(len(rows)), np.zeros(len(rows))
    corners = grid.corners(target) * side
    for axis in range(dimensions):
        begin = np.repeat(corners[:, axis], sizes) - members[rows, axis]
        end = begin + side
        apart += np.maximum(np.maximum(begin, -end), 0.0) ** 2
        farthest += np.maximum(-begin, end) ** 2
    near = np.flatnonzero(apart <= eps**2 * (1.0 + 1e-9))
    beside = np.repeat(target, sizes)[near]
    return beside, rows[near].astype(np.intp), farthest[near], is_exact


def _outermost(
    members: Matrix, order: Labels, counts: Labels, firsts: Labels, surface: Labels
) -> tuple[Labels, Labels, Labels, bool]:
    """Keep of a crowded cell the members that are farthest out in each direction."""
    crowded = surface[counts[surface] > CROWDED]
    if not len(crowded):
        return order, counts, firsts, False
    sizes = counts[crowded]
    begins = np.cumsum(sizes) - sizes
    inside = np.arange(sizes.sum()) - np.repeat(begins, sizes)
    rows = order[np.repeat(firsts[crowded], sizes) + inside]
    cell = np.repeat(np.arange(len(crowded)), sizes)
    kept = np.zeros(len(rows), dtype=bool)
    for direction in itertools.product((-1.0, 0.0, 1.0), repeat=3):
        if not any(direction):
            continue
        out = members[rows] @ np.array(direction)
        farthest = np.maximum.reduceat(out, begins)
        hits = np.flatnonzero(out == farthest[cell])
        kept[hits[np.unique(cell[hits], return_index=True)[1]]] = True
    alone = np.ones(len(counts), dtype=bool)
    alone[crowded] = False
    cells = np.repeat(np.arange(len(counts)), counts)
    stay = alone[cells]
    new_rows = np.concatenate([order[stay], rows[kept]])
    new_cells = np.concatenate([cells[stay], crowded[cell[kept]]])
    again = np.argsort(new_cells, kind="stable")
    new_counts = np.bincount(new_cells, minlength=len(counts))
    return new_rows[again], new_counts, np.cumsum(new_counts) - new_counts, True
