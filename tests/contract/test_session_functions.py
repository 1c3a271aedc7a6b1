"""Session functions equal scikit-learn and SciPy, row by row, with NULLs and in GROUP BY."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy.cluster.hierarchy import cophenet, fcluster
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import pdist
from sklearn.cluster import DBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_samples, silhouette_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler
from support import Matrix, blobs

import segql

#: What stands between the usable rows of a list: it takes no part.
UNUSABLE = (None, [1.0, None], [float("nan"), 2.0], [3.0, float("inf")], [None, None], [1e200, 0.0])


@pytest.fixture
def db(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    segql.register(con)
    return con


def call(
    con: duckdb.DuckDBPyConnection, name: str, points: object, rest: str = "", *more: object
) -> Any:
    """Call a function on a list of points; further parameters stand for ``?`` in ``rest``."""
    [value] = con.execute(
        f"select {name}(?::double[][]{', ' if rest else ''}{rest})", [points, *more]
    ).fetchone()
    return value


def with_unusable(points: Matrix, seed: int = 0) -> tuple[list[Any], list[int]]:
    """Rows with unusable ones between them, and the places of the usable ones."""
    rows: list[Any] = points.tolist()
    rng = np.random.default_rng(seed)
    for item in UNUSABLE:
        rows.insert(int(rng.integers(0, len(rows) + 1)), item)
    kept = {tuple(row) for row in points.tolist()}
    return rows, [i for i, row in enumerate(rows) if row is not None and tuple(row) in kept]


def taken(values: list[Any], places: list[int]) -> list[Any]:
    """Values at the places; those at all others must be NULL."""
    assert all(values[i] is None for i in set(range(len(values))) - set(places))
    return [values[i] for i in places]


@pytest.fixture
def points() -> Matrix:
    return blobs(3, 300, 2, 4, 1.5) * [1.0, 40.0] + [1000.0, 0.0]


# -- scales ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scaler", "fields"),
    [
        ("segql_standardize", StandardScaler(), {"means": "mean_", "deviations": "scale_"}),
        ("segql_minmax", MinMaxScaler(), {"minima": "data_min_", "maxima": "data_max_"}),
        ("segql_robust", RobustScaler(), {"medians": "center_", "iqrs": "scale_"}),
    ],
)
def test_scalers_equal_scikit_learn(
    db: duckdb.DuckDBPyConnection, points: Matrix, name: str, scaler: Any, fields: dict[str, str]
) -> None:
    rows, places = with_unusable(points)
    result = call(db, name, rows)
    scaler.fit(points)
    np.testing.assert_allclose(
        taken(result["values"], places), scaler.transform(points), rtol=1e-9, atol=1e-12
    )
    for field, theirs in fields.items():
        np.testing.assert_allclose(result[field], getattr(scaler, theirs), rtol=1e-12)


@pytest.mark.parametrize("name", ["segql_standardize", "segql_minmax", "segql_robust"])
@pytest.mark.parametrize("constant", [0.1, 1e9 / 3, -7.0, 0.0])
def test_constant_columns_become_zero(
    db: duckdb.DuckDBPyConnection, name: str, constant: float
) -> None:
    result = call(db, name, [[constant, float(i)] for i in range(7)])
    assert [row[0] for row in result["values"]] == [0.0] * 7
    assert call(db, name, [[constant]])["values"] == [[0.0]]
    assert call(db, name, [[None], None]) is None


def test_onehot_equals_scikit_learn(db: duckdb.DuckDBPyConnection) -> None:
    given = np.random.default_rng(1).choice(["b", "a", "Ä", "z z", ""], 200).tolist()
    [result] = db.execute("select segql_onehot(?::varchar[])", [given]).fetchone()
    encoder = OneHotEncoder(sparse_output=False).fit(np.array(given, dtype=object)[:, None])
    assert result["categories"] == encoder.categories_[0].tolist()
    np.testing.assert_array_equal(
        result["values"], encoder.transform(np.array(given, dtype=object)[:, None])
    )


@pytest.mark.parametrize(
    ("argument", "categories", "values"),
    [
        ("['b', null, 'a', 'b']", ["a", "b", None],
         [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]),
        ("['c', 'b', 'a', 'b', null, 'c', 'd'], {top: 2}", ["b", "c", "other", None],
         [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0],
          [0, 0, 1, 0]]),
        ("['a', 'b'], {top: 1}", ["a", "other"], [[1, 0], [0, 1]]),
        ("['a', 'b'], {top: 9}", ["a", "b"], [[1, 0], [0, 1]]),
        ("[10, 9, 10]", ["10", "9"], [[1, 0], [0, 1], [1, 0]]),
        ("[true, false, null]", ["false", "true", None], [[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
        ("['x'::enum('y', 'x'), 'y']", ["x", "y"], [[1, 0], [0, 1]]),
        ("[date '2024-02-01']", ["2024-02-01"], [[1]]),
        ("['a', 'b']::varchar[2]", ["a", "b"], [[1, 0], [0, 1]]),
        ("[null]", [None], [[1]]),
        ("[]", [], []),
    ],
)  # fmt: skip
def test_onehot_levels(
    db: duckdb.DuckDBPyConnection, argument: str, categories: list[Any], values: list[Any]
) -> None:
    [result] = db.execute(f"select segql_onehot({argument})").fetchone()
    assert result == {"values": values, "categories": categories}


@pytest.mark.parametrize("wanted", ["", "1", "0.8"])
def test_pca_equals_scikit_learn(
    db: duckdb.DuckDBPyConnection, points: Matrix, wanted: str
) -> None:
    rows, places = with_unusable(points)
    result = call(db, "segql_pca", rows, wanted)
    theirs = PCA(float(wanted) if "." in wanted else int(wanted or 2), svd_solver="full")
    theirs.fit(points)
    sign = np.sign((theirs.components_ * np.array(result["components"])).sum(axis=1))
    assert len(result["components"]) == len(theirs.components_)
    np.testing.assert_allclose(result["components"], theirs.components_ * sign[:, None], atol=1e-9)
    for field in ("explained_variance", "explained_variance_ratio"):
        np.testing.assert_allclose(result[field], getattr(theirs, field + "_"), rtol=1e-9)
    scores = theirs.transform(points) * sign
    np.testing.assert_allclose(taken(result["scores"], places), scores, atol=1e-8)


# -- k-means -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_kmeans_is_not_worse_than_the_best_of_ten(db: duckdb.DuckDBPyConnection, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, k = [
        (blobs(seed, 1000, 2, 4, 0.5), 4),
        (blobs(seed, 1000, 4, 6, 3.0), 6),
        (blobs(seed, 800, 2, 4, 5.0), 4),
        (rng.random((500, 2)), 4),
        (rng.normal(0, 1, (400, 3)), 3),
        (blobs(seed, 3000, 2, 12, 0.3), 12),
    ][seed]
    rows: list[Any] = [None, *values.tolist(), [float("nan")] * values.shape[1]]
    result = call(db, "segql_kmeans", rows, str(k))
    labels = np.array(taken(result["labels"], list(range(1, len(values) + 1))))
    theirs = KMeans(k, n_init=10, random_state=0).fit(values)
    assert result["inertia"] <= theirs.inertia_ * 1.001
    centroids = np.array(result["centroids"])
    gaps = ((values[:, None] - centroids[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(gaps.argmin(axis=1) + 1, labels)
    assert result["inertia"] == pytest.approx(gaps.min(axis=1).sum(), rel=1e-9)
    sizes = np.bincount(labels)[1:]
    assert (np.diff(sizes) <= 0).all()
    assert (result["k"], result["trials"], result["prefers_one"]) == (k, [], None)
    assert result["iterations"][-1] == pytest.approx(result["inertia"])


def test_planted_clusters_of_a_thousand_groups_are_found(db: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(3) * 12.0] * 2), -1).reshape(-1, 2)
    groups, size = 1000, 120
    centers = np.stack([rng.permutation(grid)[:4] for _ in range(groups)])
    truth = rng.integers(0, 4, (groups, size))
    values = np.take_along_axis(centers, truth[:, :, None], axis=1)
    values = (values + rng.normal(0, 1, values.shape)).reshape(-1, 2)
    given = pa.table(
        {"g": np.repeat(np.arange(groups), size), "t": truth.ravel(), "x": values[:, 0],
         "y": values[:, 1]}
    )  # fmt: skip
    db.register("given", given)
    found = db.execute(
        "select list(t), segql_kmeans(list([x, y]), 4).labels from given group by g"
    ).fetchall()
    assert len(found) == groups
    assert all(adjusted_rand_score(t, labels) == 1.0 for t, labels in found)


def test_thorough_fills_the_trials(db: duckdb.DuckDBPyConnection, points: Matrix) -> None:
    result = call(db, "segql_kmeans", points.tolist(), "4, {thorough: true}")
    assert [trial["k"] for trial in result["trials"]] == [4]
    assert result["prefers_one"] is not None
    ranged = call(db, "segql_kmeans", points.tolist(), "[2, 5]")
    assert [trial["k"] for trial in ranged["trials"]] == [2, 3, 4, 5]


def test_elbow(db: duckdb.DuckDBPyConnection) -> None:
    values = np.vstack(
        [blobs(1, 150, 2, 1, 0.3) * 0.1 + c for c in ([0, 0], [0, 9], [9, 0], [9, 9])]
    )
    result = call(db, "segql_elbow", values.tolist(), "1, 8")
    assert (result["k"], result["ks"]) == (4, list(range(1, 9)))
    for k, inertia in zip(result["ks"], result["inertias"], strict=True):
        assert inertia <= KMeans(k, n_init=10, random_state=0).fit(values).inertia_ * 1.001
    assert call(db, "segql_elbow", values.tolist(), "2, 3")["k"] is None
    assert call(db, "segql_elbow", [[1.0], [1.0], [5.0]], "1, 9")["ks"] == [1, 2]


# -- trees -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ward", "average", "complete", "single"])
def test_trees_equal_scipy(db: duckdb.DuckDBPyConnection, points: Matrix, method: str) -> None:
    table = scipy_linkage(points, method)
    result = call(db, "segql_hierarchical", points.tolist(), f"5, {{linkage: '{method}'}}")
    np.testing.assert_allclose(result["heights"], table[:, 2], rtol=1e-9)
    np.testing.assert_array_equal(result["merges"], table[:, :2].astype(int))
    np.testing.assert_array_equal(result["sizes"], table[:, 3])
    theirs = fcluster(table, 5, "maxclust")
    assert adjusted_rand_score(theirs, result["labels"]) == 1.0
    assert (np.diff(np.bincount(result["labels"])[1:]) <= 0).all()
    assert result["cophenetic_correlation"] == pytest.approx(
        cophenet(table, pdist(points))[0], abs=1e-9
    )
    for label, centroid in enumerate(result["centroids"], start=1):
        members = points[np.array(result["labels"]) == label]
        np.testing.assert_allclose(centroid, members.mean(axis=0), rtol=1e-9)
    height = float(table[-4, 2] + table[-3, 2]) / 2
    cut = call(db, "segql_hierarchical", points.tolist(),
               f"{{height: ?::double}}, {{linkage: '{method}'}}", height)  # fmt: skip
    assert adjusted_rand_score(fcluster(table, height, "distance"), cut["labels"]) == 1.0
    assert cut["k"] == 4


def test_merges_name_places_of_the_whole_list(
    db: duckdb.DuckDBPyConnection, points: Matrix
) -> None:
    rows, places = with_unusable(points)
    result = call(db, "segql_hierarchical", rows, "3")
    table = scipy_linkage(points, "ward")
    numbers = np.concatenate([places, len(rows) + np.arange(len(points) - 1)])
    np.testing.assert_array_equal(
        result["merges"], np.sort(numbers[table[:, :2].astype(int)], axis=1)
    )
    taken(result["labels"], places)


@pytest.mark.parametrize("method", ["ward", "average", "complete", "single"])
def test_weights_of_a_tree_are_repeated_rows(db: duckdb.DuckDBPyConnection, method: str) -> None:
    rng = np.random.default_rng(4)
    values, times = rng.normal(0, 1, (25, 2)), rng.integers(1, 5, 25)
    repeated = np.repeat(values, times, axis=0)
    options = f"linkage: '{method}'"
    weighted = call(db, "segql_hierarchical", values.tolist(),
                    f"4, {{{options}, weights: ?::double[]}}", times.tolist())  # fmt: skip
    plain = call(db, "segql_hierarchical", repeated.tolist(), f"4, {{{options}}}")
    assert np.repeat(weighted["labels"], times).tolist() == plain["labels"]
    np.testing.assert_allclose(weighted["heights"], plain["heights"][-24:], rtol=1e-9)
    assert weighted["sizes"][-1] == times.sum()


# -- densities ---------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [2, 5])
@pytest.mark.parametrize("min_samples", [1, 4, 12])
def test_dbscan_equals_scikit_learn(
    db: duckdb.DuckDBPyConnection, width: int, min_samples: int
) -> None:
    rng = np.random.default_rng(width)
    values = np.vstack([blobs(width, 400, width, 4), rng.uniform(-12, 12, (100, width))])
    eps = 0.9 * np.sqrt(width)
    result = call(db, "segql_dbscan", values.tolist(), f"{eps}, {min_samples}")
    theirs = DBSCAN(eps=eps, min_samples=min_samples).fit(values)
    core = np.zeros(len(values), dtype=bool)
    core[theirs.core_sample_indices_] = True
    labels = np.array(result["labels"])
    np.testing.assert_array_equal(result["is_core"], core)
    np.testing.assert_array_equal(labels == 0, theirs.labels_ == -1)
    assert result["noise"] == (theirs.labels_ == -1).sum()
    assert result["k"] == theirs.labels_.max() + 1
    assert adjusted_rand_score(labels[core], theirs.labels_[core]) == 1.0
    nearest = NearestNeighbors(n_neighbors=1).fit(values[core])
    borders = ~core & (labels > 0)
    if borders.any():
        near = nearest.kneighbors(values[borders], return_distance=False)[:, 0]
        np.testing.assert_array_equal(labels[borders], labels[core][near])
    assert (np.diff(np.bincount(labels)[1:]) <= 0).all()


def test_dbscan_finds_eps_and_min_samples(db: duckdb.DuckDBPyConnection) -> None:
    values = np.vstack(
        [blobs(1, 500, 2, 3, 0.3), np.random.default_rng(1).uniform(-12, 12, (30, 2))]
    )
    rows, places = with_unusable(values)
    found = [call(db, "segql_dbscan", rows, rest) for rest in
             ("", "'auto'", "null", "null, null", "'AUTO', 5, {weights: null}")]  # fmt: skip
    assert all(item == found[0] for item in found)
    assert (found[0]["k"], found[0]["min_samples"]) == (3, 5)
    again = call(db, "segql_dbscan", rows, f"{found[0]['eps']}, 5")
    assert again == found[0]
    taken(found[0]["labels"], places)
    taken(found[0]["is_core"], places)


def test_noise_alone_is_an_answer(db: duckdb.DuckDBPyConnection) -> None:
    for rest in ("0.5, 3", "'auto', 30", "1e-90, 2"):
        result = call(db, "segql_dbscan", [[1.0], None, [4.0], [9.0]], rest)
        assert result["labels"] == [0, None, 0, 0]
        assert (result["k"], result["noise"], result["centroids"]) == (0, 3, [])
    assert call(db, "segql_dbscan", [[1.0, 2.0]])["eps"] is None
    weighted = call(db, "segql_dbscan", [[1.0], [9.0]], "1, 3, {weights: [3, 1]}")
    assert (weighted["labels"], weighted["is_core"]) == ([1, 0], [True, False])


# -- silhouettes -------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean"])
def test_silhouette_equals_scikit_learn(
    db: duckdb.DuckDBPyConnection, points: Matrix, metric: str
) -> None:
    labels = KMeans(5, n_init=1, random_state=0).fit(points).labels_ + 3
    labels[17] = 99  # alone in its cluster
    rows, places = with_unusable(points)
    noise = {places[5]: 0, places[8]: None}
    given: list[Any] = [7] * len(rows)
    for place, label in zip(places, labels, strict=True):
        given[place] = noise.get(place, int(label))
    result = call(db, "segql_silhouette", rows, f"?::integer[], {{metric: '{metric}'}}", given)
    kept = np.delete(np.arange(len(points)), [5, 8])
    own = labels[kept]
    assert result["silhouette"] == pytest.approx(
        silhouette_score(points[kept], own, metric=metric), abs=1e-9
    )
    theirs = silhouette_samples(points[kept], own, metric=metric)
    mine = taken(result["values"], [places[i] for i in kept])
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-9)
    assert result["labels"] == sorted(set(own.tolist()))
    for label, value, size in zip(
        result["labels"], result["silhouettes"], result["sizes"], strict=True
    ):
        assert value == pytest.approx(theirs[own == label].mean(), abs=1e-9)
        assert size == (own == label).sum()


def test_silhouette_of_one_cluster_is_null(db: duckdb.DuckDBPyConnection) -> None:
    one = {"silhouette": None, "values": [None, None], "labels": [4], "silhouettes": [None],
           "sizes": [2]}  # fmt: skip
    assert call(db, "segql_silhouette", [[1.0], [2.0]], "[4, 4]") == one
    none = {**one, "labels": [], "silhouettes": [], "sizes": []}
    assert call(db, "segql_silhouette", [[1.0], [2.0]], "[0, null]") == none
    assert call(db, "segql_silhouette", [[1.0], [1.0]], "[1, 2]")["values"] == [0.0, 0.0]
    assert call(db, "segql_silhouette", [[1.0]], "null::integer[]") is None


def test_blocks_of_a_long_list(
    db: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, points: Matrix
) -> None:
    labels = [1 + i % 3 for i in range(len(points))]
    for metric in ("sqeuclidean", "euclidean"):
        rest = f"?::integer[], {{metric: '{metric}'}}"
        whole = call(db, "segql_silhouette", points.tolist(), rest, labels)
        with monkeypatch.context() as patched:
            patched.setattr("segql.functions.measures.BLOCK", 1000)
            assert call(db, "segql_silhouette", points.tolist(), rest, labels) == whole
