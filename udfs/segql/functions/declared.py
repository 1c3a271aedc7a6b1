"""What a session function declares about itself, and how DuckDB's columns reach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn, Protocol

import pyarrow as pa

from segql.errors import SegqlError, unknown
from segql.functions.arrow import (
    ItemLists,
    PointLists,
    TextLists,
    column_of,
    combined,
    is_list,
    is_number,
    sql_type,
)
from segql.threads import one_thread


class Declared(Protocol):
    """What DuckDB is told of a function."""

    @property
    def name(self) -> str:
        """Name in SQL."""

    @property
    def sql_type(self) -> str:
        """SQL type of the result."""

    @property
    def volatile(self) -> bool:
        """Whether it changes something: DuckDB then calls it once a row, and not to plan."""


class Parameter(NamedTuple):
    """One parameter of a function; its SQL type says how the values are read."""

    name: str
    sql_type: str
    is_optional: bool
    description: str


@dataclass(frozen=True)
class SessionFunction:
    """A function of SQL users: everything that its page in the reference says, and what computes.

    Attributes
    ----------
    name : str
    parameters : tuple of Parameter
        Optional ones come last.
    result : pyarrow.DataType
    summary : str
        One sentence.
    example, example_result : str
        A statement, and what it returns as DuckDB prints it.
    compute : callable
        Takes one value a parameter (those left out are not passed) and the options that were
        given by name; returns a dict of the result's fields, or None for NULL.
    options : mapping
        Description of each field that the options struct, the last argument, may have.
    volatile : bool
        True for a function that changes something: DuckDB then calls it once a row.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: Any
    summary: str
    example: str
    example_result: str
    compute: Callable[..., Any]
    options: Mapping[str, str] = field(default_factory=dict)
    volatile: bool = False

    @property
    def signature(self) -> str:
        """How the function is called, e.g. ``f(points DOUBLE[][], k INTEGER [, {seed}])``."""
        required = [f"{p.name} {p.sql_type}" for p in self.parameters if not p.is_optional]
        optional = [f" [, {p.name} {p.sql_type}]" for p in self.parameters if p.is_optional]
        if self.options:
            optional.append(f" [, {{{', '.join(self.options)}}}]")
        return f"{self.name}({', '.join(required)}{''.join(optional)})"

    @property
    def sql_type(self) -> str:
        """SQL type of the result."""
        return sql_type(self.result)

    @property
    def required(self) -> int:
        """Number of parameters that cannot be left out."""
        return sum(not parameter.is_optional for parameter in self.parameters)


def callable_of(function: SessionFunction) -> Callable[..., Any]:
    """Turn a function of one row's values into the function of Arrow columns that DuckDB calls."""

    def on_columns(*columns: Any) -> Any:
        try:
            return _on_columns(function, columns)
        except SegqlError as error:
            if str(error).startswith(function.name):
                raise
            raise SegqlError(f"{function.name}: {error}") from error

    on_columns.__name__ = function.name
    return on_columns


def _on_columns(function: SessionFunction, columns: Sequence[Any]) -> Any:
    given, options = _split(function, columns)
    readers = [_reader(p, c) for p, c in zip(function.parameters, given, strict=False)]
    lists = [i for i, reader in enumerate(readers) if not isinstance(reader, Scalars)]
    named = {} if options is None else _options(function, options)
    results: list[dict[str, Any] | None] = []
    with one_thread():
        for row in range(len(columns[0])):
            values = [reader.row(row) for reader in readers]
            if any(values[index] is None for index in lists):
                results.append(None)
                continue
            chosen = {name: reader.row(row) for name, reader in named.items()}
            chosen = {name: value for name, value in chosen.items() if value is not None}
            results.append(function.compute(*values, **chosen))
    return column_of(function.result, results)


def _split(function: SessionFunction, columns: Sequence[Any]) -> tuple[list[Any], Any]:
    """Tell the options, which come last, from the other arguments."""
    given, most = list(columns), len(function.parameters)
    options = None
    if function.options and len(given) > function.required:
        is_struct = pa.types.is_struct(given[-1].type)
        if is_struct or len(given) == most + 1:
            options = given.pop()
            if not is_struct and not pa.types.is_null(options.type):
                _refuse_options(function, options.type)
    if not function.required <= len(given) <= most:
        count = len(columns)
        raise SegqlError(
            f"{function.name} got {count} argument{'' if count == 1 else 's'}; "
            f"accepted: {function.signature}"
        )
    return given, options


def _refuse_options(function: SessionFunction, kind: Any) -> NoReturn:
    names = ", ".join(function.options)
    raise SegqlError(
        f"options got {sql_type(kind)}; accepted: a struct of {names}, in {function.signature}"
    )


class Scalars:
    """A column of single values: each as Python sees it."""

    def __init__(self, column: Any) -> None:
        self._values = column.to_pylist()

    def row(self, row: int) -> Any:
        """Value of a row, None for NULL."""
        return _plain(self._values[row])


def _plain(value: Any) -> Any:
    """Read ``2.5``, which is a DECIMAL in SQL, as a float."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _reader(parameter: Parameter, column: Any) -> Any:
    name, kind = parameter.name, parameter.sql_type
    if kind == "DOUBLE[][]":
        return PointLists(name, column)
    if kind == "VARCHAR[]":
        return TextLists(name, column)
    if kind == "INTEGER[]":
        return ItemLists(name, column, whole=True)
    return Scalars(column)


def _options(function: SessionFunction, options: Any) -> dict[str, Any]:
    """A reader for each option that the struct has."""
    if pa.types.is_null(options.type):
        return {}
    known = {name.lower(): name for name in function.options}
    readers: dict[str, Any] = {}
    for item, column in zip(options.type, combined(options).flatten(), strict=True):
        name = known.get(item.name.lower())
        if name is None:
            raise SegqlError(unknown("option", item.name, function.options))
        of_numbers = is_list(item.type) and is_number(item.type.value_type)
        readers[name] = ItemLists(name, column) if of_numbers else Scalars(column)
    return readers
