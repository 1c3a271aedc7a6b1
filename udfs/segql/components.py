"""Projection without segments: a model whose rows are told by their principal components."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import Scorer
from segql.errors import SegqlError


class Components(Scorer):
    """A row belongs to no segment; its prediction is its principal components, from 1 on."""

    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """One layer: the components, and NULL for the segment."""
        coordinates = [
            sql.alias(value, f"{sql.SCRATCH}p{index}")
            for index, value in enumerate(self.space.coordinates())
        ]
        return sql.layer(inputs, *coordinates, sql.alias(_no_segment(), f"{sql.SCRATCH}segment"))

    def predicted(self, inputs: exp.Select, keys: Sequence[str]) -> exp.Select:
        """The components."""
        return self.assigned(inputs)

    def prediction_columns(self) -> list[exp.Expr]:
        """``principal_component_1`` and on."""
        return [
            sql.alias(sql.scratch(f"p{index}"), f"principal_component_{index + 1}")
            for index in range(self.space.size)
        ]

    def scalar(self, features: Sequence[str]) -> exp.Expr:
        """NULL: there is no segment."""
        return _no_segment()

    def expression(self) -> exp.Expr:
        """Refuse: there is no segment to write for another engine."""
        raise SegqlError(
            "this model has principal components and no segments; accepted for export: a model "
            "with segments"
        )


def _no_segment() -> exp.Expr:
    return exp.Cast(this=exp.Null(), to=exp.DataType.build("int"))
