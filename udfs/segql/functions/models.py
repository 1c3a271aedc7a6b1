"""Session functions that change models: fit, use another version, drop."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from segql import sql_text as sql
from segql.errors import ConflictError, SegqlError, unknown
from segql.functions.arrow import sql_type
from segql.functions.declared import Declared
from segql.functions.doors import Answer, Doors, Place
from segql.functions.session import create
from segql.metrics import METRICS

if TYPE_CHECKING:
    from segql.model import Model

FITTED = pa.struct(
    [
        ("model_name", pa.string()),
        ("model_version", pa.int32()),
        ("is_new", pa.bool_()),
        ("algorithm", pa.string()),
        ("k", pa.int32()),
        ("reason", pa.string()),
        *((name, pa.int64() if name == "n" else pa.float64()) for name in METRICS),
    ]
)
VERSION = pa.struct([("model_name", pa.string()), ("model_version", pa.int32())])
DROPPED = pa.struct([("model_name", pa.string()), ("model_versions", pa.list_(pa.int32()))])

#: Options of segql_fit, with what each says.
FIT_OPTIONS = {
    "id": "column that identifies a row (required)",
    "features": "'auto', a list of columns, or a struct of options per column",
    "algorithm": "'kmeans', 'hierarchical', 'dbscan' or 'hdbscan'",
    "k": "a number, [min, max], 'auto', or {height: h} for a tree",
    "pca": "components, or the share of variance they must reach",
    "eps": "DBSCAN's radius, or 'auto'",
    "min_samples": "neighbours of a core point",
    "linkage": "'ward', 'average', 'complete' or 'single'",
    "seed": "same rows and seed, same segments",
    "refit": "true learns again although rows and options are the same",
}


@dataclass(frozen=True)
class ModelFunction:
    """A function that works on a connection of its own to the same database.

    Attributes
    ----------
    name : str
    parameters : tuple of str
        Names, the optional ones with their default.
    result : pyarrow.DataType
    summary : str
    example : str
        A statement that runs on the reference page's shop.
    work : callable
        Called with a connection and the arguments.
    volatile : bool
        It changes something: DuckDB calls it once a row, and not to plan.
    """

    name: str
    parameters: tuple[str, ...]
    result: Any
    summary: str
    example: str
    work: Callable[..., Answer]
    volatile: bool = True

    @property
    def sql_type(self) -> str:
        """SQL type of the result."""
        return sql_type(self.result)

    @property
    def macro(self) -> str:
        """Statement of a macro that also says where it is called from."""
        named = [item.split(" := ")[0] for item in self.parameters]
        # No sub-query may stand here: DuckDB cannot copy one, as unnest asks it to.
        place = "current_database(), current_schema(), txid_current()"
        return (
            f"create or replace temp macro {self.name}({', '.join(self.parameters)}) as "
            f"system.main.{self.name}({', '.join(named)}, {place})"
        )

    def bound(self, doors: Doors) -> Callable[..., Any]:
        """Make the function of Arrow columns for one database."""

        def function(*columns: Any) -> Any:
            rows = len(columns[0]) if columns else 0
            results = [
                self._call(doors, [column[row].as_py() for column in columns])
                for row in range(rows)
            ]
            return pa.array(results, type=self.result)

        return function

    def _call(self, doors: Doors, given: list[Any]) -> Answer:
        arguments, place = _split(given, len(self.parameters))
        least = sum(" := " not in item for item in self.parameters)
        if not least <= len(arguments) <= len(self.parameters):
            raise SegqlError(
                f"{self.name} got {len(arguments)} arguments; accepted: "
                f"{self.name}({', '.join(self.parameters)})"
            )
        plain = [_plain(item) for item in arguments]
        request = repr((self.name, place, plain))

        def work() -> Answer:
            with doors.cursor(self.name, place) as con:
                return self.work(con, *plain)

        try:
            return doors.once(place, repr(plain[0]), request, work)
        except (duckdb.TransactionException, ConflictError) as error:
            raise SegqlError(
                f"{self.name}: another transaction has changed the models and is not committed, "
                f"maybe the one that calls: {self.name} writes on a connection of its own; "
                f"accepted: commit first ({error})"
            ) from error


def _split(given: list[Any], most: int) -> tuple[list[Any], Place | None]:
    """Tell the arguments from what the macro adds."""
    if len(given) == most + len(Place.__dataclass_fields__):
        return given[:most], Place(*given[most:])
    return given, None


def _plain(value: Any) -> Any:
    """Turn what SQL has into what Python's fit takes: decimals to floats, maps to dicts."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return {str(key): _plain(item) for key, item in value}
        return [_plain(item) for item in value]
    return value


