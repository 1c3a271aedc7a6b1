"""Assignment by the nearest direction: cosine distance, written as linear scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import NearestCentroid, Scorer, inputs_in_list, listed
from segql.expressions import offset, substitute, variable
from segql.space import Matrix, Space


@dataclass(frozen=True)
class NearestDirection(Scorer):
    """A row belongs to the centroid with which it makes the smallest angle.

    cos(z, c) is largest where −ĉ·z is smallest, ĉ of length 1: the length of z is the same for
    every centroid, so that the scores are linear.

    Parameters
    ----------
    space, centroids
        See :class:`Assignment`.
    directions : ndarray of shape (k, space.size)
        Centroids about the origin of z, of length 1.
    offsets : ndarray of shape (space.size,)
        What a point lacks of z: the space leaves it out, but an angle depends on it.
    """

    directions: Matrix
    offsets: Matrix

    @classmethod
    def to(cls, space: Space, centroids: Matrix) -> NearestDirection:
        """Assign to the directions of centroids of the model space."""
        moved = centroids + space.offsets
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        directions = np.divide(moved, lengths, out=np.zeros_like(moved), where=lengths > 0)
        return cls(space, centroids, directions, space.offsets)

    def scores(self) -> list[exp.Expr]:
        """SQL of −2·ĉ·z for each centroid, over the columns of the inputs."""
        constants = -(self.directions**2).sum(axis=1) - 2.0 * self.directions @ self.offsets
        return NearestCentroid(self.space, self.directions).scores(constants.tolist())

    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """Layers: a score per centroid, the smallest, its segment; ties go to the lower one."""
        columns = [
            sql.alias(score, f"{sql.SCRATCH}s{index}") for index, score in enumerate(self.scores())
        ]
        if points:
            columns += [
                sql.alias(value, f"{sql.SCRATCH}p{index}")
                for index, value in enumerate(self.space.coordinates())
            ]
        names = [f"s{index}" for index in range(self.k)]
        low = sql.least([sql.scratch(name) for name in names])
        lowest = sql.layer(sql.layer(inputs, *columns), sql.alias(low, f"{sql.SCRATCH}low"))
        segment = sql.case(
            [
                (sql.compare(exp.EQ, sql.scratch(name), sql.scratch("low")), sql.integer(index))
                for index, name in enumerate(names, start=1)
            ]
        )
        return sql.layer(lowest, sql.alias(segment, f"{sql.SCRATCH}segment"))

    def expression(self) -> exp.Expr:
        """CASE, LEAST and arithmetic."""
        inputs = {
            f"{sql.SCRATCH}u{index}": offset(axis)
            for index, axis in enumerate(self.space.dimensions)
        }
        scores = [substitute(score, inputs) for score in self.scores()]
        return exp.Case(
            this=sql.least([score.copy() for score in scores]),
            ifs=[
                exp.If(this=score, true=sql.integer(index))
                for index, score in enumerate(scores, start=1)
            ],
        )

    def scalar(self, features: Sequence[str]) -> exp.Expr:
        """DuckDB's lists, as for centroids."""
        inputs = inputs_in_list(self)
        scores = exp.Array(expressions=[substitute(score, inputs) for score in self.scores()])
        low = exp.Anonymous(this="list_min", expressions=[variable("s")])
        position = exp.Anonymous(this="list_position", expressions=[variable("s"), low])
        scored = exp.Not(this=exp.Is(this=low.copy(), expression=exp.Null()))
        return listed(self, scores, sql.case([(scored, position)]))
