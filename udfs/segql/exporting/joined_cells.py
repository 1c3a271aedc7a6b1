"""Assignment by cells in a plain table, a row for each cell or listed point: no lists needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from segql import sql
from segql.cells import NOT_HERE
from segql.density_cells import CellScorer


@dataclass(frozen=True)
class JoinedCells(CellScorer):
    """The same cells as those that score in DuckDB, asked one level after the other.

    Parameters
    ----------
    space, centroids, levels
        See :class:`segql.density_cells.CellScorer`.
    table : sqlglot expression
        Its columns are ``level``, ``cell_1`` …, ``place``, ``point_1`` …, ``segment_id``.
    id : str
        Column that identifies a row of the source.

    Notes
    -----
    A row meets every point that its cell lists; row_number() leaves the nearest one, of equally
    near ones that of the lowest place. Rows that share an id are numbered within it, so that
    each stays: a number over all rows would bring them to one machine on Spark or BigQuery.
    """

    table: exp.Table
    id: str

    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """Layers: the point, then for each level its cell, what is met there, the nearest of it."""
        own = sql.column(self.id)
        query = sql.layer(
            self.placed(inputs), sql.alias(_row_number([own], [own]), f"{sql.SCRATCH}copy")
        )
        for number in range(len(self.levels)):
            query = self._asked(query, number)
        found = sql.scratch(f"cf{len(self.levels) - 1}")
        segment = sql.case(
            [
                (sql.both(self.scorable(), _given(found)), found),
                (self.scorable(), sql.integer(0)),
            ]
        )
        return sql.layer(query, sql.alias(segment, f"{sql.SCRATCH}segment"))

    def _asked(self, query: exp.Select, number: int) -> exp.Select:
        """Layers of one level, ending in the segment so far; rows that have one join nothing."""
        axes = range(self.space.size)
        corners = [self.corner(number, axis) for axis in axes]
        before = None if number == 0 else sql.scratch(f"cf{number - 1}")
        if before is not None:
            missing = exp.Is(this=before.copy(), expression=exp.Null())
            corners[0] = sql.case([(missing, corners[0])])
        placed = sql.layer(
            query,
            *(sql.alias(corners[axis], f"{sql.SCRATCH}c{number}_{axis}") for axis in axes),
        )
        distance = self.squared_distance([sql.column(f"point_{axis + 1}", "cell") for axis in axes])
        joined = (
            exp.select(
                sql.star("placed"),
                sql.alias(sql.column("segment_id", "cell"), f"{sql.SCRATCH}cs{number}"),
                sql.alias(sql.column("place", "cell"), f"{sql.SCRATCH}cn{number}"),
                sql.alias(distance, f"{sql.SCRATCH}cd{number}"),
            )
            .from_(placed.subquery(exp.to_identifier("placed", quoted=True), copy=False))
            .join(
                sql.relation(self.table, "cell"),
                on=sql.both(
                    sql.compare(exp.EQ, sql.column("level", "cell"), sql.integer(number)),
                    *(
                        sql.compare(
                            exp.EQ,
                            sql.column(f"{sql.SCRATCH}c{number}_{axis}", "placed"),
                            sql.column(f"cell_{axis + 1}", "cell"),
                        )
                        for axis in axes
                    ),
                ),
                join_type="left",
            )
        )
        near = [sql.scratch(f"cd{number}"), sql.scratch(f"cn{number}")]
        rank = _row_number([sql.column(self.id), sql.scratch("copy")], near)
        ranked = sql.layer(joined, sql.alias(rank, f"{sql.SCRATCH}cr{number}"))
        kept = sql.layer(ranked, sql.alias(self._found(number, before), f"{sql.SCRATCH}cf{number}"))
        return kept.where(
            sql.compare(exp.EQ, sql.scratch(f"cr{number}"), sql.integer(1)), copy=False
        )

    def _found(self, number: int, before: exp.Expr | None) -> exp.Expr:
        """Segment of an earlier level, or the cell's, or that of the nearest listed point."""
        segment, distance = sql.scratch(f"cs{number}"), sql.scratch(f"cd{number}")
        earlier = [] if before is None else [(_given(before), before)]
        # A cell that has a segment lists no point, and where there is no cell both are NULL.
        whole = exp.Is(this=distance.copy(), expression=exp.Null())
        listed = sql.compare(exp.NEQ, segment.copy(), sql.integer(NOT_HERE))
        return sql.case(
            [*earlier, (whole, segment), (sql.both(self.within(number, distance), listed), segment)]
        )


def _given(value: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))


def _row_number(partition: Sequence[exp.Expr], order: Sequence[exp.Expr]) -> exp.Expr:
    # Bare columns, no exp.Ordered: that would print where a NULL goes, and none is among several.
    return exp.Window(
        this=exp.RowNumber(),
        partition_by=[item.copy() for item in partition],
        order=exp.Order(expressions=[item.copy() for item in order]),
    )
