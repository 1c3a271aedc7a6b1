"""DBSCAN and HDBSCAN: labels in SQL are scikit-learn's, and new rows follow the definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy.spatial import cKDTree
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.metrics import adjusted_rand_score, silhouette_score
from support import Matrix, points, predictions, store_numbers

import segql
from segql.balls import cover
from segql.cells import make_cells
from segql.clusterers.dbscan import fit_dbscan
from segql.clusterers.k_distance import chosen, k_distance_curve
from segql.learners import density
from segql.model import Model

OPEN_STORAGE = {"storage_compatibility_version": "v1.4.0"}


def shop(seed: int, size: int, width: int, noise: float = 0.1) -> Matrix:
    """Groups of unlike density in uniform noise."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 5, size)
    spread = rng.uniform(0.3, 0.9, 5)
    values = (
        rng.uniform(-6, 6, (5, width))[group] + rng.normal(size=(size, width)) * spread[group, None]
    )
    lost = rng.random(size) < noise
    values[lost] = rng.uniform(-8, 8, (int(lost.sum()), width))
    return values


def store(con: duckdb.DuckDBPyConnection, values: Matrix, name: str = "train") -> None:
    store_numbers(con, name, {f"x{j}": values[:, j].tolist() for j in range(values.shape[1])})


def fit(con: duckdb.DuckDBPyConnection, width: int, algorithm: str, **options: Any) -> Model:
    features = {f"x{j}": {"transform": "none"} for j in range(width)}
    return segql.fit(
        con, "train", id="id", name="m", features=features, algorithm=algorithm, **options
    )


def segments(con: duckdb.DuckDBPyConnection, relation: str = "train") -> Any:
    return predictions(segql.predict(con, "m", relation))["segment_id"].to_numpy()


def cores_of(theirs: DBSCAN, size: int) -> Any:
    is_core = np.zeros(size, dtype=bool)
    is_core[theirs.core_sample_indices_] = True
    return is_core


@pytest.mark.parametrize(
    ("width", "eps", "samples"),
    [(1, 0.01, 4), (2, 0.08, 5), (3, 0.2, 6), (3, 0.4, 1), (2, 0.5, 30), (2, "auto", None)],
)
def test_dbscan_is_scikit_learns(
    con: duckdb.DuckDBPyConnection, width: int, eps: Any, samples: int | None
) -> None:
    store(con, shop(width, 3000, width))
    model = fit(con, width, "dbscan", eps=eps, min_samples=samples)
    space = points(con, model, "train")
    eps, samples = model.diagnostics["eps"][0], int(model.diagnostics["min_samples"][0])
    theirs = DBSCAN(eps=eps, min_samples=samples).fit(space)
    is_core, ours = cores_of(theirs, len(space)), segments(con)
    assert model.diagnostics["core_points"][0] == is_core.sum()
    assert model.k == theirs.labels_.max() + 1
    assert adjusted_rand_score(theirs.labels_[is_core], ours[is_core]) == 1.0
    np.testing.assert_array_equal(ours == 0, theirs.labels_ == -1)
    # A border point belongs to a cluster that has a core point within eps.
    assert_follows_definition(space, ours, space[is_core], ours[is_core], eps)
    assert model.metrics["noise_share"] == pytest.approx((theirs.labels_ == -1).mean())


def assert_follows_definition(
    asked: Matrix, told: Any, cores: Matrix, clusters: Any, eps: float
) -> None:
    tree = cKDTree(cores)
    for point, segment in zip(asked, told, strict=True):
        near = tree.query_ball_point(point, eps)
        # A last digit may decide at eps itself.
        sure = tree.query_ball_point(point, eps * (1 - 1e-9))
        if segment == 0:
            assert not sure
        else:
            assert segment in clusters[near]


@pytest.mark.parametrize("width", [1, 2, 3])
def test_new_rows_are_within_eps_of_a_core_point_or_noise(
    con: duckdb.DuckDBPyConnection, width: int
) -> None:
    store(con, shop(width + 10, 3000, width))
    model = fit(con, width, "dbscan", eps=0.2, min_samples=6)
    store(con, np.random.default_rng(8).uniform(-9, 9, (4000, width)), "fresh")
    space, fresh = points(con, model, "train"), points(con, model, "fresh")
    theirs = DBSCAN(eps=0.2, min_samples=6).fit(space)
    is_core, own = cores_of(theirs, len(space)), segments(con)
    told = segments(con, "fresh")
    assert 0 < (told == 0).mean() < 1
    assert_follows_definition(fresh, told, space[is_core], own[is_core], 0.2)
    names = ", ".join(f"x{j}" for j in range(width))
    scalar = con.sql(
        f"select segql.m_segment({names}), segql.m_segment_key({names}) from fresh order by id"
    ).fetchall()
    assert [row[0] for row in scalar] == told.tolist()
    assert {row[1] for row in scalar if row[0] == 0} == {"noise"}


