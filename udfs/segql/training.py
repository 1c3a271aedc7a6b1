"""The rows of a fit: resolved, checked, fingerprinted, and copied when they are not a table."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from segql import recipe
from segql import sql_text as sql
from segql.engines.base import Engine
from segql.errors import SegqlError, TooFewRowsError, UnknownModelError
from segql.features import SOURCE
from segql.model import Model
from segql.registry import Registry

if TYPE_CHECKING:
    from segql.learners.base import Method

#: Options that only some algorithms have, each with its default.
PARTICULAR: dict[str, Any] = {"eps": "auto", "min_samples": None, "linkage": "ward"}
#: What a request says when nothing else is asked for, relation, id and name aside.
DEFAULTS: dict[str, Any] = {
    "features": "auto", "algorithm": "kmeans", "k": "auto", "pca": None, **PARTICULAR, "seed": 42,
}  # fmt: skip
#: Column that says which day the rows describe.
AS_OF = "as_of_date"


@dataclass(frozen=True)
class Request:
    """The arguments of a fit, checked."""

    relation: str
    id: str
    name: str | None
    features: Any
    algorithm: str
    k: Any
    pca: Any
    eps: Any
    min_samples: Any
    linkage: Any
    seed: int
    #: How a door trains that has rules of its own; None is the algorithm's own way.
    method: Method | None = None

    def options(self, own: Collection[str]) -> dict[str, Any]:
        """What is stored about how the model was asked for; ``own`` are the algorithm's options."""
        return {
            "id": self.id,
            "features": self.features,
            "algorithm": self.algorithm,
            "k": self.k,
            "pca": self.pca,
            **{name: getattr(self, name) for name in own},
            "seed": self.seed,
        }

    def check_particular(self, own: Collection[str]) -> None:
        """Refuse an option of another algorithm; its default is as good as none."""
        for name, default in PARTICULAR.items():
            value = getattr(self, name)
            given = not (isinstance(value, type(default)) and value == default)
            if given and name not in own:
                raise SegqlError(
                    f"{name} got {value!r}, but algorithm {self.algorithm!r} has no {name}; "
                    "accepted: leave it out"
                )


@dataclass(frozen=True)
class Input:
    """The rows of a fit: a table that may be read many times."""

    table: exp.Table
    id: str
    columns: dict[str, str]
    plans: list[recipe.Plan]
    decisions: list[recipe.Decision]
    rows: int
    fingerprint: str
    as_of_date: date | None
    previous: Model | None

    @property
    def source(self) -> exp.Expr:
        """FROM item under the alias that feature columns are qualified with."""
        return aliased(self.table)

    @property
    def hashable(self) -> exp.Expr:
        """The id in a form whose hash depends on its value, not on its integer type."""
        kind = self.columns[self.id].upper()
        whole = kind in recipe.INTEGERS and kind != "UBIGINT"
        target = exp.DataType.build("bigint" if whole else "text")
        return exp.Cast(this=sql.column(self.id, SOURCE), to=target)


def aliased(table: exp.Table) -> exp.Expr:
    """FROM item under the alias that feature columns are qualified with."""
    return sql.relation(table, SOURCE)


@contextmanager
def training_input(engine: Engine, request: Request, registry: Registry) -> Iterator[Input]:
    """Resolve the relation, check it, and copy what is not a stored table."""
    given = engine.relation(request.relation)
    try:
        yield from _resolved(engine, given, request, registry)
    finally:
        engine.release(given)


def _resolved(
    engine: Engine, table: exp.Table, request: Request, registry: Registry
) -> Iterator[Input]:
    columns = engine.columns(table)
    id_column = recipe.match_column(request.id, columns, "id")
    if id_column.lower() in recipe.PREDICTION_COLUMNS:
        raise SegqlError(
            f"id column {id_column!r} has the name of a prediction column, which would take its "
            f"place; accepted: another name than {', '.join(recipe.PREDICTION_COLUMNS)}"
        )
    reserved = [name for name in columns if name.lower().startswith(sql.SCRATCH)]
    if reserved:
        raise SegqlError(f"column {reserved[0]!r}: names that start with {sql.SCRATCH} are taken")
    plans, decisions = recipe.plan(columns, request.features, id_column)
    previous = _previous(registry, request.name, columns)
    dated = _dated(columns)
    needed = dict.fromkeys([id_column, *(item.name for item in plans)])
    if dated is not None:
        needed[dated] = None
    if previous is not None:
        lowered = {name.lower(): name for name in columns}
        needed |= dict.fromkeys(lowered[name.lower()] for name in previous.recipe.names)
    stored = engine.is_base_table(table)
    if not stored:
        table = engine.snapshot(table, list(needed))
    try:
        rows, fingerprint, as_of_date = _check_ids(
            engine,
            table,
            id_column,
            [item.name for item in plans],
            dated,
            is_integer=columns[id_column].upper() in recipe.INTEGERS,
        )
        yield Input(
            table, id_column, columns, plans, decisions, rows, fingerprint, as_of_date, previous
        )
    finally:
        if not stored:
            engine.drop(table)


def _previous(registry: Registry, name: str | None, columns: dict[str, str]) -> Model | None:
    """The current version, when the relation still has all of its features."""
    if name is None:
        return None
    try:
        model = registry.load(name)
    except UnknownModelError:
        return None
    lowered = {column.lower() for column in columns}
    return model if {item.lower() for item in model.recipe.names} <= lowered else None


def _dated(columns: dict[str, str]) -> str | None:
    """Find the column that says which day the rows describe."""
    for name, kind in columns.items():
        is_date = kind.upper().startswith(("DATE", "TIMESTAMP")) and not kind.endswith("]")
        if name.lower() == AS_OF and is_date:
            return name
    return None


def _check_ids(
    engine: Engine,
    table: exp.Table,
    id_column: str,
    features: list[str],
    dated: str | None,
    *,
    is_integer: bool,
) -> tuple[int, str, date | None]:
    """Refuse missing and repeated ids; fingerprint the rows in any order; find the latest day."""
    read = [sql.column(item) for item in [id_column, *features]]
    latest = exp.Null() if dated is None else exp.Max(this=sql.column(dated))
    counted = exp.select(
        exp.Count(this=exp.Star()),
        exp.Count(this=read[0].copy()),
        engine.checksum(read),
        exp.Cast(this=latest, to=exp.DataType.build("date")),
    ).from_(table.copy())
    rows, present, fingerprint, as_of_date = engine.rows(counted)[0]
    if rows < 2:
        raise TooFewRowsError(f"the relation has {rows} rows; accepted: at least 2")
    if present < rows:
        raise SegqlError(f"id column {id_column!r} is NULL in {rows - present} of {rows} rows")
    engine.expect(int(rows))
    distinct = engine.count_distinct(table, id_column, int(rows), is_integer=is_integer)
    if distinct < present:
        name = engine.text(sql.column(id_column))
        repeated = engine.rows(
            f"select {name}, count(*) as n from {engine.text(table)} group by {name} "
            "having count(*) > 1 order by n desc, 1 limit 1"
        )[0]
        raise SegqlError(
            f"id column {id_column!r} is not unique: {repeated[0]!r} occurs {repeated[1]} times "
            f"({present - distinct} rows too many)"
        )
    return int(rows), f"{int(fingerprint) & (2**128 - 1):032x}", as_of_date
