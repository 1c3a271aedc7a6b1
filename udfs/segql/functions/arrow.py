"""Between Arrow columns and NumPy arrays: what every session function does at its edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segql.errors import SegqlError
from segql.sql_text import LARGEST

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]
Positions = NDArray[np.intp]

DOUBLES = pa.list_(pa.float64())
MATRIX = pa.list_(DOUBLES)
INTEGERS = pa.list_(pa.int32())
LABELS = INTEGERS

_NAMES = {
    "bool": "BOOLEAN", "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER",
    "int64": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "string": "VARCHAR", "null": "NULL",
    "date32[day]": "DATE", "timestamp[us]": "TIMESTAMP",
}  # fmt: skip


def sql_type(kind: Any) -> str:
    """DuckDB's name of an Arrow type: of results, and of arguments that are refused."""
    if pa.types.is_struct(kind):
        fields = ", ".join(f'"{field.name}" {sql_type(field.type)}' for field in kind)
        return f"STRUCT({fields})"
    if is_list(kind):
        size = kind.list_size if pa.types.is_fixed_size_list(kind) else ""
        return f"{sql_type(kind.value_type)}[{size}]"
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_dictionary(kind):
        return "ENUM"
    return _NAMES.get(str(kind), str(kind).upper())


def is_list(kind: Any) -> bool:
    """Tell a list of any of Arrow's layouts."""
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
        or pa.types.is_large_list_view(kind)
    )


def is_number(kind: Any) -> bool:
    """Tell what can be a number; a column of NULLs can."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )


def is_text(kind: Any) -> bool:
    """Tell what can be written as the name of a category."""
    return bool(
        is_number(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_dictionary(kind)
        or pa.types.is_temporal(kind)
    )


# -- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lists:
    """A column of lists: where the list of each row is among all items.

    Attributes
    ----------
    starts, lengths : ndarray of int
    valid : ndarray of bool
        False for NULL, whose length is 0.
    items : pyarrow.Array
    """

    starts: Positions
    lengths: Positions
    valid: Mask
    items: Any

    @classmethod
    def of(cls, array: Any) -> Lists:
        """Read an array of lists; one of NULLs has no items."""
        size, kind = len(array), array.type
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        if pa.types.is_null(kind):
            nothing = np.zeros(size, dtype=np.intp)
            return cls(nothing, nothing, valid, pa.nulls(0))
        if pa.types.is_fixed_size_list(kind):
            starts = (array.offset + np.arange(size)) * kind.list_size
            lengths = np.full(size, kind.list_size)
        else:
            offsets = array.offsets.to_numpy().astype(np.intp)
            is_view = pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind)
            starts = offsets if is_view else offsets[:-1]
            lengths = array.sizes.to_numpy().astype(np.intp) if is_view else np.diff(offsets)
        return cls(starts, np.where(valid, lengths, 0), valid, array.values)

    def part(self, row: int) -> slice:
        """Where the items of a row are."""
        return slice(self.starts[row], self.starts[row] + self.lengths[row])


def numbers(items: Any) -> Matrix:
    """Read numbers as doubles, NULL as NaN."""
    values = items.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)


def combined(column: Any) -> Any:
    """One array of a column that may come in chunks."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


@dataclass(frozen=True)
class Spread:
    """Values of the usable rows of a list, and where they were: the other places are NULL."""

    values: NDArray[Any]
    usable: Mask

    def __len__(self) -> int:
        return len(self.usable)


@dataclass(frozen=True)
class Rows:
    """The rows of a ``DOUBLE[][]`` that are usable numbers, and where they were.

    Attributes
    ----------
    values : ndarray of shape (n_usable, d)
    usable : ndarray of bool, shape (n,)
        False for a row that is NULL or holds NULL, NaN, infinity or a number beyond ±1e100: it
        takes no part, and its place in every list that is returned is NULL.
    """

    values: Matrix
    usable: Mask

    def spread(self, values: Any) -> Spread:
        """Spread one value, or one list, a usable row over all rows."""
        return Spread(np.asarray(values), self.usable)


class PointLists:
    """A column of ``DOUBLE[][]``: the points of each row.

    Raises
    ------
    SegqlError
        When it is a column of anything else.
    """

    def __init__(self, what: str, column: Any) -> None:
        kind = column.type
        rows = kind.value_type if is_list(kind) else kind
        of_numbers = is_list(rows) and is_number(rows.value_type)
        if not (pa.types.is_null(rows) or (is_list(kind) and of_numbers)):
            raise SegqlError(
                f"{what} must be DOUBLE[][], e.g. list([recency, frequency]), got {sql_type(kind)}"
            )
        self.what = what
        self._outer = Lists.of(combined(column))
        self._rows = Lists.of(self._outer.items)
        self._numbers = numbers(self._rows.items)
        self._plain = self._reshaped()

    def _reshaped(self) -> Rows | None:
        """All rows of all lists as one matrix, where none is NULL and all are of one length."""
        starts, lengths = self._rows.starts, self._rows.lengths
        if not len(starts) or not lengths[0] or not self._rows.valid.all():
            return None
        size, width = len(starts), int(lengths[0])
        first = int(starts[0])
        if (lengths != width).any() or (starts != first + width * np.arange(size)).any():
            return None
        values = self._numbers[first : first + size * width].reshape(size, width)
        return Rows(values, np.asarray((np.abs(values) <= LARGEST).all(axis=1)))

    def row(self, row: int) -> Rows | None:
        """Points of a row, None for NULL."""
        if not self._outer.valid[row]:
            return None
        part = self._outer.part(row)
        if self._plain is not None:
            values, usable = self._plain.values[part], self._plain.usable[part]
            return Rows(values if usable.all() else values[usable], usable)
        valid = self._rows.valid[part]
        lengths, starts = self._rows.lengths[part][valid], self._rows.starts[part][valid]
        width = int(lengths[0]) if len(lengths) else 0
        if (lengths != width).any():
            raise SegqlError(
                f"{self.what} have lengths {lengths.min()} and {lengths.max()}; "
                "accepted: rows of one length"
            )
        values = self._numbers[starts[:, None] + np.arange(width)]
        finite = (np.abs(values) <= LARGEST).all(axis=1) & (width > 0)
        usable = valid.copy()
        usable[valid] = finite
        return Rows(values[finite], usable)


