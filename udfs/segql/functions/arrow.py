"""Between Arrow columns and matrices: what every session function does at its edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segql.errors import SegqlError

Matrix = NDArray[np.float64]

DOUBLES = pa.list_(pa.float64())
MATRIX = pa.list_(DOUBLES)
LABELS = pa.list_(pa.int32())


@dataclass(frozen=True)
class Rows:
    """The rows of a ``DOUBLE[][]`` that are usable numbers, and where they were.

    Attributes
    ----------
    values : ndarray of shape (n_usable, d)
    usable : ndarray of bool, shape (n,)
        False for a row that is NULL or holds NULL, NaN or infinity: it takes no part, and its
        place in every list that is returned is NULL.
    """

    values: Matrix
    usable: NDArray[np.bool_]

    def labels(self, values: Sequence[int] | NDArray[Any]) -> list[int | None]:
        """Spread one label a usable row over all rows."""
        spread: list[int | None] = [None] * len(self.usable)
        for position, value in zip(np.flatnonzero(self.usable), values, strict=True):
            spread[int(position)] = int(value)
        return spread

    def matrix(self, values: Matrix) -> list[list[float] | None]:
        """Spread one list a usable row over all rows."""
        spread: list[list[float] | None] = [None] * len(self.usable)
        for position, row in zip(np.flatnonzero(self.usable), values.tolist(), strict=True):
            spread[int(position)] = row
        return spread


def rows_of(function: str, scalar: Any) -> Rows | None:
    """Read a ``DOUBLE[][]`` value; None for NULL.

    Raises
    ------
    SegqlError
        When the value is not a list of lists of numbers, or its rows differ in length.
    """
    if not scalar.is_valid:
        return None
    outer = scalar.type
    nested = pa.types.is_list(outer) and pa.types.is_list(outer.value_type)
    if not nested or not _numeric(outer.value_type.value_type):
        raise SegqlError(
            f"{function}: the first argument must be DOUBLE[][], e.g. list([recency, frequency]), "
            f"got {outer}"
        )
    rows = scalar.values
    valid = np.asarray(rows.is_valid())
    lengths = np.asarray(rows.value_lengths().fill_null(0))[valid]
    if len(lengths) and (lengths != lengths[0]).any():
        raise SegqlError(f"{function}: rows have lengths {lengths.min()} and {lengths.max()}")
    width = int(lengths[0]) if len(lengths) else 0
    flat = rows.drop_null().flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    values = np.full((len(valid), width), np.nan)
    values[valid] = flat.reshape(-1, width) if width else values[valid]
    usable = np.isfinite(values).all(axis=1) & valid
    return Rows(np.ascontiguousarray(values[usable]), usable)


def _numeric(kind: Any) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )


def by_row(result_type: Any, compute: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a function of one row's values into a function of Arrow columns."""

    def function(*columns: Any) -> Any:
        results = []
        for row in range(len(columns[0])):
            scalars = [column[row] for column in columns]
            results.append(compute(*scalars) if scalars[0].is_valid else None)
        return pa.array(results, type=result_type)

    return function
