"""Assignment as SQL: the one expression that trains, scores and is exported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlglot import exp

from segql import sql_text as sql
from segql.expressions import apply, element, offset, substitute, unqualified, variable
from segql.space import Matrix, Space

#: Stands for "no centroid"; larger than any squared distance of usable numbers.
FAR = 1e300
#: The unit of the scores in a text that is kept. DuckDB prints a stored 0.25 as
#: CAST(0.25 AS DOUBLE) and a stored 2.5e-19 as it is; a power of two changes no digit.
UNIT = 2.0**-60
#: segment_key of what belongs to no segment, whose segment_id is 0.
NOISE = "noise"


@dataclass(frozen=True)
class Assignment(ABC):
    """Which segment a row belongs to.

    Parameters
    ----------
    space : Space
        Where points come from.
    centroids : ndarray of shape (k, space.size)
        Mean of each segment, in segment_id order; distances are to these.
    """

    space: Space
    centroids: Matrix

    @property
    def k(self) -> int:
        """Number of segments, noise not counted."""
        return len(self.centroids)

    @abstractmethod
    def assigned(self, inputs: exp.Select, *, points: bool = False) -> exp.Select:
        """Layers up to ``_sq_segment``: 0 is noise, NULL a row that cannot be scored.

        Parameters
        ----------
        inputs : sqlglot expression
            The layer of :meth:`Space.inputs`, which is carried along.
        points : bool
            Whether ``_sq_p0`` … are needed.
        """

    def squared_norm(self) -> exp.Expr:
        """SQL of ‖p‖², over the columns of a layer with points."""
        names = [f"p{index}" for index in range(self.space.size)]
        return sql.total(
            exp.Mul(this=sql.scratch(name), expression=sql.scratch(name)) for name in names
        )

    def own_score(self) -> exp.Expr:
        """SQL of the squared distance to the own centroid less ‖p‖², over :meth:`assigned`."""
        scores = NearestCentroid(self.space, self.centroids).scores()
        return sql.case([(_is_segment(index), score) for index, score in enumerate(scores)])


class Scorer(Assignment):
    """An assignment that a model leaves behind: it gives all prediction columns."""

    @abstractmethod
    def scalar(self, features: Sequence[str]) -> exp.Expr:
        """segment_id in DuckDB's SQL as one expression over the bare feature columns."""

    @abstractmethod
    def expression(self) -> exp.Expr:
        """segment_id as one expression that any engine reads, over the columns of the source."""

    def predicted(self, inputs: exp.Select, keys: Sequence[str]) -> exp.Select:
        """All layers, ending in the scratch forms of the five prediction columns.

        Distances are to centroids whatever decides the segment: the own one's, and the nearest
        of the others', whose segment is the next.
        """
        names = [f"t{index}" for index in range(self.k)]
        scored = sql.layer(
            self.assigned(inputs, points=True),
            *(
                sql.alias(score, sql.SCRATCH + name)
                for name, score in zip(
                    names,
                    NearestCentroid(self.space, self.centroids).scores(unit=UNIT),
                    strict=True,
                )
            ),
            sql.alias(self.squared_norm(), f"{sql.SCRATCH}norm"),
        )
        own = sql.case([(_is_segment(i), sql.scratch(name)) for i, name in enumerate(names)])
        others = sql.least(
            [
                sql.case([(_is_segment(i), sql.number(FAR))], sql.scratch(name))
                for i, name in enumerate(names)
            ]
        )
        known = sql.compare(exp.LT, others.copy(), sql.number(FAR))
        compared = sql.layer(
            scored,
            sql.alias(own, f"{sql.SCRATCH}own"),
            sql.alias(sql.case([(known, others)]), f"{sql.SCRATCH}second"),
        )
        following = sql.case(
            [
                (
                    sql.both(
                        sql.compare(exp.EQ, sql.scratch(name), sql.scratch("second")),
                        sql.compare(exp.NEQ, sql.scratch("segment"), sql.integer(i + 1)),
                    ),
                    sql.integer(i + 1),
                )
                for i, name in enumerate(names)
            ]
        )
        return sql.layer(
            compared,
            sql.alias(_root(sql.scratch("norm"), sql.scratch("own")), f"{sql.SCRATCH}d1"),
            sql.alias(_root(sql.scratch("norm"), sql.scratch("second")), f"{sql.SCRATCH}d2"),
            sql.alias(following, f"{sql.SCRATCH}next"),
            sql.alias(key_case(sql.scratch("segment"), keys), f"{sql.SCRATCH}key"),
        )

    def prediction_columns(self) -> list[exp.Expr]:
        """The five prediction columns, over the last layer of :meth:`predicted`."""
        first, second = sql.scratch("d1"), sql.scratch("d2")
        if self.k == 1:
            scored = exp.Not(this=exp.Is(this=first.copy(), expression=exp.Null()))
            confidence: exp.Expr = sql.case([(scored, sql.number(1.0))])
        else:
            # Written with a positive denominator: twice the same centroid means no confidence, and
            # so does another centroid that is nearer, or a row that is infinitely far from both.
            gap = exp.Div(
                this=exp.Paren(this=sql.minus(second.copy(), first.copy())),
                expression=second.copy(),
            )
            apart = sql.both(
                sql.compare(exp.GT, second.copy(), sql.number(0.0)),
                sql.compare(exp.LTE, first.copy(), second.copy()),
                sql.compare(exp.LT, second.copy(), sql.number(FAR)),
            )
            same = sql.compare(exp.GTE, first.copy(), sql.number(0.0))
            confidence = sql.case([(apart, gap), (same, sql.number(0.0))])
        return [
            sql.alias(_integer(sql.scratch("segment")), "segment_id"),
            sql.alias(sql.scratch("key"), "segment_key"),
            sql.alias(first, "distance"),
            sql.alias(_integer(sql.scratch("next")), "next_segment_id"),
            sql.alias(confidence, "confidence"),
        ]


