"""Nearest-centroid assignment as SQL: the one expression that trains, scores and is exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlglot import exp

from segql import sql
from segql.space import Matrix, Space

#: Stands for "no centroid"; larger than any squared distance of usable numbers.
FAR = 1e300


@dataclass(frozen=True)
class NearestCentroid:
    """Rows belong to the nearest of k centroids.

    ‖p − c‖² = ‖p‖² + (‖c‖² − 2·c·p), and ‖p‖² is the same for every centroid: the segment is
    the smallest of k linear scores. Ties go to the lower segment_id.

    Parameters
    ----------
    space : Space
        Where points come from.
    centroids : ndarray of shape (k, space.size)
        In segment_id order.
    """

    space: Space
    centroids: Matrix

    @property
    def k(self) -> int:
        """Number of centroids."""
        return len(self.centroids)

    def scores(self, constants: Sequence[float] | None = None) -> list[exp.Expr]:
        """SQL of ‖c‖² − 2·c·p (+ a constant) for each centroid, over the columns of the inputs."""
        weights = -2.0 * self.centroids @ self.space.matrix
        biases = (self.centroids**2).sum(axis=1) - 2.0 * self.centroids @ self.space.shift
        if constants is not None:
            biases = biases + np.asarray(constants)
        return [
            self.space.linear(weights[index], float(biases[index]), strict=True)
            for index in range(self.k)
        ]

    def squared_norm(self) -> exp.Expr:
        """SQL of ‖p‖², over the columns of :meth:`scored`."""
        names = [f"p{index}" for index in range(self.space.size)]
        return sql.total(
            exp.Mul(this=sql.scratch(name), expression=sql.scratch(name)) for name in names
        )

    def scored(self, inputs: exp.Select, *, points: bool) -> exp.Select:
        """Second layer: a score per centroid, and the point itself when it is needed."""
        columns = [
            sql.alias(score, f"{sql.SCRATCH}s{index}") for index, score in enumerate(self.scores())
        ]
        if points:
            columns += [
                sql.alias(value, f"{sql.SCRATCH}p{index}")
                for index, value in enumerate(self.space.coordinates())
            ]
        return sql.layer(inputs, *columns)

    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """Layers up to ``__segql_low`` (smallest score) and ``__segql_segment`` (its segment)."""
        low = sql.least([sql.scratch(f"s{index}") for index in range(self.k)])
        lowest = sql.layer(self.scored(inputs, points=points), sql.alias(low, f"{sql.SCRATCH}low"))
        return sql.layer(lowest, sql.alias(self._segment("low"), f"{sql.SCRATCH}segment"))

    def _segment(self, low: str, excluding: str | None = None) -> exp.Case:
        """CASE that names the first centroid whose score is the given one."""
        branches: list[tuple[exp.Expr, exp.Expr]] = []
        for index in range(self.k):
            matches: exp.Expr = sql.compare(exp.EQ, sql.scratch(f"s{index}"), sql.scratch(low))
            if excluding is not None:
                other = sql.compare(exp.NEQ, sql.scratch(excluding), sql.integer(index + 1))
                matches = sql.both(matches, other)
            branches.append((matches, sql.integer(index + 1)))
        return sql.case(branches)

    def predicted(self, inputs: exp.Select, keys: Sequence[str]) -> exp.Select:
        """All layers, ending in the scratch forms of the five prediction columns."""
        assigned = self.assigned(inputs, points=True)
        if self.k == 1:
            second: exp.Expr = sql.double(exp.Null())
        else:
            second = sql.least(
                [
                    sql.case(
                        [
                            (
                                sql.compare(exp.EQ, sql.scratch("segment"), sql.integer(index + 1)),
                                sql.number(FAR),
                            )
                        ],
                        sql.scratch(f"s{index}"),
                    )
                    for index in range(self.k)
                ]
            )
        runner_up = sql.layer(
            assigned,
            sql.alias(second, f"{sql.SCRATCH}second"),
            sql.alias(self.squared_norm(), f"{sql.SCRATCH}norm"),
        )
        return sql.layer(
            runner_up,
            sql.alias(_root(sql.scratch("norm"), sql.scratch("low")), f"{sql.SCRATCH}d1"),
            sql.alias(_root(sql.scratch("norm"), sql.scratch("second")), f"{sql.SCRATCH}d2"),
            sql.alias(self._next(), f"{sql.SCRATCH}next"),
            sql.alias(key_case(sql.scratch("segment"), keys), f"{sql.SCRATCH}key"),
        )

    def _next(self) -> exp.Expr:
        if self.k == 1:
            return exp.Cast(this=exp.Null(), to=exp.DataType.build("int"))
        scored = exp.Not(this=exp.Is(this=sql.scratch("low"), expression=exp.Null()))
        return sql.case([(scored, self._segment("second", excluding="segment"))])

    def prediction_columns(self) -> list[exp.Expr]:
        """The five prediction columns, over the last layer of :meth:`predicted`."""
        first, second = sql.scratch("d1"), sql.scratch("d2")
        if self.k == 1:
            scored = exp.Not(this=exp.Is(this=first.copy(), expression=exp.Null()))
            confidence: exp.Expr = sql.case([(scored, sql.number(1.0))])
        else:
            # Written with a positive denominator: twice the same centroid means no confidence.
            gap = exp.Div(
                this=exp.Paren(this=sql.minus(second.copy(), first.copy())),
                expression=second.copy(),
            )
            apart = sql.compare(exp.GT, second.copy(), sql.number(0.0))
            same = sql.compare(exp.EQ, second.copy(), sql.number(0.0))
            confidence = sql.case([(apart, gap), (same, sql.number(0.0))])
        return [
            sql.alias(_integer(sql.scratch("segment")), "segment_id"),
            sql.alias(sql.scratch("key"), "segment_key"),
            sql.alias(first, "distance"),
            sql.alias(_integer(sql.scratch("next")), "next_segment_id"),
            sql.alias(confidence, "confidence"),
        ]


def key_case(segment: exp.Expr, keys: Sequence[str]) -> exp.Expr:
    """SQL of the segment_key of a segment_id."""
    return sql.case(
        [
            (sql.compare(exp.EQ, segment.copy(), sql.integer(index + 1)), sql.string(key))
            for index, key in enumerate(keys)
        ]
    )


def _integer(value: exp.Expr) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build("int"))


def _root(norm: exp.Expr, score: exp.Expr) -> exp.Expr:
    """SQL of √(‖p‖² + score); rounding may leave a hair below zero, which is zero."""
    squared = exp.Add(this=norm, expression=score)
    positive = sql.compare(exp.GT, squared.copy(), sql.number(0.0))
    negative = sql.compare(exp.LTE, squared.copy(), sql.number(0.0))
    return sql.case([(positive, exp.Sqrt(this=squared)), (negative, sql.number(0.0))])
