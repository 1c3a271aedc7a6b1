"""Assignment by cells in a plain table, a row for each cell or listed point: no lists needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from segql import sql_text as sql
from segql.cells import NOT_HERE
from segql.density_cells import CellScorer

#: Corners beyond are looked up nowhere: FLOOR is a whole number on Spark, which fails on more.
FARTHEST = 2.0**62


@dataclass(frozen=True)
class JoinedCells(CellScorer):
    """The same cells as those that score in DuckDB, all levels in one join.

    Parameters
    ----------
    space, centroids, levels
        See :class:`segql.density_cells.CellScorer`.
    cells : sqlglot expression
        Table of the cells: ``level``, ``cell_1`` …, ``place``, ``point_1`` …, ``segment_id``.
    id : str
        Column that identifies a row of the source.

    Notes
    -----
    A row meets every point that its cell lists; row_number() leaves the nearest one, of equally
    near ones that of the lowest place, and then the first level that gives a segment. Rows that
    share an id are numbered within it, so that each stays: a number over all rows would bring
    them to one machine on Spark or BigQuery.
    """

    cells: exp.Table
    id: str

    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """Layers: the point, its cells, what it meets there, the nearest, the first level's."""
        own = sql.column(self.id)
        row = [own, sql.scratch("copy")]
        copy = sql.alias(_row_number([own], [own]), f"{sql.SCRATCH}copy")
        met = self._met(self._spread(sql.layer(self.placed(inputs), copy)))
        near = [sql.scratch("gap"), sql.scratch("place")]
        query = _first(met, [*row, sql.scratch("level")], near, "rank", self._found())
        if len(self.levels) > 1:
            found, level = sql.scratch("found"), sql.scratch("level")
            later = exp.Add(this=level, expression=sql.integer(len(self.levels)))
            turn = sql.case([(_given(found), level)], later)
            query = sql.layer(query, sql.alias(turn, f"{sql.SCRATCH}turn"))
            query = _first(query, row, [sql.scratch("turn")], "first")
        found = sql.scratch("found")
        segment = sql.case(
            [
                (sql.both(self.scorable(), _given(found)), found),
                (self.scorable(), sql.integer(0)),
            ]
        )
        return sql.layer(query, sql.alias(segment, f"{sql.SCRATCH}segment"))

    def _spread(self, placed: exp.Select) -> exp.Select:
        """A row for each level, with the corner of the cell there."""
        corners = []
        for axis in range(self.space.size):
            scaled = sql.product(sql.scratch(f"p{axis}"), sql.column("cells_per_unit", "grids"))
            corner = exp.Add(this=exp.Floor(this=scaled), expression=sql.number(0.0))
            near = sql.compare(exp.LTE, sql.absolute(scaled.copy()), sql.number(FARTHEST))
            corners.append(sql.alias(sql.case([(near, corner)]), f"{sql.SCRATCH}c{axis}"))
        return (
            exp.select(
                sql.star("placed"),
                sql.alias(sql.column("level", "grids"), f"{sql.SCRATCH}level"),
                sql.alias(sql.column("squared_reach", "grids"), f"{sql.SCRATCH}reach"),
                *corners,
            )
            .from_(placed.subquery(_name("placed"), copy=False))
            .join(self._grids().subquery(_name("grids")), join_type="cross")
        )

    def _grids(self) -> exp.Query:
        """A row for each level; in the query, where a planner sees how few they are."""
        rows = [
            exp.select(
                sql.alias(sql.integer(number), "level"),
                sql.alias(sql.number(1.0 / level.side), "cells_per_unit"),
                sql.alias(sql.number(level.eps**2), "squared_reach"),
            )
            for number, level in enumerate(self.levels)
        ]
        return rows[0] if len(rows) == 1 else exp.union(*rows, distinct=False, copy=False)

    def _met(self, spread: exp.Select) -> exp.Select:
        """A row for each listed point of the cell; one for a cell that lists none, or no cell."""
        axes = range(self.space.size)
        keys = {f"{sql.SCRATCH}c{axis}": f"cell_{axis + 1}" for axis in axes}
        keys[f"{sql.SCRATCH}level"] = "level"
        distance = self.squared_distance(
            [sql.column(f"point_{axis + 1}", "cells") for axis in axes]
        )
        return (
            exp.select(
                sql.star("spread"),
                sql.alias(sql.column("segment_id", "cells"), f"{sql.SCRATCH}named"),
                sql.alias(sql.column("place", "cells"), f"{sql.SCRATCH}place"),
                sql.alias(distance, f"{sql.SCRATCH}gap"),
            )
            .from_(spread.subquery(_name("spread"), copy=False))
            .join(
                sql.relation(self.cells, "cells"),
                on=sql.both(
                    *(
                        sql.compare(exp.EQ, sql.column(ours, "spread"), sql.column(its, "cells"))
                        for ours, its in keys.items()
                    )
                ),
                join_type="left",
            )
        )

    def _found(self) -> exp.Expr:
        """Segment that the cell gives: its own, or that of the nearest listed point."""
        named, gap = sql.scratch("named"), sql.scratch("gap")
        # A cell that has a segment lists no point, and where there is no cell both are NULL.
        whole = exp.Is(this=gap, expression=exp.Null())
        near = sql.both(
            sql.compare(exp.LTE, gap.copy(), sql.scratch("reach")),
            sql.compare(exp.NEQ, named, sql.integer(NOT_HERE)),
        )
        return sql.alias(
            sql.case([(whole, named.copy()), (near, named.copy())]), f"{sql.SCRATCH}found"
        )


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _given(value: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))


def _first(
    query: exp.Select,
    partition: Sequence[exp.Expr],
    order: Sequence[exp.Expr],
    name: str,
    *columns: exp.Expr,
) -> exp.Select:
    """Two layers that keep the first row of each partition; the columns are computed for it."""
    rank = sql.alias(_row_number(partition, order), f"{sql.SCRATCH}{name}")
    kept = sql.layer(sql.layer(query, rank), *columns)
    return kept.where(sql.compare(exp.EQ, sql.scratch(name), sql.integer(1)), copy=False)


def _row_number(partition: Sequence[exp.Expr], order: Sequence[exp.Expr]) -> exp.Expr:
    # Bare columns, no exp.Ordered: that would print where a NULL goes, and none is among several.
    return exp.Window(
        this=exp.RowNumber(),
        partition_by=[item.copy() for item in partition],
        order=exp.Order(expressions=[item.copy() for item in order]),
    )
