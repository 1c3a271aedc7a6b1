"""Learned aggregates are exact whatever the distribution, and the coreset is what it says."""

from __future__ import annotations

from fractions import Fraction

import duckdb
import numpy as np
import pytest
from scipy.stats import skew
from sqlglot import exp
from support import Matrix, blobs, store_numbers

import segql
from segql import coreset, quantiles
from segql import sql_text as sql
from segql.aggregates import MomentsOf, ProfileOf, QuantilesOf
from segql.engines.duckdb import DuckDBEngine
from segql.features import SOURCE
from segql.statistics import Statistics

PROBABILITIES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.987, 0.99, 1.0)


def nasty() -> dict[str, Matrix]:
    rng = np.random.default_rng(1)
    return {
        "normal": rng.normal(0, 1, 5001),
        "ties": rng.integers(0, 3, 5000).astype(float),
        "mostly-zero": np.where(rng.random(5000) < 0.97, 0.0, rng.exponential(1e6, 5000)),
        "mixture": np.concatenate([10.0 ** rng.uniform(-300, 90, 4000), np.zeros(100)]),
        "signed-mixture": rng.choice([-1.0, 1.0], 4000) * 10.0 ** rng.uniform(-300, 90, 4000),
        "one-far": np.append(rng.normal(0, 1e-3, 4000), 1e100),
        "neighbours": np.nextafter(1.0, 2.0) * np.ones(3000) + rng.integers(0, 3, 3000) * 2**-52,
        "far": 1e15 + rng.integers(0, 1000, 4000) / 8,
        "decimals": np.round(rng.exponential(50, 4000), 2),
        "digits": rng.uniform(-1000, 1000, 4000),
        "two": np.array([3.0, -7.25]),
        "constant": np.full(50, 0.1),
        "denormal": rng.integers(1, 1000, 2000) * 5e-324,
    }


def asked(con: duckdb.DuckDBPyConnection, values: Matrix) -> tuple[Statistics, exp.Expression]:
    store_numbers(con, "t", {"v": list(values)})
    source = sql.relation(exp.to_table("t"), SOURCE)
    return Statistics(DuckDBEngine(con), source), sql.column("v", SOURCE)