class ItemLists:
    """A column of lists of numbers: the numbers of each row, NULL as NaN."""

    def __init__(self, what: str, column: Any, *, whole: bool = False) -> None:
        kind = column.type
        items = kind.value_type if is_list(kind) else kind
        accepted = is_number(items) and not (whole and pa.types.is_floating(items))
        if whole and pa.types.is_decimal(items):
            accepted = items.scale == 0
        if not (pa.types.is_null(items) or (is_list(kind) and accepted)):
            raise SegqlError(
                f"{what} must be {'INTEGER[]' if whole else 'DOUBLE[]'}, got {sql_type(kind)}"
            )
        self._lists = Lists.of(combined(column))
        self._numbers = numbers(self._lists.items)

    def row(self, row: int) -> Matrix | None:
        """Numbers of a row, None for NULL."""
        return self._numbers[self._lists.part(row)] if self._lists.valid[row] else None


@dataclass(frozen=True)
class Texts:
    """The texts of a list: the names in order, and the number of each item's name or −1."""

    names: NDArray[np.object_]
    codes: Positions


class TextLists:
    """A column of lists of what can be written as text: the texts of each row."""

    def __init__(self, what: str, column: Any) -> None:
        kind = column.type
        items = kind.value_type if is_list(kind) else kind
        if not (pa.types.is_null(items) or (is_list(kind) and is_text(items))):
            raise SegqlError(f"{what} must be VARCHAR[], got {sql_type(kind)}")
        self._lists = Lists.of(combined(column))
        encoded = self._lists.items.cast(pa.string()).dictionary_encode()
        names = np.array(encoded.dictionary.to_pylist(), dtype=object)
        order = np.argsort(names)
        # One more for NULL, whose index is filled with −1.
        rank = np.full(len(names) + 1, -1)
        rank[order] = np.arange(len(names))
        self._names = names[order]
        self._codes = rank[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]

    def row(self, row: int) -> Texts | None:
        """Texts of a row, None for NULL."""
        if not self._lists.valid[row]:
            return None
        return Texts(self._names, self._codes[self._lists.part(row)])


# -- writing -----------------------------------------------------------------------------------


def column_of(kind: Any, values: Sequence[Any]) -> Any:
    """Make a column of results, without a Python object for each item of a list.

    Parameters
    ----------
    kind : pyarrow.DataType
    values : sequence
        None for NULL; a dict for a struct; an array or a :class:`Spread` for a list of numbers or
        a list of lists of them; otherwise what pyarrow takes.
    """
    if pa.types.is_struct(kind):
        parts = [
            column_of(field.type, [None if v is None else v[field.name] for v in values])
            for field in kind
        ]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=pa.array(_nulls(values)))
    if is_list(kind) and is_list(kind.value_type):
        return _listed(values, _rows_column(kind.value_type, values))
    if is_list(kind) and (is_number(kind.value_type) or pa.types.is_boolean(kind.value_type)):
        return _listed(values, _items_column(kind.value_type, values))
    return pa.array(values, type=kind)


def _nulls(values: Sequence[Any]) -> Mask:
    return np.fromiter((value is None for value in values), bool, len(values))


def _listed(values: Sequence[Any], items: Any) -> Any:
    lengths = [0 if value is None else len(value) for value in values]
    return pa.ListArray.from_arrays(_offsets(lengths), items, mask=pa.array(_nulls(values)))


def _offsets(lengths: Any) -> Any:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


def _items_column(kind: Any, values: Sequence[Any]) -> Any:
    """All items of lists of numbers."""
    dtype = kind.to_pandas_dtype()
    parts, absent = [np.empty(0, dtype)], [np.empty(0, bool)]
    for value in values:
        if isinstance(value, Spread):
            full = np.zeros(len(value), dtype)
            full[value.usable] = value.values
            parts.append(full)
            absent.append(~value.usable)
        elif value is not None:
            parts.append(np.asarray(value, dtype))
            absent.append(np.zeros(len(value), bool))
    return pa.array(np.concatenate(parts), mask=np.concatenate(absent))


def _rows_column(kind: Any, values: Sequence[Any]) -> Any:
    """All rows of lists of lists of numbers."""
    dtype = kind.value_type.to_pandas_dtype()
    parts, lengths, absent = [np.empty(0, dtype)], [np.empty(0, np.intp)], [np.empty(0, bool)]
    for value in values:
        if value is None:
            continue
        matrix = np.asarray(value.values if isinstance(value, Spread) else value, dtype)
        usable = value.usable if isinstance(value, Spread) else np.ones(len(matrix), bool)
        parts.append(matrix.ravel())
        lengths.append(usable * (matrix.shape[1] if matrix.ndim == 2 else 0))
        absent.append(~usable)
    return pa.ListArray.from_arrays(
        _offsets(np.concatenate(lengths)),
        pa.array(np.concatenate(parts)),
        mask=pa.array(np.concatenate(absent)),
    )
