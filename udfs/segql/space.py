"""The model space: learned axes, an optional projection, and the linear map between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.features import SOURCE, Dimension

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """Principal components: scores = components · (z − mean).

    Attributes
    ----------
    components : ndarray of shape (n_components, n_dimensions)
        Unit loadings, the largest absolute one positive.
    mean : ndarray of shape (n_dimensions,)
        Mean of the scaled dimensions.
    eigenvalues : ndarray of shape (n_components,)
        Variance of each component, divisor n − 1 as scikit-learn's ``explained_variance_``.
    total_variance : float
        Variance of all dimensions, same divisor.
    """

    components: Matrix
    mean: Matrix
    eigenvalues: Matrix
    total_variance: float

    @property
    def explained_variance_ratio(self) -> Matrix:
        """Share of the variance of each component."""
        return self.eigenvalues / self.total_variance


class Space:
    """Points as SQL: p = matrix · u + shift, where u = base − origin for each dimension.

    Scale, weight and projection are one matrix; a scorer folds it into its own weights, so that
    a row costs one multiplication per dimension and centroid whatever the recipe was.

    Without a projection the shift is left out: it moves rows and centroids alike, and small
    numbers keep more digits.
    """

    def __init__(
        self, dimensions: Sequence[Dimension], projection: Projection | None = None
    ) -> None:
        self.dimensions = list(dimensions)
        self.projection = projection
        factors = np.array([axis.factor for axis in self.dimensions])
        #: z of a row is factor · u + offset
        self.offsets = np.array([axis.offset for axis in self.dimensions])
        means = np.array([axis.mean - axis.origin for axis in self.dimensions])
        if projection is None:
            self.matrix: Matrix = np.diag(factors)
            self.shift: Matrix = np.zeros(len(factors))
            self.mean: Matrix = factors * means
            self.variance: Matrix = factors**2 * [axis.variance for axis in self.dimensions]
        else:
            self.matrix = projection.components * factors
            self.shift = projection.components @ (self.offsets - projection.mean)
            self.mean = np.zeros(len(projection.components))
            self.variance = projection.eigenvalues

    @property
    def size(self) -> int:
        """Number of coordinates of a point."""
        return len(self.matrix)

    @cached_property
    def bounds(self) -> Matrix:
        """Largest absolute value of each coordinate over the training rows."""
        reach = np.array([max(axis.bound, 0.0) for axis in self.dimensions])
        return np.asarray(np.abs(self.matrix) @ reach + np.abs(self.shift))

    def to_scaled(self, points: Matrix) -> Matrix:
        """Take points of the model space to scaled dimensions (z), as far as the projection can."""
        points = np.atleast_2d(points)
        if self.projection is None:
            return np.asarray(points + self.offsets)
        return np.asarray(points @ self.projection.components + self.projection.mean)

    def relevance(self, centroids: Matrix, sizes: Matrix) -> dict[str, float]:
        """Share of each feature in the variance between segments, on the scaled dimensions."""
        scaled = self.to_scaled(centroids)
        center = sizes @ scaled / max(sizes.sum(), 1.0)
        between = sizes @ (scaled - center) ** 2
        total = float(between.sum())
        shares: dict[str, float] = {}
        for axis, value in zip(self.dimensions, between, strict=True):
            part = float(value) / total if total > 0 else 0.0
            shares[axis.feature] = shares.get(axis.feature, 0.0) + part
        return shares

    # -- SQL ---------------------------------------------------------------------------------

    def inputs(self, source: exp.Expr, *carried: exp.Expr) -> exp.Select:
        """First layer: the input's columns and u of each dimension.

        Parameters
        ----------
        source : sqlglot expression
            A FROM item with the alias ``source``.
        *carried : sqlglot expression
            What to carry along; by default all columns of the input.
        """
        return exp.select(*(carried or [sql.star(SOURCE)]), *self._inputs()).from_(source.copy())

    def compact_inputs(self, source: exp.Expr) -> exp.Select:
        """Two layers that say the same as :meth:`inputs` in less text: a column is read once."""
        read: dict[str, exp.Expr] = {}

        def named(node: exp.Expr) -> exp.Expr:
            column = node.this if isinstance(node, exp.Cast) else node
            if not isinstance(column, exp.Column) or column.table != SOURCE:
                return node
            known = read.setdefault(node.sql(), sql.alias(node, f"{sql.SCRATCH}x{len(read)}"))
            return sql.column(known.alias)

        columns = [column.transform(named) for column in self._inputs()]
        first = exp.select(sql.star(SOURCE), *read.values()).from_(source.copy())
        return sql.layer(first, *columns)

    def _inputs(self) -> list[exp.Expr]:
        return [
            sql.alias(
                axis.base if axis.origin == 0 else sql.minus(axis.base, sql.number(axis.origin)),
                f"{sql.SCRATCH}u{index}",
            )
            for index, axis in enumerate(self.dimensions)
        ]

    def coordinates(self) -> list[exp.Expr]:
        """SQL of each coordinate, over the columns of :meth:`inputs`."""
        return [self.linear(self.matrix[row], float(self.shift[row])) for row in range(self.size)]

    def linear(self, weights: Matrix, bias: float, *, strict: bool = False) -> exp.Expr:
        """SQL of weights · u + bias; zero weights leave no trace.

        With ``strict`` they do where u may be NULL: LEAST passes over a NULL, so a row that misses
        a column must be NULL in every score.
        """
        terms: list[exp.Expr] = [
            sql.product(sql.scratch(f"u{index}"), sql.number(float(weight)))
            for index, (weight, axis) in enumerate(zip(weights, self.dimensions, strict=True))
            if weight != 0 or (strict and axis.nullable)
        ]
        if bias != 0 or not terms:
            terms.append(sql.number(bias))
        return sql.total(terms)


def fit_projection(covariance: Matrix, mean: Matrix, rows: int, wanted: int | float) -> Projection:
    """Learn principal components from a covariance matrix.

    Parameters
    ----------
    covariance : ndarray of shape (n_dimensions, n_dimensions)
        Of the scaled dimensions, divisor n.
    mean : ndarray of shape (n_dimensions,)
        Of the scaled dimensions.
    rows : int
        How many rows it was computed on.
    wanted : int or float
        Number of components, or the share of variance (0, 1) that they must reach.

    Notes
    -----
    Signs are fixed by the largest absolute loading, as scikit-learn's ``svd_flip`` does on
    loadings (ties: the first).
    """
    values, vectors = np.linalg.eigh(covariance * (rows / max(rows - 1, 1)))
    order = np.argsort(values)[::-1]
    values, vectors = np.maximum(values[order], 0.0), vectors[:, order].T
    total = float(values.sum())
    if isinstance(wanted, float):
        reached = np.cumsum(values) / total
        count = int(np.searchsorted(reached, wanted - 1e-12) + 1)
    else:
        count = wanted
    components = vectors[:count]
    # Loadings that differ in the last bit only are a tie, and the first of them decides.
    largest = np.argmax(np.round(np.abs(components), 9), axis=1)
    signs = np.sign(components[np.arange(count), largest])
    return Projection(components * signs[:, None], mean, values[:count], total)


def signed_as_bigquery(components: Matrix) -> Matrix:
    """Turn components so that the first loading which is not 0 is negative.

    That is how the components that BigQuery has published are signed.
    """
    first = np.argmax(np.abs(components) > 1e-9, axis=1)
    signs = -np.sign(components[np.arange(len(components)), first])
    return np.asarray(components * np.where(signs == 0, 1.0, signs)[:, None])


def projection_state(projection: Projection | None) -> dict[str, Any] | None:
    """Everything learned, for the registry."""
    if projection is None:
        return None
    return {
        "components": projection.components.tolist(),
        "mean": projection.mean.tolist(),
        "eigenvalues": projection.eigenvalues.tolist(),
        "total_variance": projection.total_variance,
    }


def projection_from_state(state: dict[str, Any] | None) -> Projection | None:
    """Rebuild a projection from the registry."""
    if state is None:
        return None
    return Projection(
        np.array(state["components"]),
        np.array(state["mean"]),
        np.array(state["eigenvalues"]),
        float(state["total_variance"]),
    )
