"""The queries behind the figures, part by part, on rows that can be counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pytest
from sklearn.metrics import silhouette_samples
from sqlglot import exp
from support import Matrix, store_numbers

from segql import metrics
from segql import sql_text as sql
from segql.assignment import NearestCentroid
from segql.engines.duckdb import DuckDBEngine
from segql.features import SOURCE, Dimension
from segql.metrics import exact_figures, observed_bounds
from segql.space import Space
from segql.sums import GridSums
from segql.training import aliased


def stored(
    con: duckdb.DuckDBPyConnection, *columns: Sequence[float | None]
) -> tuple[DuckDBEngine, exp.Expr, Space]:
    """Columns as they are: nothing scaled, nothing shifted."""
    names = [f"x{place}" for place in range(len(columns))]
    store_numbers(con, "t", dict(zip(names, columns, strict=True)))
    axes = [
        Dimension(name, name, sql.column(name, SOURCE), 0.0, 1.0, 0.0, 0.0, 1.0, 10.0)
        for name in names
    ]
    return DuckDBEngine(con), aliased(exp.to_table("t", dialect="duckdb")), Space(axes)


def test_observed_bounds_are_the_largest_absolute_values(con: duckdb.DuckDBPyConnection) -> None:
    rows, bounds = observed_bounds(*stored(con, [1.0, -7.0, 2.0], [0.5, 3.0, None]))
    assert (rows, bounds.tolist()) == (3, [7.0, 3.0])


def test_where_nothing_was_observed_the_bound_is_zero(con: duckdb.DuckDBPyConnection) -> None:
    rows, bounds = observed_bounds(*stored(con, [None, None]))
    assert (rows, bounds.tolist()) == (2, [0.0])


def test_bounds_of_sums_are_reached(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound that is exceeded makes a sum inexact, and one that is too wide costs it digits.

    The row at −5 is 10 from the centroid, and both rows are 5 from the segment's mean; without
    another segment the silhouette is as high as it can be.
    """
    bounds: list[list[float]] = []

    class Spied(GridSums):
        def __init__(self, names: Sequence[str], given: Sequence[float], rows: int) -> None:
            bounds.append(list(given))
            super().__init__(names, given, rows)

    monkeypatch.setattr(metrics, "GridSums", Spied)
    engine, source, space = stored(con, [-5.0, 5.0])
    assignment = NearestCentroid(space, np.array([[5.0]]))
    figures = exact_figures(engine, source, assignment, np.array([5.0]), 2)
    assert bounds == [[5.0, 100.0], [1.0, 5.0]]
    assert figures.metrics["inertia"] == 100.0
    assert figures.means.tolist() == [[0.0]]


@pytest.mark.parametrize("k", [2, 64, 65])
def test_the_nearest_other_segment_in_either_form(con: duckdb.DuckDBPyConnection, k: int) -> None:
    """A branch a segment up to 64 of them, and beyond that a text that grows with k only."""
    scores: Matrix = np.random.default_rng(k).normal(0, 1, (k, k))
    segment = sql.scratch("segment")
    tests: list[exp.Expr] = [
        sql.compare(exp.EQ, segment.copy(), sql.integer(index + 1)) for index in range(k)
    ]
    nearest = metrics._nearest_other(tests)
    assert len(list(nearest.find_all(exp.Column))) == (k * k if k <= 64 else 2 * k)
    columns = ", ".join(f"{sql.SCRATCH}t{index} double" for index in range(k))
    con.execute(f"create table scored ({sql.SCRATCH}segment integer, {columns})")
    rows: list[list[Any]] = [[place + 1, *row] for place, row in enumerate(scores.tolist())]
    con.executemany(f"insert into scored values ({', '.join('?' * (k + 1))})", rows)
    found = con.execute(
        f"select {sql.text(nearest)} from scored order by {sql.SCRATCH}segment"
    ).fetchall()
    np.fill_diagonal(scores, np.inf)
    assert [value for (value,) in found] == scores.min(axis=1).tolist()


def test_silhouettes_of_very_small_segments_are_scikit_learns(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """One row, two, three and four: a row is not its own neighbour."""
    labels = np.repeat(np.arange(4), [1, 2, 3, 4])
    rows = np.random.default_rng(0).normal(0, 1, (10, 2)) + 20.0 * labels[:, None]
    engine, source, space = stored(con, rows[:, 0].tolist(), rows[:, 1].tolist())
    centroids = np.array([rows[labels == label].mean(axis=0) for label in range(4)])
    figures = exact_figures(
        engine, source, NearestCentroid(space, centroids), np.abs(rows).max(axis=0), 10
    )
    each = silhouette_samples(rows, labels, metric="sqeuclidean")
    expected = [each[labels == label].mean() for label in range(4)]
    np.testing.assert_allclose(figures.silhouettes, expected, rtol=0, atol=1e-12)
    assert figures.metrics["silhouette"] == pytest.approx(each.mean(), abs=1e-12)


@pytest.mark.filterwarnings("error")
def test_figures_of_nobody_are_zero(con: duckdb.DuckDBPyConnection) -> None:
    engine, source, space = stored(con, [None, None])
    assignment = NearestCentroid(space, np.array([[1.0], [2.0]]))
    figures = exact_figures(engine, source, assignment, np.array([1.0]), 2)
    assert figures.unscorable == 2
    assert figures.metrics.pop("calinski_harabasz") == 1.0
    assert set(figures.metrics.values()) == {0.0}
    assert figures.silhouettes.tolist() == [0.0, 0.0]