@pytest.mark.parametrize("width", [4, 6, 9])
def test_the_search_tree_is_exact(width: int) -> None:
    space = shop(width, 4000, width)
    eps = k_distance_curve(space, 2 * width).knee
    ours, theirs = fit_dbscan(space, eps, 2 * width), DBSCAN(eps=eps, min_samples=2 * width)
    theirs = theirs.fit(space)
    is_core = cores_of(theirs, len(space))
    np.testing.assert_array_equal(ours.is_core, is_core)
    assert adjusted_rand_score(theirs.labels_[is_core], ours.labels[is_core]) == 1.0


def test_a_weighted_point_is_so_many_rows() -> None:
    rng = np.random.default_rng(4)
    distinct, counts = rng.uniform(0, 10, (1500, 2)), rng.integers(1, 6, 1500)
    weighted = fit_dbscan(distinct, 0.25, 9, counts.astype(float))
    repeated = DBSCAN(eps=0.25, min_samples=9).fit(distinct, sample_weight=counts)
    is_core = cores_of(repeated, 1500)
    np.testing.assert_array_equal(weighted.is_core, is_core)
    assert adjusted_rand_score(repeated.labels_[is_core], weighted.labels[is_core]) == 1.0


def test_above_three_dimensions_the_agreement_is_stored(con: duckdb.DuckDBPyConnection) -> None:
    store(con, shop(3, 6000, 5))
    model = fit(con, 5, "dbscan")
    space = points(con, model, "train")
    eps, samples = model.diagnostics["eps"][0], int(model.diagnostics["min_samples"][0])
    theirs = DBSCAN(eps=eps, min_samples=samples).fit(space).labels_
    ours = segments(con)
    measured = adjusted_rand_score(theirs, ours)
    assert measured >= 0.98
    # Border points between two clusters may choose.
    assert model.diagnostics["agreement_ari"][0] == pytest.approx(measured, abs=5e-3)
    scalar = con.sql("select segql.m_segment(x0, x1, x2, x3, x4) from train order by id").fetchall()
    assert [row[0] for row in scalar] == ours.tolist()
    portable = con.sql(f"select {model.sql(form='expression')} from train order by id").fetchall()
    assert [row[0] for row in portable] == ours.tolist()


@pytest.mark.parametrize(("width", "samples", "size"), [(1, 8, 900), (2, 5, 2000), (3, 25, 3000)])
def test_hdbscan_is_scikit_learns(
    con: duckdb.DuckDBPyConnection, width: int, samples: int, size: int
) -> None:
    store(con, shop(width + 20, size, width))
    model = fit(con, width, "hdbscan", min_samples=samples)
    space = points(con, model, "train")
    theirs = HDBSCAN(min_cluster_size=samples, min_samples=samples, copy=True).fit(space).labels_
    ours = segments(con)
    np.testing.assert_array_equal(ours == 0, theirs == -1)
    assert adjusted_rand_score(theirs, ours) == 1.0
    stabilities = con.sql(
        "select stability from segql.segments('m') where segment_id > 0"
    ).fetchall()
    assert len(stabilities) == model.k
    assert all(value > 0 for (value,) in stabilities)


def test_figures_leave_noise_out(con: duckdb.DuckDBPyConnection) -> None:
    store(con, shop(31, 2000, 2))
    model = fit(con, 2, "dbscan", eps=0.15, min_samples=8)
    space, ours = points(con, model, "train"), segments(con)
    kept = ours > 0
    assert model.metrics["n"] == 2000
    assert model.metrics["silhouette"] == pytest.approx(
        silhouette_score(space[kept], ours[kept], metric="sqeuclidean"), abs=1e-9
    )
    own = ((space[kept] - model.points[ours[kept] - 1]) ** 2).sum()
    assert model.metrics["inertia"] == pytest.approx(own, rel=1e-9)
    assert segql.evaluate(con, "m", "train") == pytest.approx(model.metrics, abs=1e-9)
    told = predictions(segql.predict(con, "m", "train"))
    noise = told[told["segment_id"] == 0]
    assert noise["distance"].isna().all()
    assert noise["confidence"].isna().all()
    assert (noise["segment_key"] == "noise").all()
    sizes = dict(con.sql("select segment_key, customers from segql.segments('m')").fetchall())
    assert sizes == told["segment_key"].value_counts().to_dict()