def _fit(con: duckdb.DuckDBPyConnection, name: Any, relation: Any, options: Any = None) -> Answer:
    from segql.lifecycle import fitted
    from segql.training import DEFAULTS, Request

    if name is None or relation is None:
        return None
    if not isinstance(name, str):
        raise SegqlError(f"segql_fit: name got {name!r}; accepted: 1 to 100 characters")
    if options is not None and not isinstance(options, dict):
        raise SegqlError(
            f"segql_fit: options got {options!r}; accepted: a struct such as {{id: 'customer_id'}}"
        )
    asked = {option.lower(): value for option, value in (options or {}).items()}
    for option in asked:
        if option not in FIT_OPTIONS:
            raise SegqlError(f"segql_fit: {unknown('option', option, FIT_OPTIONS)}")
    refit = asked.pop("refit", False)
    if not isinstance(refit, bool):
        raise SegqlError(f"segql_fit: refit got {refit!r}; accepted: true or false")
    if "id" not in asked:
        raise SegqlError("segql_fit: the option id is missing; accepted: {id: '<id column>'}")
    if isinstance(asked.get("k"), list):
        asked["k"] = tuple(asked["k"])
    request = Request(relation=relation, name=name, **DEFAULTS | asked)
    try:
        model, is_new = fitted(con, request, requested_by="sql", reuse=not refit)
    except SegqlError as error:
        if "does not exist" not in str(error):
            raise
        raise SegqlError(
            f"{error}. segql_fit reads on a connection of its own: it sees no temporary table, "
            "and no table whose transaction is not committed yet"
        ) from error
    return _told(model, is_new)


def _told(model: Model, is_new: bool) -> dict[str, Any]:
    return {
        "model_name": model.name,
        "model_version": model.version,
        "is_new": is_new,
        "algorithm": model.algorithm,
        "k": model.k,
        "reason": model.reason,
        **model.metrics,
        "n": int(model.metrics["n"]),
    }


def _use_version(con: duckdb.DuckDBPyConnection, name: Any, version: Any) -> Answer:
    from segql.upkeep import use_version

    if name is None or version is None:
        return None
    model = use_version(con, name, version)
    return {"model_name": model.name, "model_version": model.version}


def _drop(con: duckdb.DuckDBPyConnection, name: Any, version: Any = None) -> Answer:
    from segql.upkeep import drop

    if name is None:
        return None
    return {"model_name": name, "model_versions": drop(con, name, version)}


MODEL_FUNCTIONS: tuple[ModelFunction, ...] = (
    ModelFunction(
        "segql_fit",
        ("name", "relation", "options := null"),
        FITTED,
        "Learn a segmentation of a relation and store it under a name; with the rows and options "
        "of the current version it returns that one. It reads what is committed, on a connection "
        "of its own: it sees no temporary table and nothing that is not committed.",
        "select segql_fit('customers', 'customer_features', {id: 'customer_id', k: 3}).k as k",
        _fit,
    ),
    ModelFunction(
        "segql_use_version",
        ("name", "version"),
        VERSION,
        "Make a version of a model the current one.",
        "select segql_use_version('customers', 1) as current",
        _use_version,
    ),
    ModelFunction(
        "segql_drop",
        ("name", "version := null"),
        DROPPED,
        "Remove a model, or one of its versions that is not the current one.",
        "select segql_drop('customers') as dropped",
        _drop,
    ),
)


@dataclass(frozen=True)
class _Token:
    """A function that says which database of this process it belongs to."""

    name: str = f"{sql.SCRATCH}token"
    sql_type: str = "VARCHAR"
    volatile: bool = False


#: By token; the functions live as long as the process, whatever connection made them.
_DOORS: dict[str, Doors] = {}
_CALLABLES: list[Callable[..., Any]] = []


def register_model_functions(con: duckdb.DuckDBPyConnection) -> None:
    """Register the functions that change models, and their macros, on a connection.

    A second connection to the same database joins the first: its functions go on when that one is
    closed.
    """
    token = _Token()
    known = con.execute(
        "select count(*) from duckdb_functions() where function_name = ?", [token.name]
    ).fetchall()
    if not known[0][0]:
        doors, value = Doors(), uuid.uuid4().hex
        made: list[tuple[Declared, Callable[..., Any]]] = [
            (token, _constant(value)),
            *((function, function.bound(doors)) for function in MODEL_FUNCTIONS),
        ]
        _CALLABLES.extend(function for _, function in made)
        create(con, made)
        _DOORS[value] = doors
    [(value,)] = con.execute(f"select {token.name}(0)").fetchall()
    _DOORS[value].add(con)
    for function in MODEL_FUNCTIONS:
        con.execute(function.macro)


def _constant(value: str) -> Callable[..., Any]:
    return lambda column: pa.array([value] * len(column))
