"""k-means and PCA as compiled SQL give scikit-learn's labels, distances, components and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_samples,
    silhouette_score,
)
from sklearn.preprocessing import StandardScaler
from support import Matrix, blobs, labels_of, points, predictions, store_numbers, usable

import segql
from segql.learners import ALGORITHMS
from segql.model import Model

SETTINGS = [
    pytest.param(2, 3, None, id="k2"),
    pytest.param(5, 4, None, id="k5"),
    pytest.param(8, 6, None, id="k8"),
    pytest.param(5, 6, 3, id="k5-pca3"),
    pytest.param(7, 6, 6, id="k7-all-components"),
    pytest.param(4, 5, 0.8, id="k4-pca80%"),
    pytest.param(1, 3, None, id="k1"),
    pytest.param(30, 3, None, id="k30"),
]


def test_every_algorithm_has_a_contract() -> None:
    # Each name is asked for in a file of this folder that compares with a peer.
    tested = {"kmeans": "test_kmeans", "hierarchical": "test_hierarchical"}
    tested |= {"dbscan": "test_density", "hdbscan": "test_density"}
    assert set(ALGORITHMS) == set(tested), "add a contract test for the new algorithm"
    for name, file in tested.items():
        text = Path(__file__).with_name(f"{file}.py").read_text()
        assert f'"{name}"' in text or name == "kmeans"


def wide_table(con: duckdb.DuckDBPyConnection, width: int, size: int = 1500) -> Matrix:
    """Correlated columns of unlike units, with missing values, as they are after imputation."""
    rng = np.random.default_rng(width)
    mixed = blobs(width, size, width, 6, 1.5) @ rng.normal(0, 1, (width, width))
    mixed = mixed * 10.0 ** rng.integers(-3, 5, width) + rng.normal(0, 100, width)
    holes = rng.random(mixed.shape) < 0.03
    odd = [None, float("nan"), float("inf")]
    columns: dict[str, Any] = {
        f"x{j}": [odd[(i + j) % 3] if holes[i, j] else float(mixed[i, j]) for i in range(size)]
        for j in range(width)
    }
    store_numbers(con, "train", columns)
    values = np.column_stack([usable(column) for column in columns.values()])
    return SimpleImputer(strategy="median").fit_transform(values)


def fit(con: duckdb.DuckDBPyConnection, width: int, **options: Any) -> Model:
    features = {f"x{j}": {"transform": "none"} for j in range(width)}
    return segql.fit(con, "train", id="id", name="m", features=features, **options)


def sklearn_kmeans(model: Model, space: Matrix, offset: Matrix) -> KMeans:
    """Set a KMeans to our centroids, in the reference's own space."""
    theirs = KMeans(model.k, n_init=1, max_iter=1).fit(space)
    theirs.cluster_centers_ = np.ascontiguousarray(model.points + offset)
    return theirs


@pytest.mark.parametrize(("k", "width", "pca"), SETTINGS)
def test_labels_and_figures_equal_scikit_learn(
    con: duckdb.DuckDBPyConnection, k: int, width: int, pca: int | float | None
) -> None:
    filled = wide_table(con, width)
    model = fit(con, width, k=k, pca=pca)
    assert model.k == k
    space = StandardScaler().fit_transform(filled)
    if pca is not None:
        theirs = PCA(n_components=pca, svd_solver="full").fit(space)
        space = theirs.transform(space)
        assert_components_equal(model, theirs)
        assert model.projection is not None
        sign = np.sign((theirs.components_ * model.projection.components).sum(axis=1))
        space = space * sign
    np.testing.assert_allclose(points(con, model, "train"), space, rtol=1e-9, atol=1e-9)

    reference = sklearn_kmeans(model, space, np.zeros(space.shape[1]))
    expected = reference.predict(space)
    scored = predictions(segql.predict(con, "m", "train"))
    labels = np.array(labels_of(scored))
    np.testing.assert_array_equal(labels, expected + 1)

    distances = reference.transform(space)
    ordered = np.sort(distances, axis=1)
    np.testing.assert_allclose(scored["distance"], ordered[:, 0], rtol=1e-9, atol=1e-8)
    if k == 1:
        assert scored["next_segment_id"].isna().all()
        assert (scored["confidence"] == 1).all()
    else:
        following = np.argsort(distances, axis=1, kind="stable")[:, 1]
        np.testing.assert_array_equal(scored["next_segment_id"], following + 1)
        confidence = (ordered[:, 1] - ordered[:, 0]) / ordered[:, 1]
        np.testing.assert_allclose(scored["confidence"], confidence, rtol=1e-8, atol=1e-8)
        assert scored["confidence"].between(0, 1).all()
    assert_figures_equal(model, space, expected, distances)
    sizes = np.bincount(expected, minlength=k)
    assert [segment.customers for segment in model.segments] == list(sizes)
    assert list(sizes) == sorted(sizes, reverse=True)
    assert set(scored["segment_key"]) == {f"S{number}" for number in range(1, k + 1)}


