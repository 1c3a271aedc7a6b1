"""A regular grid: cells as numbers, and which of them are in a set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segql.clusterers.kmeans import Matrix
from segql.errors import SegqlError

#: A grid of more dimensions has too many neighbours a cell.
MOST_DIMENSIONS = 3


class Grid:
    """Cells of three axes as one whole number each; a neighbour is a fixed number away.

    Parameters
    ----------
    points : ndarray of shape (n, 3)
        What the grid must hold.
    side : float
    reach : int
        Cells that are left free on each side, for neighbours of the outermost.

    Raises
    ------
    SegqlError
        When there are more cells than whole numbers.
    """

    def __init__(self, points: Matrix, side: float, reach: int) -> None:
        self.inverse = 1.0 / side
        self.low = np.floor(points.min(axis=0) * self.inverse) - reach
        self.width = np.floor(points.max(axis=0) * self.inverse) + reach + 1 - self.low
        if not np.prod(self.width) < 2.0**62:
            raise SegqlError(
                f"eps: the grid would need {np.prod(self.width):.1e} cells; accepted: an eps that "
                "is not that small beside the range of the features"
            )
        self.strides = np.array([self.width[1] * self.width[2], self.width[2], 1.0]).astype(
            np.int64
        )

    def keys(self, points: Matrix) -> NDArray[np.int64]:
        """Cell of each point."""
        corners = np.floor(points * self.inverse) - self.low
        return np.asarray(corners.astype(np.int64) @ self.strides)

    def corners(self, keys: NDArray[np.int64]) -> Matrix:
        """Whole numbers of each cell, as SQL computes them."""
        first, rest = np.divmod(keys, self.strides[0])
        second, third = np.divmod(rest, self.strides[1])
        return np.asarray(np.column_stack([first, second, third]) + self.low)

    def step(self, offset: tuple[int, ...]) -> int:
        """Return how much a cell's number grows by an offset of up to three axes."""
        away = np.array([*offset, *[0] * (3 - len(offset))], dtype=np.int64)
        return int(away @ self.strides)


def padded(points: Matrix) -> Matrix:
    """Add axes of zeros up to three."""
    return np.column_stack([points, np.zeros((len(points), 3 - points.shape[1]))])


def contained(ordered: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which numbers are in a sorted array."""
    return np.asarray(ordered[positions(ordered, asked)] == asked)


def positions(ordered: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.intp]:
    """Place of each number in a sorted array, or of what would be there instead."""
    return np.minimum(np.searchsorted(ordered, asked), len(ordered) - 1)


def distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort numbers and leave each once: for many, much faster than NumPy's hashing."""
    ordered = np.sort(keys)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered
