"""What a fit leaves out to be fast changes nothing: sums, ranges, ids, draws, thinned polishing."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sqlglot import exp
from support import Matrix, blobs, store_numbers

import segql
from segql import coreset
from segql import sql_text as sql
from segql.aggregates import ProfileOf
from segql.engines.duckdb import DuckDBEngine
from segql.features import SOURCE
from segql.statistics import Statistics
from segql.sums import GridSums

RAW = {name: {"transform": "none", "scale": "none"} for name in ("f0", "f1", "f2")}


def store(con: duckdb.DuckDBPyConnection, points: Matrix, ids: Matrix) -> None:
    """Store points in the order of ``ids``, which they keep."""
    columns = {f"f{i}": points[ids, i].tolist() for i in range(points.shape[1])}
    store_numbers(con, "given", columns | {"label": ids.astype(float).tolist()})
    con.execute("create or replace table t as select label::bigint as id, f0, f1, f2 from given")


def grid_sums(con: duckdb.DuckDBPyConnection, values: Matrix, rows: int) -> list[Fraction]:
    con.register("given", {"v": values})
    bound = float(np.abs(values).max())
    summed = GridSums(["v"], [bound], rows)
    named = exp.select(sql.alias(exp.column("v"), "_sq_v")).from_("given")
    query = exp.select(*summed.aggregates()).from_(
        sql.layer(named, *summed.columns()).subquery("summed")
    )
    found = summed.exact(con.execute(sql.text(query)).fetchall()[0])
    con.unregister("given")
    return found


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1.0, 3e7, 1e100])
def test_grid_sums_keep_every_digit_that_rows_leave_room_for(
    con: duckdb.DuckDBPyConnection, scale: float
) -> None:
    values = np.random.default_rng(2).normal(0, scale, 70_001)
    exact = sum(Fraction(float(value)) for value in values)
    for rows in (len(values), 100_000_000):
        [found] = grid_sums(con, values, rows)
        # Half a fine step a value at most.
        kept = 2 * (52 - rows.bit_length())
        step = 2.0 ** (math.frexp(np.abs(values).max())[1] - kept)
        assert abs(found - exact) <= len(values) * Fraction(step)
        con.execute("set threads = 3")
        assert grid_sums(con, values[::-1].copy(), rows) == [found]


@pytest.mark.parametrize("odd", [None, math.nan, math.inf, -math.inf, 1e300])
def test_stored_ranges_see_unusable_values(tmp_path: Path, odd: float | None) -> None:
    """A range that the engine keeps for a column must not hide NaN, infinity or deleted rows."""
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        con.execute("create table t as select i::double as v from range(5000) as r(i)")
        con.execute("checkpoint")
        con.execute("update t set v = ? where v = 17", [odd])
        con.execute("delete from t where v = 4999")
        source = sql.relation(exp.to_table("t"), SOURCE)
        column = sql.column("v", SOURCE)
        usable = sql.case([(sql.usable(column.copy()), column.copy())])

        def learning():
            request = ProfileOf(usable, column)
            return (yield [request])[request]

        [profile] = Statistics(DuckDBEngine(con), source).learn([learning()])
    assert (profile.count, profile.missing) == (4998, 1)
    assert (profile.minimum, profile.maximum) == (0.0, 4998.0)


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        ("tinyint", [-128, 127, 0, 5, -3]),
        ("integer", [-(2**31), 2**31 - 1, 0, 7, 8]),
        ("bigint", [-(2**63), 2**63 - 1, 0, 1, 2]),
        ("ubigint", [2**64 - 1, 2**64 - 2, 0, 1, 2]),
        ("hugeint", [2**100, -(2**100), 0, 1, 2]),
        ("double", [0.1, 0.2, 1e300, -1.0, 3.0]),
        ("varchar", ["a", "A", "", " ", "é"]),
    ],
)
def test_ids_of_every_type_are_checked(
    con: duckdb.DuckDBPyConnection, kind: str, ids: list[object]
) -> None:
    con.execute(f"create table t (id {kind}, v double)")
    con.executemany("insert into t values (?, ?)", [[item, i] for i, item in enumerate(ids)])
    assert segql.fit(con, "t", id="id", k=2, features=["v"]).metrics["n"] == len(ids)
    con.execute("insert into t values (?, 9)", [ids[0]])
    with pytest.raises(segql.SegqlError, match=r"not unique.*occurs 2 times"):
        segql.fit(con, "t", id="id", k=2, features=["v"])


def test_the_draw_is_independent_of_data_made_from_hashes(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns that were generated from hash(id, i) must not decide who is drawn."""
    weights: list[float] = []
    stand_ins = coreset.stand_ins

    def spy(engine: DuckDBEngine, sample: coreset.Coreset, *rest: object) -> dict[str, float]:
        found = engine.rows(f"select sum(weight) from {sql.text(sample.table)}")
        weights.append(float(found[0][0]))
        return stand_ins(engine, sample, *rest)

    monkeypatch.setattr(coreset, "stand_ins", spy)
    monkeypatch.setattr(coreset, "SIZE", 10_000)
    rows = 150_000
    con.execute(
        "create table t as select id, hash(id, 0) / 1e19 as f0, hash(id, 1) / 1e19 as f1, "
        f"hash(id, 2) / 1e19 as f2 from range({rows}) as r(id)"
    )
    for seed in range(3):
        segql.fit(con, "t", id="id", k=3, features=RAW, seed=seed)
    # The weights estimate the number of rows: 1 % is one standard error.
    assert np.abs(np.array(weights) / rows - 1.0).max() < 0.04


@pytest.mark.parametrize("k", [3, 5])
def test_thinned_polishing_ends_where_all_rows_do(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, k: int
) -> None:
    monkeypatch.setattr(coreset, "SIZE", 2_000)
    monkeypatch.setattr(DuckDBEngine, "thinned_from", 10_000)
    points = blobs(4, 40_000, 3, 5)
    fits = []
    for order, threads in (
        (np.arange(len(points)), 1),
        (np.random.default_rng(1).permutation(len(points)), 3),
    ):
        con.execute(f"set threads = {threads}")
        store(con, points, order)
        fits.append(segql.fit(con, "t", id="id", k=k, features=RAW))
    assert np.array_equal(fits[0].points, fits[1].points)
    peer = KMeans(k, n_init=10, random_state=0, tol=1e-7, max_iter=1000).fit(points)
    assert fits[0].metrics["inertia"] <= 1.0005 * peer.inertia_
