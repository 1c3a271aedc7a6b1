"""A tree's heights are scipy's, and its segments in SQL are those of the cut."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, fcluster, linkage
from scipy.spatial.distance import pdist
from sklearn.metrics import adjusted_rand_score
from support import Matrix, blobs, points, predictions, store_numbers

import segql
from segql.clusterers.linkage import LINKAGES, fit_tree
from segql.model import Model


def store(con: duckdb.DuckDBPyConnection, values: Matrix, name: str = "train") -> None:
    columns = {f"x{j}": values[:, j].tolist() for j in range(values.shape[1])}
    store_numbers(con, name, columns)


def fit(con: duckdb.DuckDBPyConnection, width: int, **options: Any) -> Model:
    features = {f"x{j}": {"transform": "none"} for j in range(width)}
    return segql.fit(
        con, "train", id="id", name="m", features=features, algorithm="hierarchical", **options
    )


def dendrogram(con: duckdb.DuckDBPyConnection) -> Matrix:
    """Fetch the linkage table as scipy has it."""
    rows = con.sql(
        'select "left", "right", height, size from segql.dendrogram(\'m\') order by merge'
    ).fetchall()
    return np.array(rows, dtype=float)


@pytest.mark.parametrize("method", LINKAGES)
@pytest.mark.parametrize(("size", "width"), [(2, 1), (3, 2), (400, 2), (2000, 4)])
def test_the_tree_is_scipys(
    con: duckdb.DuckDBPyConnection, method: str, size: int, width: int
) -> None:
    store(con, blobs(size, size, width, 4, 1.0))
    k = min(4, size)
    model = fit(con, width, linkage=method, k=k)
    space = points(con, model, "train")
    theirs = linkage(space, method)
    ours = dendrogram(con)
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(ours[:, 3], theirs[:, 3])
    # By height: scipy 1.14's "maxclust" puts all of two or three points into one cluster.
    height = theirs[size - k - 1, 2] if size > k else 0.0
    cut = fcluster(theirs, height, "distance")
    assert cut.max() == k
    told = predictions(segql.predict(con, "m", "train"))["segment_id"]
    share = model.diagnostics["agreement"][0]
    assert adjusted_rand_score(cut, told) == pytest.approx(
        model.diagnostics["agreement_ari"][0], abs=1e-9
    )
    assert share > (0.97 if size == 2000 else 0.999999)
    if size > 3:
        expected = cophenet(theirs, pdist(space))[0]
        assert model.diagnostics["cophenetic_correlation"][0] == pytest.approx(expected, abs=1e-9)


def test_a_cut_by_height_leaves_what_is_merged_below(con: duckdb.DuckDBPyConnection) -> None:
    store(con, blobs(7, 500, 3, 5, 0.8))
    model = fit(con, 3, k={"height": 12.0})
    space = points(con, model, "train")
    cut = fcluster(linkage(space, "ward"), 12.0, "distance")
    assert model.k == cut.max()
    told = predictions(segql.predict(con, "m", "train"))["segment_id"]
    assert adjusted_rand_score(cut, told) == 1.0
    assert "height 12" in model.reason


def test_weights_are_repeated_rows() -> None:
    rng = np.random.default_rng(5)
    distinct, counts = rng.standard_normal((60, 3)), rng.integers(1, 6, 60)
    for method in LINKAGES:
        weighted = fit_tree(distinct, counts.astype(float), method)
        repeated = linkage(np.repeat(distinct, counts, axis=0), method)
        np.testing.assert_allclose(weighted.heights, repeated[-59:, 2], rtol=0, atol=1e-9)
        np.testing.assert_allclose(weighted.sizes, repeated[-59:, 3])


def test_micro_clusters_give_the_groups_of_all_rows(con: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(11)
    planted = rng.integers(0, 6, 20_000)
    values = rng.uniform(-4, 4, (6, 6))[planted] + rng.normal(0, 0.7, (20_000, 6))
    store(con, values)
    model = fit(con, 6, k=6)
    assert model.diagnostics["leaves"][0] <= 2_000
    told = predictions(segql.predict(con, "m", "train"))["segment_id"]
    theirs = fcluster(linkage(points(con, model, "train"), "ward"), 6, "maxclust")
    assert adjusted_rand_score(theirs, told) >= 0.95


def test_k_auto_finds_planted_groups(con: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(2)
    planted = np.repeat(np.arange(4), 250)
    store(con, rng.uniform(-5, 5, (4, 3))[planted] + rng.normal(0, 0.3, (1000, 3)))
    model = fit(con, 3, k="auto")
    assert model.k == 4
    assert [trial.k for trial in model.trials] == list(range(2, 11))
    assert con.sql("select count(*) from segql.trials('m') where chosen").fetchall()[0] == (1,)
    assert con.sql("select bool_and(gap is null) from segql.trials('m')").fetchall()[0] == (True,)


def test_few_rows_may_have_stable_groups(con: duckdb.DuckDBPyConnection) -> None:
    near = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    store(con, np.array(near + [[x + 100, y + 100] for x, y in near]))
    model = fit(con, 2)
    assert model.k == 2
    assert "among the stable k" in model.reason


def test_every_segment_is_named_as_the_tree_does(con: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(4)
    store(con, np.vstack([rng.normal(0, 1, (6000, 2)), [[20.0, 20], [-20, 20], [20, -20]]]))
    model = fit(con, 2, linkage="single", k=4)
    told = predictions(segql.predict(con, "m", "train"))["segment_id"].to_numpy()
    assert len(set(told[-3:])) == 3
    assert model.diagnostics["agreement_ari"][0] == 1.0


def test_scalar_table_and_portable_expression_agree(con: duckdb.DuckDBPyConnection) -> None:
    store(con, blobs(3, 800, 3, 4, 1.2))
    model = fit(con, 3, k=5)
    told = predictions(segql.predict(con, "m", "train"))
    scalar = con.sql(
        "select segql.m_segment(x0, x1, x2), segql.m_segment_key(x0, x1, x2) from train order by id"
    ).fetchall()
    assert [row[0] for row in scalar] == told["segment_id"].tolist()
    assert [row[1] for row in scalar] == told["segment_key"].tolist()
    portable = con.sql(f"select {model.sql(form='expression')} from train order by id").fetchall()
    assert [row[0] for row in portable] == told["segment_id"].tolist()
    assert told["confidence"].between(0, 1).all()
    assert (told["next_segment_id"] != told["segment_id"]).all()
    space = points(con, model, "train")
    own = np.linalg.norm(space - model.points[told["segment_id"] - 1], axis=1)
    np.testing.assert_allclose(told["distance"], own, atol=1e-9)


def test_a_model_that_was_read_back_says_the_same(con: duckdb.DuckDBPyConnection) -> None:
    store(con, blobs(9, 300, 2, 3, 1.0))
    model = fit(con, 2, k=3)
    again = segql.load(con, "m")
    assert again.sql() == model.sql()
    assert again.diagnostics == model.diagnostics
    assert segql.evaluate(con, "m", "train") == pytest.approx(model.metrics, abs=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"linkage": "wards"}, "unknown linkage 'wards'; did you mean 'ward'"),
        ({"k": 51}, "k is 51 but there are only 50 distinct rows"),
        ({"k": {"height": -1}}, 'accepted: {"height": h}'),
        ({"k": {"depth": 1}}, 'accepted: {"height": h}'),
        ({"k": 0}, "k got 0"),
        ({"eps": 0.5}, "algorithm 'hierarchical' has no eps"),
        ({"min_samples": 5}, "algorithm 'hierarchical' has no min_samples"),
    ],
)
def test_bad_options_are_refused_by_name(
    con: duckdb.DuckDBPyConnection, options: dict[str, Any], message: str
) -> None:
    store(con, blobs(1, 50, 2, 2, 1.0))
    with pytest.raises(segql.SegqlError, match=re.escape(message)):
        fit(con, 2, **options)
    assert con.sql("select count(*) from duckdb_schemas() where schema_name = 'segql'").fetchall()[
        0
    ] == (0,)


def test_the_dendrogram_says_which_branch_is_which_segment(con: duckdb.DuckDBPyConnection) -> None:
    """The largest branches that lie within one segment hold its rows, single leaves too."""
    far = np.array([[400.0, 400.0]])
    near = np.random.default_rng(5).normal(size=(60, 2)) + np.repeat([[0, 0], [30, 0]], [20, 40], 0)
    store(con, np.concatenate([near, far]))
    model = fit(con, 2, k=3)

    merges = con.sql(
        'select "left", "right", size, left_segment_id, right_segment_id '
        "from segql.dendrogram('m') order by merge"
    ).fetchall()
    sizes = dict.fromkeys(range(len(merges) + 1), 1.0)
    sizes |= {len(merges) + 1 + place: row[2] for place, row in enumerate(merges)}
    tops = {
        segment: sizes[child]
        for left, right, _, of_left, of_right in merges
        for child, segment in ((left, of_left), (right, of_right))
        if of_left != of_right and segment is not None
    }

    assert tops == {item.segment_id: item.customers for item in model.clusters}
    assert sorted(tops.values()) == [1, 20, 40]
