"""Assignment by cells: within eps of a core point, or noise, by an equi-join a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import Scorer
from segql.cells import NOT_HERE, Level
from segql.errors import SegqlError
from segql.expressions import apply, element, variable
from segql.features import SOURCE

AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Stored:
    """A model of the registry: its name, version, and what tells it from one of another file."""

    name: str
    version: int
    mark: str


@dataclass(frozen=True)
class CellScorer(Scorer):
    """A row belongs to the first level whose cell gives it a segment; else it is noise.

    Parameters
    ----------
    space, centroids
        See :class:`Assignment`; at most three coordinates.
    levels : sequence of Level
    """

    levels: Sequence[Level]

    def placed(self, inputs: exp.Select) -> exp.Select:
        """Layer with the point."""
        return sql.layer(
            inputs,
            *(
                sql.alias(value, f"{sql.SCRATCH}p{index}")
                for index, value in enumerate(self.space.coordinates())
            ),
        )

    def squared_distance(self, coordinates: Sequence[exp.Expr]) -> exp.Expr:
        """Squared distance of the point to another one."""
        gaps = [
            exp.Paren(this=sql.minus(coordinate, sql.scratch(f"p{axis}")))
            for axis, coordinate in enumerate(coordinates)
        ]
        return sql.total(exp.Mul(this=gap, expression=gap.copy()) for gap in gaps)

    def scorable(self) -> exp.Expr:
        """Whether no coordinate of the point is NULL."""
        whole = exp.Paren(this=sql.total(sql.scratch(f"p{i}") for i in range(self.space.size)))
        return exp.Not(this=exp.Is(this=whole, expression=exp.Null()))

    def expression(self) -> exp.Expr:
        """Refuse: a join is no expression."""
        raise SegqlError(
            "this model is scored by a join with its cells, which is no expression; accepted: "
            "form 'query'"
        )

    def scalar(self, features: Sequence[str]) -> exp.Expr:
        """Refuse, where no sub-query over the arguments is a join."""
        return self.expression()


@dataclass(frozen=True)
class DensityCells(CellScorer):
    """Assignment by cells that are rows of one table, the points of each a list of DuckDB's.

    Parameters
    ----------
    space, centroids, levels
        See :class:`CellScorer`.
    table : sqlglot expression
        Table of the cells.
    stored : Stored, optional
        The model whose rows of the table count; all of them without.
    """

    table: exp.Table
    stored: Stored | None = None

    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """Layers: the point, its cell in each level, what is found there, the first of these."""
        placed = sql.layer(self.placed(inputs), *self._corners())
        joined = exp.select(sql.star("placed")).from_(placed.subquery("placed", copy=False))
        for number in range(len(self.levels)):
            name = f"cell{number}"
            joined = joined.select(
                sql.alias(sql.column("segment_id", name), f"{sql.SCRATCH}cs{number}"),
                sql.alias(sql.column("points", name), f"{sql.SCRATCH}cp{number}"),
            ).join(
                self._cells(number).subquery(name),
                on=sql.both(
                    *(
                        sql.compare(
                            exp.EQ,
                            sql.column(f"{sql.SCRATCH}c{number}_{axis}", "placed"),
                            sql.column(f"cell_{axis + 1}", name),
                        )
                        for axis in range(self.space.size)
                    )
                ),
                join_type="left",
            )
        measured = sql.layer(joined, *self._distances())
        nearest = sql.layer(
            measured,
            *(
                sql.alias(
                    exp.Anonymous(this="list_min", expressions=[sql.scratch(f"cd{number}")]),
                    f"{sql.SCRATCH}cm{number}",
                )
                for number in range(len(self.levels))
            ),
        )
        found = exp.Coalesce(
            this=self._found(0),
            expressions=[
                *(self._found(number) for number in range(1, len(self.levels))),
                self._noise(),
            ],
        )
        segment = sql.case([(self.scorable(), found)])
        return sql.layer(nearest, sql.alias(segment, f"{sql.SCRATCH}segment"))

    def _corners(self) -> list[exp.Expr]:
        """Cell of the point in each level; adding 0 makes −0 the 0 that it equals."""
        return [
            sql.alias(
                exp.Add(
                    this=exp.Floor(
                        this=sql.product(sql.scratch(f"p{axis}"), sql.number(1.0 / level.side))
                    ),
                    expression=sql.number(0.0),
                ),
                f"{sql.SCRATCH}c{number}_{axis}",
            )
            for number, level in enumerate(self.levels)
            for axis in range(self.space.size)
        ]

    def _cells(self, number: int) -> exp.Select:
        columns = [f"cell_{axis + 1}" for axis in range(self.space.size)]
        source = sql.relation(self.table, "cells")
        query = exp.select(
            *(sql.column(name, "cells") for name in (*columns, "segment_id", "points"))
        ).from_(source)
        conditions = [sql.compare(exp.EQ, sql.column("level", "cells"), sql.integer(number))]
        return query.where(sql.both(*conditions, *self._own()))

    def _own(self) -> list[exp.Expr]:
        """Conditions for the rows of the model."""
        if self.stored is None:
            return []
        return [
            sql.compare(exp.EQ, sql.column("model_name", "cells"), sql.string(self.stored.name)),
            sql.compare(
                exp.EQ, sql.column("model_version", "cells"), sql.integer(self.stored.version)
            ),
            sql.compare(exp.EQ, sql.column("mark", "cells"), sql.string(self.stored.mark)),
        ]

    def _noise(self) -> exp.Expr:
        """0, or an error where the model's cells are in another file than the current one.

        A macro reads the tables of the current database, not those of the file that it is in.
        """
        if self.stored is None:
            return sql.integer(0)
        source = sql.relation(self.table, "cells")
        count = exp.select(exp.Count(this=exp.Star())).from_(source).where(sql.both(*self._own()))
        here = sql.compare(exp.GT, exp.Subquery(this=count), sql.integer(0))
        said = (
            f"segql: the cells of model {self.stored.name!r} are not in the current database; "
            "say USE with the one that the model is in"
        )
        fail = exp.Anonymous(this="error", expressions=[sql.string(said)])
        integer = exp.DataType.build("int")
        return sql.case([(here, sql.integer(0))], exp.Cast(this=fail, to=integer))

    def _distances(self) -> list[exp.Expr]:
        """Squared distances to the points that the cell lists."""
        squared = self.squared_distance(
            [_field(variable("q"), AXES[axis]) for axis in range(self.space.size)]
        )
        return [
            sql.alias(
                apply(sql.scratch(f"cp{number}"), "q", squared.copy()), f"{sql.SCRATCH}cd{number}"
            )
            for number in range(len(self.levels))
        ]

    def _found(self, number: int) -> exp.Expr:
        """Segment that a level gives: its cell's, or that of the nearest listed point."""
        own = sql.scratch(f"cs{number}")
        position = exp.Anonymous(
            this="list_position",
            expressions=[sql.scratch(f"cd{number}"), sql.scratch(f"cm{number}")],
        )
        listed = element(sql.scratch(f"cp{number}"), position)
        near = exp.Nullif(this=_field(listed, "segment_id"), expression=sql.integer(NOT_HERE))
        within = sql.compare(
            exp.LTE, sql.scratch(f"cm{number}"), sql.number(self.levels[number].eps ** 2)
        )
        held = exp.Not(this=exp.Is(this=own.copy(), expression=exp.Null()))
        return sql.case([(held, own), (within, near)])

    def scalar(self, features: Sequence[str]) -> exp.Expr:
        """A sub-query over one row, the arguments; DuckDB makes a join of it."""
        arguments = exp.select(*(sql.alias(sql.column(name), name) for name in features))
        source = arguments.subquery(exp.to_identifier(SOURCE, quoted=True))
        assigned = self.assigned(self.space.inputs(source))
        segment = exp.select(sql.scratch("segment")).from_(assigned.subquery("assigned"))
        return exp.Subquery(this=segment)


def _field(value: exp.Expr, name: str) -> exp.Expr:
    return exp.Anonymous(this="struct_extract", expressions=[value, sql.string(name)])
