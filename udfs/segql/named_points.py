"""Assignment by the nearest of a few points that name a segment, each with a reach or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import FAR, NearestCentroid, Scorer, inputs_in_list, listed
from segql.expressions import offset, substitute, variable
from segql.space import Matrix, Space


@dataclass(frozen=True)
class NamedPoints(Scorer):
    """A row belongs to the segment that the nearest point names.

    Parameters
    ----------
    space, centroids
        See :class:`Assignment`.
    points : ndarray of shape (m, space.size)
    labels : ndarray of int, shape (m,)
        segment_id that each point names; 0 is noise.
    reaches : ndarray of shape (m,), optional
        Radius of each point's ball. The nearest is then the one of the smallest power distance
        ‖p − c‖² − r², and a row outside of every ball is noise.

    Notes
    -----
    As for centroids, ‖p‖² is the same for every point: all scores are linear, power distances
    too. The segment's score is the smallest of its points'.
    """

    points: Matrix
    labels: NDArray[np.intp]
    reaches: Matrix | None = None

    def scores(self) -> list[exp.Expr]:
        """SQL of ‖c‖² − r² − 2·c·p for each point, over the columns of the inputs."""
        constants = None if self.reaches is None else (-(self.reaches**2)).tolist()
        return NearestCentroid(self.space, self.points).scores(constants)

    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """Layers: a score per point, the smallest per segment, the smallest of all, its segment."""
        columns = [
            sql.alias(score, f"{sql.SCRATCH}m{index}") for index, score in enumerate(self.scores())
        ]
        if points or self.reaches is not None:
            columns += [
                sql.alias(value, f"{sql.SCRATCH}p{index}")
                for index, value in enumerate(self.space.coordinates())
            ]
        named = self._by_segment([sql.scratch(f"m{index}") for index in range(len(self.points))])
        smallest = sql.layer(
            sql.layer(inputs, *columns),
            *(sql.alias(score, f"{sql.SCRATCH}g{segment}") for segment, score in named.items()),
        )
        low = sql.least([sql.scratch(f"g{segment}") for segment in named])
        lowest = sql.layer(smallest, sql.alias(low, f"{sql.SCRATCH}low"))
        branches = [
            (
                sql.compare(exp.EQ, sql.scratch(f"g{segment}"), sql.scratch("low")),
                sql.integer(segment),
            )
            for segment in named
        ]
        if self.reaches is not None:
            outside = sql.compare(exp.GT, self._power(), sql.number(0.0))
            branches.insert(0, (outside, sql.integer(0)))
        return sql.layer(lowest, sql.alias(sql.case(branches), f"{sql.SCRATCH}segment"))

    def _power(self) -> exp.Expr:
        return exp.Add(this=sql.scratch("low"), expression=self.squared_norm())

    def _by_segment(self, scores: list[exp.Expr]) -> dict[int, exp.Expr]:
        """Smallest score of each segment's points; ties go to the lower segment_id."""
        return {
            int(segment): sql.least(
                [scores[index] for index in np.flatnonzero(self.labels == segment)]
            )
            for segment in np.unique(self.labels)
        }

    def expression(self) -> exp.Expr:
        """CASE, LEAST and arithmetic; with reaches also ‖p‖²."""
        inputs = {
            f"{sql.SCRATCH}u{index}": offset(axis)
            for index, axis in enumerate(self.space.dimensions)
        }
        named = self._by_segment([substitute(score, inputs) for score in self.scores()])
        lowest = sql.least([score.copy() for score in named.values()])
        segment = exp.Case(
            this=lowest,
            ifs=[exp.If(this=score, true=sql.integer(index)) for index, score in named.items()],
        )
        if self.reaches is None:
            return segment
        norm = substitute(_norm(self.space), inputs)
        outside = sql.compare(exp.GT, exp.Add(this=lowest.copy(), expression=norm), sql.number(0.0))
        return sql.case([(outside, sql.integer(0))], segment)

    def scalar(self, features: Sequence[str]) -> exp.Expr:
        """Two nested lambdas over DuckDB's lists: inputs, scores, position, name."""
        order = np.argsort(self.labels, kind="stable")
        inputs = inputs_in_list(self)
        scores = self.scores()
        low = exp.Anonymous(this="list_min", expressions=[variable("s")])
        position = exp.Anonymous(this="list_position", expressions=[variable("s"), low])
        names = exp.Array(expressions=[sql.integer(int(label)) for label in self.labels[order]])
        segment = exp.Anonymous(this="list_extract", expressions=[names, position])
        branches: list[tuple[exp.Expr, exp.Expr]] = []
        if self.reaches is not None:
            norm = substitute(_norm(self.space), inputs)
            power = exp.Add(this=low.copy(), expression=norm)
            branches.append((sql.compare(exp.GT, power, sql.number(0.0)), sql.integer(0)))
        scored = sql.compare(exp.LT, low.copy(), sql.number(FAR))
        branches.append((scored, segment))
        listed_scores = exp.Array(expressions=[substitute(scores[i], inputs) for i in order])
        return listed(self, listed_scores, sql.case(branches))


def _norm(space: Space) -> exp.Expr:
    """SQL of ‖p‖² over the columns of the inputs, each coordinate written out."""
    return sql.total(
        exp.Mul(this=exp.Paren(this=value), expression=exp.Paren(this=value.copy()))
        for value in space.coordinates()
    )
