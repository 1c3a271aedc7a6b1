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
    near ones that of the lowest place. Levels are asked in turn, and a row that has its segment
    meets no more: with all levels in one join, rows inside a cluster would meet every point of
    the wider levels too. Rows that share an id are numbered within it, so that each stays: a
    number over all rows would bring them to one machine on Spark or BigQuery.
    """

    cells: exp.Table
    id: str

    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """Layers: the point, then for each level what it meets there, and the nearest of that."""
        own = sql.column(self.id)
        copy = sql.alias(_row_number([own], [own]), f"{sql.SCRATCH}copy")
        query = sql.layer(self.placed(inputs), copy)
        for number in range(len(self.levels)):
            query = self._asked(query, number)
        found = sql.scratch(f"found{len(self.levels) - 1}")
        segment = sql.case(
            [
                (sql.both(self.scorable(), _given(found)), found),
                (self.scorable(), sql.integer(0)),
            ]
        )
        return sql.layer(query, sql.alias(segment, f"{sql.SCRATCH}segment"))

    def _asked(self, query: exp.Select, number: int) -> exp.Select:
        """Two layers of a level, the last with the segment so far; MariaDB takes 64 in all."""
        found = sql.alias(self._found(number), f"{sql.SCRATCH}found{number}")
        first = sql.compare(exp.EQ, sql.scratch(f"rank{number}"), sql.integer(1))
        return sql.layer(self._met(query, number), found).where(first, copy=False)

    def _met(self, query: exp.Select, number: int) -> exp.Select:
        """A row for each listed point of the cell; one for a cell that lists none, or no cell."""
        axes = range(self.space.size)
        gap = self.squared_distance([sql.column(f"point_{axis + 1}", "cells") for axis in axes])
        row = [sql.column(name, "placed") for name in (self.id, f"{sql.SCRATCH}copy")]
        rank = _row_number(row, [gap, sql.column("place", "cells")])
        return (
            exp.select(
                sql.star("placed"),
                sql.alias(sql.column("segment_id", "cells"), f"{sql.SCRATCH}named{number}"),
                sql.alias(gap, f"{sql.SCRATCH}gap{number}"),
                sql.alias(rank, f"{sql.SCRATCH}rank{number}"),
            )
            .from_(query.subquery(exp.to_identifier("placed", quoted=True), copy=False))
            .join(
                sql.relation(self.cells, "cells"),
                on=sql.both(
                    sql.compare(exp.EQ, sql.column("level", "cells"), sql.integer(number)),
                    *(
                        sql.compare(
                            exp.EQ,
                            self._corner(number, axis),
                            sql.column(f"cell_{axis + 1}", "cells"),
                        )
                        for axis in axes
                    ),
                ),
                join_type="left",
            )
        )

    def _corner(self, number: int, axis: int) -> exp.Expr:
        """Cell of the point in a level, NULL for a row that has its segment."""
        inverse = sql.number(1.0 / self.levels[number].side)
        scaled = sql.product(sql.scratch(f"p{axis}"), inverse)
        corner = exp.Add(this=exp.Floor(this=scaled), expression=sql.number(0.0))
        asked = sql.compare(exp.LTE, sql.absolute(scaled.copy()), sql.number(FARTHEST))
        if number > 0:
            missing = exp.Is(this=sql.scratch(f"found{number - 1}"), expression=exp.Null())
            asked = sql.both(missing, asked)
        return sql.case([(asked, corner)])

    def _found(self, number: int) -> exp.Expr:
        """Segment of an earlier level, or the cell's, or that of the nearest listed point."""
        named, gap = sql.scratch(f"named{number}"), sql.scratch(f"gap{number}")
        before = sql.scratch(f"found{number - 1}")
        earlier = [] if number == 0 else [(_given(before), before)]
        # A cell that has a segment lists no point, and where there is no cell both are NULL.
        whole = exp.Is(this=gap, expression=exp.Null())
        near = sql.both(
            sql.compare(exp.LTE, gap.copy(), sql.number(self.levels[number].eps ** 2)),
            sql.compare(exp.NEQ, named, sql.integer(NOT_HERE)),
        )
        return sql.case([*earlier, (whole, named.copy()), (near, named.copy())])


def _given(value: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))


def _row_number(partition: Sequence[exp.Expr], order: Sequence[exp.Expr]) -> exp.Expr:
    # No exp.Ordered: that would print where a NULL goes, and none is among several.
    return exp.Window(
        this=exp.RowNumber(),
        partition_by=[item.copy() for item in partition],
        order=exp.Order(expressions=[item.copy() for item in order]),
    )