class NearestCentroid(Scorer):
    """Rows belong to the nearest of k centroids.

    ‖p − c‖² = ‖p‖² + (‖c‖² − 2·c·p), and ‖p‖² is the same for every centroid: the segment is
    the smallest of k linear scores. Ties go to the lower segment_id.
    """

    @property
    def weights(self) -> Matrix:
        """What an input adds to each score, shape (k, n_dimensions)."""
        return np.asarray(-2.0 * self.centroids @ self.space.matrix)

    def scores(self, constants: Sequence[float] | None = None, unit: float = 1.0) -> list[exp.Expr]:
        """SQL of ‖c‖² − 2·c·p (+ a constant) for each centroid, over the columns of the inputs."""
        weights = self.weights * unit
        biases = (self.centroids**2).sum(axis=1) - 2.0 * self.centroids @ self.space.shift
        if constants is not None:
            biases = biases + np.asarray(constants)
        return [
            self.space.linear(weights[index], float(biases[index]) * unit, strict=True)
            for index in range(self.k)
        ]

    def scored(self, inputs: exp.Select, *, points: bool, unit: float = 1.0) -> exp.Select:
        """Second layer: a score per centroid, and the point itself when it is needed."""
        columns = [
            sql.alias(score, f"{sql.SCRATCH}s{index}")
            for index, score in enumerate(self.scores(unit=unit))
        ]
        if points:
            columns += [
                sql.alias(value, f"{sql.SCRATCH}p{index}")
                for index, value in enumerate(self.space.coordinates())
            ]
        return sql.layer(inputs, *columns)

    def assigned(
        self, inputs: exp.Select, *, points: bool = False, unit: float = 1.0
    ) -> exp.Select:
        """Layers up to ``_sq_low`` (smallest score) and ``_sq_segment`` (its segment)."""
        low = sql.least([sql.scratch(f"s{index}") for index in range(self.k)])
        scored = self.scored(inputs, points=points, unit=unit)
        lowest = sql.layer(scored, sql.alias(low, f"{sql.SCRATCH}low"))
        return sql.layer(lowest, sql.alias(self._segment("low"), f"{sql.SCRATCH}segment"))

    def own_score(self) -> exp.Expr:
        """The smallest score is the own one."""
        return sql.scratch("low")

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
        """DuckDB's lists, so that a feature and a score stand in the text once.

        Two nested lambdas take the place of the layers of a query: inputs, scores, position.
        """
        inputs = inputs_in_list(self)
        scores = exp.Array(expressions=[substitute(s, inputs) for s in self.scores(unit=UNIT)])
        low = exp.Anonymous(this="list_min", expressions=[variable("s")])
        position = exp.Anonymous(this="list_position", expressions=[variable("s"), low])
        scored = exp.Not(this=exp.Is(this=low.copy(), expression=exp.Null()))
        return listed(self, scores, sql.case([(scored, position)]))

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
        assigned = self.assigned(inputs, points=True, unit=UNIT)
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


def inputs_in_list(assignment: Assignment) -> dict[str, exp.Expr]:
    """Where :func:`listed` keeps the inputs: elements of a lambda's argument."""
    return {
        f"{sql.SCRATCH}u{index}": element(variable("u"), index + 1)
        for index in range(len(assignment.space.dimensions))
    }


def listed(assignment: Assignment, scores: exp.Expr, result: exp.Expr) -> exp.Expr:
    """Write ``result`` of ``scores`` (``s``) of the inputs (``u``), over bare feature columns."""
    inputs = exp.Array(expressions=[offset(axis) for axis in assignment.space.dimensions])
    inner = element(apply(exp.Array(expressions=[scores]), "s", result), 1)
    return unqualified(element(apply(exp.Array(expressions=[inputs]), "u", inner), 1))


def key_case(segment: exp.Expr, keys: Sequence[str]) -> exp.Expr:
    """SQL of the segment_key of a segment_id."""
    return sql.case(
        [
            (sql.compare(exp.EQ, segment.copy(), sql.integer(index)), sql.string(key))
            for index, key in [*enumerate(keys, start=1), (0, NOISE)]
        ]
    )


def _is_segment(index: int) -> exp.Expr:
    return sql.compare(exp.EQ, sql.scratch("segment"), sql.integer(index + 1))


def _integer(value: exp.Expr) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build("int"))


def _root(norm: exp.Expr, score: exp.Expr) -> exp.Expr:
    """SQL of √(‖p‖² + score), the score in units.

    Rounding may leave a hair below zero, which is zero.
    """
    squared = exp.Add(this=norm, expression=sql.product(score, sql.number(1.0 / UNIT)))
    positive = sql.compare(exp.GT, squared.copy(), sql.number(0.0))
    negative = sql.compare(exp.LTE, squared.copy(), sql.number(0.0))
    return sql.case([(positive, exp.Sqrt(this=squared)), (negative, sql.number(0.0))])