def test_a_row_without_a_feature_is_not_noise(con: duckdb.DuckDBPyConnection) -> None:
    store(con, shop(5, 1000, 2))
    con.execute("insert into train values (5000, null, 1.0)")
    features = {"x0": {"impute": "none"}, "x1": {}}
    segql.fit(con, "train", id="id", name="m", features=features, algorithm="dbscan", eps=0.2)
    assert con.sql("select segment_id from segql.predict('m', 'train') where id = 5000").fetchall()[
        0
    ] == (None,)


def test_repeated_rows_and_repeated_fits(con: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(6)
    store(con, rng.integers(0, 12, (2000, 2)).astype(float) ** 2)
    first = fit(con, 2, "dbscan", eps=0.3, min_samples=10)
    again = fit(con, 2, "dbscan", eps=0.3, min_samples=10)
    assert [s.segment_key for s in first.segments] == [s.segment_key for s in again.segments]
    assert segql.load(con, "m", version=1).version == 1
    both = con.sql(
        "select count(*) from segql.predict('m', 'train', version := 1) as a "
        "join segql.predict('m', 'train') as b using (id) where a.segment_key <> b.segment_key"
    ).fetchall()[0]
    assert both == (0,)


def test_what_is_too_much_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    from segql import cells

    rng = np.random.default_rng(1)
    members = rng.uniform(-2, 2, (30_000, 2))
    whole = make_cells([(1.0, members, np.ones(30_000, dtype=np.intp))])
    monkeypatch.setattr(cells, "LISTED", 1000)
    thinned = make_cells([(1.0, members, np.ones(30_000, dtype=np.intp))])
    assert whole.is_exact
    assert not thinned.is_exact
    assert len(thinned.points) < len(whole.points) / 10


def test_rows_beyond_the_bound_are_counted_in_cells(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(con, shop(12, 8000, 2))
    exact = fit(con, 2, "dbscan", eps=0.15, min_samples=12)
    expected = segments(con)
    monkeypatch.setattr(density, "FETCHED", 8000)
    counted = fit(con, 2, "dbscan", eps=0.15, min_samples=12)
    assert adjusted_rand_score(expected, segments(con)) >= 0.98
    assert counted.diagnostics["agreement_ari"][0] >= 0.95
    assert "agreement_ari" not in exact.diagnostics


def test_a_drawn_hierarchy_finds_planted_densities(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(9)
    planted = rng.integers(0, 4, 20_000)
    spread = np.array([0.05, 0.2, 0.5, 0.9])[planted, None]
    centers = np.array([[-5.0, -5, 0], [-5, 5, 0], [5, -5, 0], [5, 5, 0]])
    values = centers[planted] + rng.normal(size=(20_000, 3)) * spread
    lost = rng.random(20_000) < 0.05
    values[lost] = rng.uniform(-8, 8, (int(lost.sum()), 3))
    store(con, values)
    monkeypatch.setattr(density, "HIERARCHY_ROWS", 5000)
    model = fit(con, 3, "hdbscan")
    ours = segments(con)
    kept = ~lost & (ours > 0)
    assert model.diagnostics["hierarchy_rows"][0] < 5500
    assert kept.sum() > 0.9 * (~lost).sum()
    assert adjusted_rand_score(planted[kept], ours[kept]) >= 0.95


@pytest.mark.parametrize("algorithm", ["dbscan", "hdbscan", "hierarchical"])
def test_shuffled_rows_and_threads_change_nothing(
    con: duckdb.DuckDBPyConnection, algorithm: str
) -> None:
    store(con, shop(14, 3000, 3))
    con.execute("create table original as from train")
    found = []
    for attempt in range(6):
        con.execute(f"set threads = {1 + attempt % 2}")
        con.execute(f"create or replace table train as from original order by hash(id + {attempt})")
        fit(con, 3, algorithm)
        found.append(segments(con, "original").tolist())
    assert all(item == found[0] for item in found)


def test_balls_leave_a_hollow_cluster_hollow() -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(-5, 5, (8000, 2))
    radius = np.linalg.norm(values, axis=1)
    labels = np.full(8000, -1)
    labels[np.abs(radius - 3) < 0.5] = 0
    labels[radius < 0.9] = 1
    balls = cover(values, labels, 128, 42)
    assert len(balls.centers) <= 128
    assert adjusted_rand_score(labels, balls.label(values)) > 0.9


def test_a_repeated_point_is_drawn_in_proportion() -> None:
    rng = np.random.default_rng(0)
    values = np.vstack([np.zeros((9000, 2)), rng.standard_normal((1000, 2))])
    drawn = values[chosen(values, 500)]
    assert (drawn == 0).all(axis=1).mean() == pytest.approx(0.9, abs=0.05)
    order = rng.permutation(len(values))
    again = values[order][chosen(values[order], 500)]
    assert sorted(map(tuple, again)) == sorted(map(tuple, drawn))


def test_the_edge_of_eps_is_inside(con: duckdb.DuckDBPyConnection) -> None:
    store(con, np.array([[-2.0], [-1.0], [0.0], [3.0]]))
    features = {"x0": {"transform": "none", "scale": "none"}}
    segql.fit(
        con, "train", id="id", name="m", features=features, algorithm="dbscan", eps=1.0,
        min_samples=3,
    )  # fmt: skip
    assert segments(con).tolist() == [1, 1, 1, 0]


def test_an_attached_model_is_right_or_refuses(tmp_path: Path) -> None:
    expected = {}
    for name, sign in (("a", 1.0), ("b", -1.0)):
        with duckdb.connect(str(tmp_path / f"{name}.duckdb"), config=OPEN_STORAGE) as con:
            store(con, shop(1, 600, 2) * [1.0, sign])
            fit(con, 2, "dbscan", eps=0.25)
            expected[name] = segments(con).tolist()
    with duckdb.connect(str(tmp_path / "b.duckdb")) as con:
        con.execute(f"attach '{tmp_path / 'a.duckdb'}' as a (read_only)")
        with pytest.raises(duckdb.Error, match="not in the current database"):
            con.sql("select a.segql.m_segment(x0, x1) from a.main.train").fetchall()
        for query in (
            "select segment_id from a.segql.predict('m', 'a.main.train')",
            "select count(*) from a.segql.segments('m')",
            "select segment_id from a.segql.m_scored('a.main.train')",
        ):
            with pytest.raises(duckdb.Error, match="another one is in use; accepted: USE it first"):
                con.sql(query).fetchall()
        con.execute("use a")
        con.sql("select a.segql.m_segment(x0, x1) from a.main.train").fetchall()
        con.execute("use b")
        assert segments(con).tolist() == expected["b"]


def test_small_clusters_keep_a_ball(con: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(0)
    centers = rng.uniform(-60, 60, (40, 4))
    store(con, centers[np.arange(2000) % 40] + rng.normal(size=(2000, 4)) * 0.3)
    model = fit(con, 4, "dbscan", eps=0.06, min_samples=5)
    theirs = DBSCAN(eps=0.06, min_samples=5).fit(points(con, model, "train")).labels_
    ours = segments(con)
    assert model.k == 40
    assert adjusted_rand_score(theirs, ours) > 0.999
    assert model.diagnostics["agreement"][0] == pytest.approx((ours > 0).mean(), abs=1e-3)
    assert min(segment.customers for segment in model.segments) > 0


def test_very_many_densities_are_scored_by_balls(con: duckdb.DuckDBPyConnection) -> None:
    store(con, shop(1, 200, 2))
    model = fit(con, 2, "hdbscan", min_samples=2)
    assert model.diagnostics["balls"][0] >= model.k > density.LEVELS
    assert model.diagnostics["agreement_ari"][0] > 0.95


def test_ties_are_measured_and_infinite_stability_is_null(
    con: duckdb.DuckDBPyConnection,
) -> None:
    rng = np.random.default_rng(0)
    store(con, rng.integers(0, 12, (265, 2)).astype(float))
    model = fit(con, 2, "hdbscan", min_samples=6)
    space = points(con, model, "train")
    theirs = HDBSCAN(min_cluster_size=6, min_samples=6, copy=True).fit(space).labels_
    measured = adjusted_rand_score(theirs, segments(con))
    assert model.diagnostics["agreement_ari"][0] == pytest.approx(measured, abs=0.02)
    assert all(s.stability is None or np.isfinite(s.stability) for s in model.segments)


def test_cells_are_printed_for_duckdb_only(con: duckdb.DuckDBPyConnection) -> None:
    store(con, shop(1, 300, 2))
    model = fit(con, 2, "dbscan", eps=0.25)
    assert "segql.cells" in model.sql()
    with pytest.raises(segql.SegqlError, match=r"not possible in snowflake for model 'm' because"):
        model.sql(dialect="snowflake")


def test_what_was_seen_is_said(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(con, shop(1, 3000, 2))
    seen = "select is_exact, coreset_rows from segql.models order by model_version"
    fit(con, 2, "dbscan", eps=0.2)
    monkeypatch.setattr(density, "HIERARCHY_ROWS", 800)
    fit(con, 2, "hdbscan")
    (first, second) = con.sql(seen).fetchall()
    assert first == (True, 3000)
    assert not second[0]
    assert 600 < second[1] < 1000