@pytest.mark.parametrize(
    ("fetch", "sample"),
    [(100_000, 100_000), (50, 50), (50, 4000), (400, 1000)],
    ids=["all fetched", "poor brackets, split", "close brackets", "brackets fetched"],
)
@pytest.mark.parametrize("name", list(nasty()))
def test_quantiles_equal_numpy(
    con: duckdb.DuckDBPyConnection,
    name: str,
    fetch: int,
    sample: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bit for bit where a quantile is a value, to the last bits where it lies between two."""
    monkeypatch.setattr(quantiles, "FETCH", fetch)
    monkeypatch.setattr(quantiles, "SAMPLE", sample)
    values = nasty()[name]
    answers, column = asked(con, values)

    def learning():
        yield [ProfileOf(column)]
        request = QuantilesOf(column, PROBABILITIES)
        return (yield [request])[request]

    [found] = answers.learn([learning()])
    np.testing.assert_allclose(found, np.quantile(values, PROBABILITIES), rtol=1e-12, atol=5e-324)
    ordered = np.sort(values)
    for probability, quantile in zip(PROBABILITIES, found, strict=True):
        position = probability * (len(values) - 1)
        if position == int(position):
            assert quantile == ordered[int(position)]


@pytest.mark.parametrize(
    "name", ["normal", "ties", "mostly-zero", "decimals", "digits", "far", "two", "constant"]
)
def test_moments_equal_exact_fractions(con: duckdb.DuckDBPyConnection, name: str) -> None:
    values = nasty()[name]
    answers, column = asked(con, values)

    def learning():
        yield [ProfileOf(column)]
        request = MomentsOf(column, order=3)
        return (yield [request])[request]

    [moments] = answers.learn([learning()])
    exact = [Fraction(float(value)) for value in values]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact)
    assert moments.count == len(values)
    assert moments.mean == pytest.approx(float(mean), rel=1e-15)
    assert moments.variance == pytest.approx(float(variance), rel=1e-12)
    if variance:
        centred = np.array([float(value - mean) for value in exact])
        assert moments.skewness == pytest.approx(skew(centred), rel=1e-9, abs=1e-9)


def test_sums_do_not_depend_on_rows_or_threads(con: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(3)
    values = np.exp(rng.normal(0, 3, 150_000))
    seen = set()
    for threads in (1, 2, 4):
        con.execute(f"set threads = {threads}")
        answers, column = asked(con, rng.permutation(values))

        def learning(column=column):
            profile = yield [ProfileOf(column)]
            moments = yield [MomentsOf(column), QuantilesOf(column, (0.3, 0.7))]
            return tuple(profile.values()) + tuple(moments.values())

        seen.add(repr(answers.learn([learning()])))
    assert len(seen) == 1


# -- the coreset -----------------------------------------------------------------------------


def drawn(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, seed: int = 42
) -> list[tuple[list[float], float]]:
    """Points and weights of the coreset that a fit draws."""
    kept: list[tuple[list[float], float]] = []
    draw = coreset.draw

    def spy(engine: DuckDBEngine, *args: object, **options: object) -> coreset.Coreset:
        sample = draw(engine, *args, **options)  # type: ignore[arg-type]
        kept.extend(
            engine.connection.execute(
                f"select point, weight from {sql.text(sample.table)} order by all"
            ).fetchall()
        )
        return sample

    monkeypatch.setattr(coreset, "draw", spy)
    segql.fit(con, "t", id="id", k=4, seed=seed, features=["x", "y", "z"])
    monkeypatch.setattr(coreset, "draw", draw)
    return kept


def store(con: duckdb.DuckDBPyConnection, points: Matrix, order: Matrix) -> None:
    con.execute("create or replace table t (id varchar, x double, y double, z double)")
    lists = [[f"c{i}" for i in order], *(points[order].T.tolist())]
    con.execute(
        "insert into t select unnest(?::varchar[]), unnest(?::double[]), unnest(?::double[]), "
        "unnest(?::double[])", lists,
    )  # fmt: skip


def test_small_tables_are_their_own_coreset(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = blobs(1, 3000, 3, 4)
    store(con, points, np.arange(3000))
    sample = drawn(con, monkeypatch)
    assert len(sample) == 3000
    assert {weight for _, weight in sample} == {1.0}
    scaled = (points - points.mean(axis=0)) / points.std(axis=0)
    np.testing.assert_allclose(
        [point for point, _ in sample], sorted(scaled.tolist()), rtol=1e-9, atol=1e-9
    )


def test_coreset_is_bounded_unbiased_and_the_same_in_any_order(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, rng = 150_000, np.random.default_rng(6)
    points = np.vstack([blobs(2, size - 40, 3, 4), rng.normal(200, 1, (40, 3))])
    store(con, points, np.arange(size))
    sample = drawn(con, monkeypatch)
    store(con, points, rng.permutation(size))
    con.execute("set threads = 3")
    assert drawn(con, monkeypatch) == sample
    assert drawn(con, monkeypatch, seed=43) != sample
    weights = np.array([weight for _, weight in sample])
    # Poisson draws: the expected size is at most SIZE, the estimates lie within 5 deviations.
    assert coreset.SIZE / 2 < len(sample) < coreset.SIZE + 5 * np.sqrt(coreset.SIZE)
    assert weights.min() >= 1
    deviation = np.sqrt((weights * (weights - 1)).sum())
    assert abs(weights.sum() - size) < 5 * deviation
    assert deviation < 0.01 * size
    scaled = (points - points.mean(axis=0)) / points.std(axis=0)
    drawn_points = np.array([point for point, _ in sample])
    total = (scaled**2).sum()
    assert weights @ (drawn_points**2).sum(axis=1) == pytest.approx(total, rel=0.02)
    # Rows far from the mean are drawn for certain and stand for themselves.
    far = weights[(drawn_points**2).sum(axis=1) > 0.9 * (scaled**2).sum(axis=1).max()]
    assert len(far) >= 20
    assert (far < 2).all()


def test_stand_in_medians_of_columns_without_missing_values(
    con: duckdb.DuckDBPyConnection,
) -> None:
    points = blobs(7, 2001, 3, 4)
    store(con, points, np.arange(2001))
    segql.fit(con, "t", id="id", name="m", k=4, features=["x", "y", "z"])
    state = segql.load(con, "m").recipe.features
    for feature, column in zip(state, points.T, strict=True):
        assert feature.imputation.value == np.median(column)
    con.execute("create table later as select 'n' as id, null::double as x, 'nan'::double as y, "
                "'inf'::double as z")  # fmt: skip
    con.execute("create table medians as select 'n' as id, median(x) as x, median(y) as y, "
                "median(z) as z from t")  # fmt: skip
    rows = [segql.predict(con, "m", name).fetchall()[0][4:] for name in ("later", "medians")]
    assert rows[0] == rows[1]
    assert rows[0][0] is not None
