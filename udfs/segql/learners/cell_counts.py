"""DBSCAN of more rows than may be fetched: counts of fine cells in place of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from sqlglot import exp

from segql import sql_text as sql
from segql.clusterers.dbscan import Density, fit_dbscan
from segql.clusterers.k_distance import chosen
from segql.clusterers.kmeans import Labels, Matrix
from segql.clusterers.near_components import just_above
from segql.learners.base import Training, agreement

#: Side of a fine cell in units of eps.
SIDE = 0.25
#: Steps across a cell in which a row's place is summed.
UNITS = 2.0**20
#: Rows of the sample on which both ways are compared.
COMPARED = 200_000


@dataclass(frozen=True)
class CellCounts:
    """Mean of the rows of each cell that holds some, and how many these are."""

    points: Matrix
    weights: Matrix


def count_cells(training: Training, eps: float) -> CellCounts:
    """Count and average the rows of each cell, in one query.

    Sums are of whole numbers, the place in the cell in units of 2^-20 of its side: the order of
    rows cannot matter.
    """
    engine, space = training.engine, training.space
    side, axes = SIDE * eps, range(space.size)
    scaled = sql.layer(
        space.inputs(training.data.source),
        *(
            sql.alias(
                sql.product(exp.Paren(this=value), sql.number(1.0 / side)), f"{sql.SCRATCH}s{axis}"
            )
            for axis, value in enumerate(space.coordinates())
        ),
    )
    placed = sql.layer(
        scaled,
        *(
            sql.alias(exp.Floor(this=sql.scratch(f"s{axis}")), f"{sql.SCRATCH}c{axis}")
            for axis in axes
        ),
    )
    inside = [
        exp.Cast(
            this=exp.Floor(
                this=sql.product(
                    exp.Paren(this=sql.minus(sql.scratch(f"s{axis}"), sql.scratch(f"c{axis}"))),
                    sql.number(UNITS),
                )
            ),
            to=exp.DataType.build("bigint"),
        )
        for axis in axes
    ]
    corners = [sql.scratch(f"c{axis}") for axis in axes]
    query = (
        exp.select(*(sql.alias(item.copy(), f"c{axis}") for axis, item in enumerate(corners)))
        .select(
            *(
                sql.alias(sql.double(exp.Sum(this=value)), f"sum{axis}")
                for axis, value in enumerate(inside)
            ),
            sql.alias(sql.double(exp.Count(this=exp.Star())), "rows"),
        )
        .from_(placed.subquery("placed"))
        .where(exp.Not(this=exp.Is(this=sql.scratch("c0"), expression=exp.Null())))
        .group_by(*(item.copy() for item in corners))
    )
    fetched = engine.arrays(query)
    rows = fetched["rows"]
    means = [(fetched[f"c{a}"] + (fetched[f"sum{a}"] / rows + 0.5) / UNITS) * side for a in axes]
    points = np.column_stack(means)
    whole = np.isfinite(points).all(axis=1)
    return CellCounts(points[whole], rows[whole])


def fit_cells(cells: CellCounts, eps: float, min_samples: int) -> Density:
    """DBSCAN of the means, each as many rows as its cell holds."""
    return fit_dbscan(cells.points, eps, min_samples, cells.weights)


def agreement_on(points: Matrix, eps: float, min_samples: int) -> float:
    """Adjusted Rand index of cells and exact clusters on a sample that both can have."""
    part = points[chosen(points, COMPARED)]
    scaled = max(round(min_samples * len(part) / len(points)), 2)
    side = SIDE * eps
    _, inverse, counts = np.unique(
        np.floor(part / side), axis=0, return_inverse=True, return_counts=True
    )
    means = [np.bincount(inverse.ravel(), weights=column) / counts for column in part.T]
    cells = CellCounts(np.column_stack(means), counts.astype(np.float64))
    coarse = _named(cells.points, fit_cells(cells, eps, scaled), part, eps)
    exact = _named(part, fit_dbscan(part, eps, scaled), part, eps)
    return agreement(coarse, exact, np.ones(len(part)))


def _named(centers: Matrix, found: Density, points: Matrix, eps: float) -> Labels:
    """Cluster of the nearest core point within eps."""
    cores = np.flatnonzero(found.is_core)
    if not len(cores):
        return np.full(len(points), -1, dtype=np.intp)
    distances, near = cKDTree(centers[cores]).query(
        points, distance_upper_bound=just_above(eps), workers=-1
    )
    labels = np.append(found.labels[cores], -1)
    return np.asarray(labels[np.where(np.isfinite(distances), near, len(cores))])