def assert_components_equal(model: Model, theirs: PCA) -> None:
    ours = model.projection
    assert ours is not None
    sign = np.sign((theirs.components_ * ours.components).sum(axis=1))[:, None]
    np.testing.assert_allclose(ours.components, theirs.components_ * sign, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours.eigenvalues, theirs.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(
        ours.explained_variance_ratio, theirs.explained_variance_ratio_, rtol=1e-9
    )
    largest = np.abs(ours.components).argmax(axis=1)
    assert (ours.components[np.arange(len(largest)), largest] > 0).all()


def assert_figures_equal(model: Model, space: Matrix, labels: Matrix, distances: Matrix) -> None:
    metrics = model.metrics
    inertia = float((distances.min(axis=1) ** 2).sum())
    assert metrics["n"] == len(space)
    assert metrics["inertia"] == pytest.approx(inertia, rel=1e-9)
    assert metrics["mean_squared_distance"] == pytest.approx(inertia / len(space), rel=1e-9)
    assert metrics["noise_share"] == 0
    if model.k == 1:
        assert (metrics["silhouette"], metrics["davies_bouldin"]) == (0, 0)
        return
    theirs = silhouette_score(space, labels, metric="sqeuclidean")
    assert metrics["silhouette"] == pytest.approx(theirs, abs=1e-9)
    assert metrics["davies_bouldin"] == pytest.approx(davies_bouldin_score(space, labels), rel=1e-9)
    assert metrics["calinski_harabasz"] == pytest.approx(
        calinski_harabasz_score(space, labels), rel=1e-9
    )
    each = silhouette_samples(space, labels, metric="sqeuclidean")
    for index, segment in enumerate(model.segments):
        mine = labels == index
        assert segment.silhouette == pytest.approx(each[mine].mean(), abs=1e-9)
        assert segment.share == pytest.approx(mine.mean(), abs=1e-12)
        squares = (distances[mine, index] ** 2).mean()
        assert segment.mean_squared_distance == pytest.approx(squares, rel=1e-9)


def test_metrics_without_a_projection_through_evaluate(con: duckdb.DuckDBPyConnection) -> None:
    """On rows it was not fitted on: scikit-learn's figures for the predicted labels."""
    filled = wide_table(con, 4)
    model = fit(con, 4, k=5)
    rng = np.random.default_rng(3)
    later = filled[rng.integers(0, len(filled), 400)] + rng.normal(0, filled.std(axis=0) / 2)
    store_numbers(con, "later", {f"x{j}": list(later[:, j]) for j in range(4)})
    space = StandardScaler().fit(filled).transform(later)
    reference = sklearn_kmeans(model, space, np.zeros(4))
    labels, distances = reference.predict(space), reference.transform(space)
    figures = segql.evaluate(con, "m", "later")
    assert set(figures) == set(model.metrics)
    assert figures["n"] == 400
    assert figures["inertia"] == pytest.approx((distances.min(axis=1) ** 2).sum(), rel=1e-9)
    assert figures["silhouette"] == pytest.approx(
        silhouette_score(space, labels, metric="sqeuclidean"), abs=1e-9
    )
    assert figures["davies_bouldin"] == pytest.approx(davies_bouldin_score(space, labels), rel=1e-9)
    assert figures["calinski_harabasz"] == pytest.approx(
        calinski_harabasz_score(space, labels), rel=1e-9
    )
    assert segql.evaluate(con, "m", "train") == pytest.approx(model.metrics, rel=1e-9)
    assert segql.evaluate(con, "m") == model.metrics


def test_pca_of_rows_that_are_complete(con: duckdb.DuckDBPyConnection) -> None:
    """With impute none the components are those of the rows that can be scored."""
    wide_table(con, 5)
    features = {f"x{j}": {"transform": "none", "impute": "none"} for j in range(5)}
    model = segql.fit(con, "train", id="id", k=3, pca=3, features=features)
    raw = con.sql("from train order by id").df().drop(columns="id").to_numpy()
    raw = np.where(np.isfinite(raw), raw, np.nan)
    scaled = StandardScaler().fit_transform(raw)
    complete = scaled[~np.isnan(scaled).any(axis=1)]
    assert len(complete) < len(raw)
    theirs = PCA(n_components=3, svd_solver="full").fit(complete)
    assert_components_equal(model, theirs)
    ours = points(con, model, "train")
    ours = ours[~np.isnan(ours).any(axis=1)]
    sign = np.sign((theirs.components_ * model.projection.components).sum(axis=1))
    np.testing.assert_allclose(ours, theirs.transform(complete) * sign, rtol=1e-9, atol=1e-9)


def test_offset_of_1e8_with_spread_1_gives_scikit_learns_labels(
    con: duckdb.DuckDBPyConnection,
) -> None:
    rng = np.random.default_rng(8)
    centers = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    values = 1e8 + centers[rng.integers(0, 3, 20_000)] + rng.normal(0, 1, (20_000, 2))
    store_numbers(con, "train", {"x0": list(values[:, 0]), "x1": list(values[:, 1])})
    fit(con, 2, k=3)
    ours = np.array(labels_of(predictions(segql.predict(con, "m", "train"))))
    scaled = StandardScaler().fit_transform(values - 1e8)
    model = segql.load(con, "m")
    # Ours is a fixed point of scikit-learn's Lloyd, and not a worse one than it finds.
    same = KMeans(3, init=model.points, n_init=1, tol=0).fit(scaled)
    np.testing.assert_array_equal(ours, same.labels_ + 1)
    best = KMeans(3, n_init=10, tol=0, random_state=0).fit(scaled)
    assert model.metrics["inertia"] <= best.inertia_ * 1.0005


def scoring_table(con: duckdb.DuckDBPyConnection) -> None:
    """Training rows, and every odd value in every feature."""
    con.execute(
        """
        create table train as
        select i as id,
            case when i % 23 = 0 then null else sqrt(i) * (1 + i % 5) end as amount,
            case when i % 19 = 0 then 'nan'::double else (i * 7919 % 1009) - 300.0 end as balance,
            (i * 31 % 17)::integer as visits,
            case when i % 4 = 0 then null else i % 3 = 0 end as member,
            case when i % 29 = 0 then null else 'c' || (i % 5) end as channel,
            ['low', 'mid', 'high'][1 + i % 3] as tier,
            'city ' || (i * i % 7) as city
        from range(1200) as r (i);
        create table odd as
        with base as (select * from train where id < 40),
            doubles (v) as (values (null::double), ('nan'), ('inf'), ('-inf'), (1e101), (-1e101),
                (1e100), (-1e50), (5e-324), (-0.0), (0.0), (1e12))
        select row_number() over () as id, * exclude (id) from (
            select id, v as amount, balance, visits, member, channel, tier, city
            from base, doubles
            union all
            select id, amount, v, visits, member, channel, tier, city from base, doubles
            union all
            select id, v, v, visits, null, null, null, null from base, doubles
            union all
            select id, amount, balance, null, null, 'unseen', 'unseen', '' from base
            union all
            select id, amount, balance, 2147483647, true, 'c1''', 'LOW', 'city 1 ' from base
        )
        """
    )


RECIPES: dict[str, dict[str, Any]] = {
    "imputed": {
        "amount": {"transform": "log1p", "indicator": True},
        "balance": {"transform": "yeo_johnson", "scale": "robust"},
        "visits": {"transform": {"winsorize": [0.05, 0.95]}, "scale": "minmax"},
        "member": {"impute": "mode", "scale": "none"},
        "channel": {},
        "tier": {"encode": {"ordinal": ["low", "mid", "high"]}, "impute": {"constant": 1}},
        "city": {"encode": "frequency", "weight": 0.5},
    },
    "strict": {
        "amount": {"impute": "none", "transform": "log1p"},
        "balance": {"impute": "none"},
        "visits": {"impute": "none"},
        "member": {"impute": "none", "indicator": False},
        "channel": {"encode": {"onehot": {"top": 3}}},
        "tier": {"encode": "ordinal", "impute": "none"},
        "city": {"encode": "frequency", "impute": "none"},
    },
}


@pytest.mark.parametrize("pca", [None, 3])
@pytest.mark.parametrize("recipe", list(RECIPES))
def test_every_door_gives_the_same_segment(
    con: duckdb.DuckDBPyConnection, recipe: str, pca: int | None
) -> None:
    """Python, table macro, scalar macros, the printed expression and the printed query."""
    scoring_table(con)
    model = segql.fit(con, "train", id="id", name="m", k=6, pca=pca, features=RECIPES[recipe])
    arguments = ", ".join(f'"{name}"' for name in model.recipe.names)
    named = ", ".join(f'"{name}" := "{name}"' for name in reversed(model.recipe.names))
    for table in ("train", "odd"):
        python = predictions(segql.predict(con, "m", table))
        macro = predictions(con.sql(f"from segql.predict('m', '{table}')"))
        pd.testing.assert_frame_equal(python, macro)
        doors = con.sql(
            f"select segql.m_segment({arguments}) as positional, "
            f"segql.m_segment({named}) as named, segql.m_segment_key({arguments}) as key, "
            f"{model.sql(form='expression')} as expression "
            f"from {table} order by id"
        ).df()
        expected = labels_of(python)
        for door in ("positional", "named", "expression"):
            assert [None if pd.isna(v) else int(v) for v in doors[door]] == expected, door
        keys = [None if pd.isna(v) else v for v in doors["key"]]
        assert keys == [None if pd.isna(v) else v for v in python["segment_key"]]
        assert keys == [None if label is None else model.keys[label - 1] for label in expected]
        query = predictions(con.sql(model.sql(relation=table)))
        assert labels_of(query) == expected
        np.testing.assert_array_equal(query["distance"], python["distance"])
        scored = (
            con.sql(f"select {arguments} from {table} order by id")
            .df()
            .apply(lambda row: is_scorable(row, recipe), axis=1)
        )
        assert [label is not None for label in expected] == list(scored)
        for name in ("segment_key", "distance", "next_segment_id", "confidence"):
            assert list(python[name].notna()) == list(scored), name
        assert np.isfinite(python.loc[scored, "distance"]).all()
        assert python.loc[scored, "confidence"].between(0, 1).all()


def is_scorable(row: pd.Series, recipe: str) -> bool:
    """The rule as the recipe states it, written independently."""
    if recipe == "imputed":
        return True
    numbers = [row[name] for name in ("amount", "balance", "visits")]
    if any(pd.isna(number) or not abs(number) <= 1e100 for number in numbers):
        return False
    return not pd.isna(row["member"]) and row["tier"] in ("low", "mid", "high")


def test_ties_and_duplicate_centroids_go_to_the_lower_id(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table train as select i as id, [-1.0, 1.0][1 + (i % 2)::int]::double as x "
        "from range(10) as r (i)"
    )
    segql.fit(con, "train", id="id", name="m", k=2, features={"x": {"scale": "none"}})
    con.execute("create table halfway as select 1 as id, 0.0::double as x")
    row = predictions(segql.predict(con, "m", "halfway")).iloc[0]
    assert (row["segment_id"], row["next_segment_id"]) == (1, 2)
    assert (row["distance"], row["confidence"]) == (1.0, 0.0)


def test_session_functions_equal_scikit_learn(con: duckdb.DuckDBPyConnection) -> None:
    segql.register(con)
    values = wide_table(con, 4, size=300)
    store_numbers(con, "filled", {f"x{j}": list(values[:, j]) for j in range(4)})
    rows = "list([x0, x1, x2, x3] order by id)"
    scaled, pca = con.execute(
        f"select segql_standardize({rows}), segql_pca({rows}, 2) from filled"
    ).fetchone()
    scaler = StandardScaler().fit(values)
    np.testing.assert_allclose(scaled["values"], scaler.transform(values), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scaled["means"], scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(scaled["deviations"], scaler.scale_, rtol=1e-12)
    theirs = PCA(2, svd_solver="full").fit(values)
    sign = np.sign((theirs.components_ * np.array(pca["components"])).sum(axis=1))
    np.testing.assert_allclose(
        pca["components"], theirs.components_ * sign[:, None], rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(pca["explained_variance"], theirs.explained_variance_, rtol=1e-9)
    size = np.abs(values).max()
    np.testing.assert_allclose(
        pca["scores"], theirs.transform(values) * sign, rtol=1e-9, atol=1e-9 * size
    )


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_centroid_at_zero_does_not_take_the_rows_that_miss_the_column(
    con: duckdb.DuckDBPyConnection, k: int
) -> None:
    """A weight of exactly zero must not hide that the column is missing."""
    con.execute(
        "create table train as select row_number() over () as id, g * 10.0::double as x, "
        "case when g = 0 then 0.0 else v end as y "
        "from (values (-1), (0), (1)) as a (g), (values (-1.0), (1.0)) as b (v)"
    )
    features = {name: {"impute": "none", "scale": "none"} for name in ("x", "y")}
    segql.fit(con, "train", id="id", name="m", k=k, features=features)
    con.execute(
        "create table later as select * from (values (1, 0.0::double, null::double), "
        "(2, null, 0.0), (3, 10.0, 'nan'), (4, 'inf', 1.0), (5, 0.0, 0.0)) as t (id, x, y)"
    )
    scored = predictions(segql.predict(con, "m", "later"))
    assert [label is not None for label in labels_of(scored)] == [False] * 4 + [True]
    assert scored.loc[:3, "segment_key"].isna().all()
    macro = con.sql("select segql.m_segment(x, y) as s from later order by id").fetchall()
    assert [row[0] is not None for row in macro] == [False] * 4 + [True]
