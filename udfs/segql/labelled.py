"""Rows with their segment in a temporary table, for figures that need many passes over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import Assignment, NearestCentroid
from segql.engines.base import Engine
from segql.engines.duckdb import DuckDBEngine
from segql.features import SOURCE, Dimension
from segql.space import Matrix, Space


@dataclass(frozen=True)
class LabelledRows(Assignment):
    """The segment is a column; points are columns too.

    Parameters
    ----------
    space, centroids
        See :class:`Assignment`; the space is of the columns ``p0`` …
    numbers : ndarray of int, optional
        segment_id of each number in the column, by position; the number itself when not given.
    """

    numbers: NDArray[np.intp] | None = None

    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """One layer over the stored columns."""
        segment: exp.Expr = sql.column("segment")
        if self.numbers is not None:
            listed = exp.Array(expressions=[sql.integer(int(item)) for item in self.numbers])
            position = exp.Add(this=segment, expression=sql.integer(1))
            segment = exp.Anonymous(this="list_extract", expressions=[listed, position])
        coordinates = [
            sql.alias(sql.scratch(f"u{index}"), f"{sql.SCRATCH}p{index}")
            for index in range(self.space.size)
        ]
        return sql.layer(inputs, *coordinates, sql.alias(segment, f"{sql.SCRATCH}segment"))


@contextmanager
def labelled(
    engine: Engine, source: exp.Expr, assignment: Assignment
) -> Iterator[tuple[exp.Expr, Assignment]]:
    """Assign every row once.

    Yields
    ------
    (source, assignment)
        Of the labelled rows; for nearest centroids, which are cheap, what was given.
    """
    if isinstance(assignment, NearestCentroid):
        yield source, assignment
        return
    space = assignment.space
    names = [f"p{index}" for index in range(space.size)]
    query = exp.select(
        *(sql.alias(sql.scratch(name), name) for name in names),
        sql.alias(sql.scratch("segment"), "segment"),
    ).from_(assignment.assigned(space.inputs(source), points=True).subquery("assigned"))
    table = engine.store(query, "labelled")
    try:
        stored = Space([_axis(name) for name in names])
        yield sql.relation(table, SOURCE), LabelledRows(stored, assignment.centroids)
    finally:
        engine.drop(table)


def told(
    engine: DuckDBEngine, points: Matrix, assign: Callable[[Space], Assignment]
) -> NDArray[np.intp]:
    """Segment of each point as SQL says it.

    Parameters
    ----------
    engine : DuckDBEngine
    points : ndarray of shape (n, d)
    assign : callable
        Gives the assignment in the space of the points themselves.
    """
    names = [f"p{index}" for index in range(points.shape[1])]
    columns = {name: np.ascontiguousarray(points[:, i]) for i, name in enumerate(names)}
    rows = pa.table({"position": np.arange(len(points)), **columns})
    table = engine.upload(rows, "points")
    try:
        space = Space([_axis(name) for name in names])
        assigned = assign(space).assigned(space.inputs(sql.relation(table, SOURCE)))
        query = exp.select(
            sql.column("position"), sql.alias(sql.scratch("segment"), "segment")
        ).from_(assigned.subquery("assigned"))
        found = engine.arrays(query)
    finally:
        engine.drop(table)
    segments = np.zeros(len(points), dtype=np.intp)
    segments[found["position"].astype(np.intp)] = found["segment"]
    return segments


def _axis(name: str) -> Dimension:
    """A stored coordinate as a dimension of its own."""
    return Dimension(
        name=name, feature=name, base=sql.column(name, SOURCE), origin=0.0, factor=1.0,
        offset=0.0, mean=0.0, variance=1.0, bound=0.0, nullable=True,
    )  # fmt: skip
