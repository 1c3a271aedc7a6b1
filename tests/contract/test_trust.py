"""How far segments can be trusted: the verdicts on planted and on uniform data, and their story."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from support import Matrix, load_frame, predictions, shop_frame, store_numbers

import segql
from segql.bootstrap import bootstrap_jaccards, spread_sample
from segql.clusterers.kmeans import Problem
from segql.diagnostics import adjusted_rand

ALGORITHMS: dict[str, dict[str, Any]] = {
    "kmeans": {"k": 4},
    "hierarchical": {"algorithm": "hierarchical", "k": 4},
    "dbscan": {"algorithm": "dbscan"},
    "hdbscan": {"algorithm": "hdbscan"},
}
UNTRUSTED = {"do not trust", "dissolved"}


def store(con: duckdb.DuckDBPyConnection, values: Matrix, name: str = "t") -> list[str]:
    names = [f"f{index}" for index in range(values.shape[1])]
    store_numbers(con, name, {key: values[:, i].tolist() for i, key in enumerate(names)})
    return names


def planted(seed: int, size: int, width: int) -> Matrix:
    """Make four groups that are far apart, none of the same size."""
    rng = np.random.default_rng(seed)
    centers = 9.0 * np.vstack([np.zeros(width), np.ones(width), np.eye(width)[:2] * 2])
    return centers[rng.choice(4, size, p=[0.4, 0.3, 0.2, 0.1])] + rng.normal(0, 0.7, (size, width))


def said(con: duckdb.DuckDBPyConnection, name: str = "m", last: str = "") -> list[dict[str, Any]]:
    result = con.execute(f"from segql.trust('{name}'{last})")
    names = [item[0] for item in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.mark.parametrize("seed", [1, 4])
@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical"])
@pytest.mark.parametrize("k", [4, 6])
def test_uniform_rows_are_not_trusted(
    con: duckdb.DuckDBPyConnection, algorithm: str, k: int, seed: int
) -> None:
    names = store(con, np.random.default_rng(seed).uniform(size=(1500, 6)))
    segql.fit(con, "t", id="id", name="m", features=names, **ALGORITHMS[algorithm] | {"k": k})
    rows = said(con)
    assert len(rows) == k
    assert {row["verdict"] for row in rows} == {"do not trust"}
    assert {row["is_trusted"] for row in rows} == {False}
    assert all("gap statistic prefers one segment" in row["reason"] for row in rows)


@pytest.mark.parametrize("algorithm", ["dbscan", "hdbscan"])
def test_densities_of_uniform_rows_are_not_trusted(
    con: duckdb.DuckDBPyConnection, algorithm: str
) -> None:
    names = store(con, np.random.default_rng(2).uniform(size=(3000, 6)))
    segql.fit(con, "t", id="id", name="m", features=names, **ALGORITHMS[algorithm])
    rows = [row for row in said(con) if row["segment_id"] > 0]
    assert rows
    assert {row["verdict"] for row in rows} == {"do not trust"}


@pytest.mark.parametrize(("size", "width"), [(1200, 2), (1200, 6), (9000, 3)])
@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_planted_groups_are_highly_stable(
    con: duckdb.DuckDBPyConnection, algorithm: str, size: int, width: int
) -> None:
    names = store(con, planted(3, size, width))
    options = ALGORITHMS[algorithm]
    if algorithm == "dbscan":
        options = options | {"eps": 0.35 * np.sqrt(width)}
    segql.fit(con, "t", id="id", name="m", features=names, **options)
    rows = [row for row in said(con) if row["share"] > 0.05 and row["segment_id"] > 0]
    assert len(rows) == 4
    assert {row["verdict"] for row in rows} == {"highly stable"}
    assert {row["is_trusted"] for row in rows} == {True}
    assert {row["prefers_one"] for row in rows} == {False}
    assert {row["bootstraps"] for row in rows} == {20}
    assert 0 < rows[0]["bootstrap_rows"] <= size


@pytest.mark.parametrize("algorithm", ["kmeans", "hierarchical"])
def test_each_segment_has_the_jaccard_of_its_own(
    con: duckdb.DuckDBPyConnection, algorithm: str
) -> None:
    """One round crowd is cut in two or three at random, two small far groups come back always."""
    rng = np.random.default_rng(6)
    crowd = rng.normal(0, 1, (1400, 2))
    far = np.vstack([rng.normal([30, 0], 0.5, (300, 2)), rng.normal([0, 30], 0.5, (500, 2))])
    names = store(con, np.vstack([crowd, far]))
    model = segql.fit(
        con, "t", id="id", name="m", features=names, **ALGORITHMS[algorithm] | {"k": 5}
    )
    members = predictions(segql.predict(con, "m", "t"))
    for segment in model.clusters:
        ids = members["id"][members["segment_id"] == segment.segment_id]
        assert segment.customers == len(ids)
        if (ids >= 1400).all():
            assert segment.jaccard > 0.95
        else:
            assert (ids < 1400).all()
            assert segment.jaccard < 0.8
    assert [row["jaccard"] for row in said(con)] == [item.jaccard for item in model.segments]


def test_hdbscan_has_both_figures(con: duckdb.DuckDBPyConnection) -> None:
    names = store(con, planted(3, 1200, 2))
    model = segql.fit(con, "t", id="id", name="m", features=names, algorithm="hdbscan")
    assert all(item.stability and item.stability > 0 for item in model.clusters)
    assert all(item.jaccard and 0 < item.jaccard <= 1 for item in model.clusters)
    stored = dict(
        con.execute(
            "select diagnostic, numerical_value from segql.diagnostics('m') "
            "where starts_with(diagnostic, 'bootstrap')"
        ).fetchall()
    )
    assert stored == {"bootstraps": 20.0, "bootstrap_rows": 1200.0}


@pytest.mark.parametrize(
    ("jaccard", "verdict", "trusted"),
    [
        (1.0, "highly stable", True),
        (0.85, "highly stable", True),
        (0.8499, "valid", True),
        (0.75, "valid", True),
        (0.7499, "a pattern only", True),
        (0.6, "a pattern only", True),
        (0.5999, "do not trust", False),
        (0.5001, "do not trust", False),
        (0.5, "dissolved", False),
        (0.0, "dissolved", False),
        (None, "not measured", None),
    ],
)
def test_verdicts_have_their_bounds(
    con: duckdb.DuckDBPyConnection, jaccard: float | None, verdict: str, trusted: bool | None
) -> None:
    names = store(con, planted(1, 300, 2))
    segql.fit(con, "t", id="id", name="m", features=names, k=2)
    con.execute("update segql.segments set jaccard = ?", [jaccard])
    [row, _] = said(con)
    assert (row["verdict"], row["is_trusted"]) == (verdict, trusted)
    assert row["reason"].endswith(".")
    con.execute("update segql.models set prefers_one = true")
    [row, _] = said(con)
    if jaccard is None:
        assert row["verdict"] == "not measured"
    else:
        assert (row["verdict"], row["is_trusted"]) == ("do not trust", False)
        assert f"overrides the bootstrap Jaccard of {jaccard:.3f}" in row["reason"]


def test_too_few_segments_are_not_called_none(con: duckdb.DuckDBPyConnection) -> None:
    """The gap of two of four groups is below that of one; that of four is not."""
    names = store(con, planted(1, 300, 2))
    for k in (2, 4):
        segql.fit(con, "t", id="id", name="m", features=names, k=k)
        assert {row["prefers_one"] for row in said(con)} == {False}


def test_noise_is_not_judged(con: duckdb.DuckDBPyConnection) -> None:
    far = np.random.default_rng(2).uniform(-60, 60, (40, 2))
    names = store(con, np.vstack([planted(3, 800, 2), far]))
    segql.fit(con, "t", id="id", name="m", features=names, algorithm="dbscan", eps=0.3)
    noise, *rows = said(con)
    assert (noise["segment_id"], noise["jaccard"], noise["verdict"]) == (0, None, "not measured")
    assert noise["is_trusted"] is None
    assert noise["reason"] == "These customers belong to no segment (noise)."
    assert rows[0]["noise_share"] == pytest.approx(noise["share"])


def test_a_refit_is_compared_with_the_version_before(con: duckdb.DuckDBPyConnection) -> None:
    names = store(con, planted(3, 900, 2))
    segql.fit(con, "t", id="id", name="m", features=names, k=4)
    assert said(con)[0]["ari_to_previous"] is None
    assert said(con)[0]["refit_moved"] is None
    for options in ({"k": 4, "seed": 1}, {"k": 2}, {"algorithm": "dbscan", "eps": 0.3}):
        before = predictions(segql.predict(con, "m", "t"))["segment_id"]
        model = segql.fit(con, "t", id="id", name="m", features=names, **options)
        after = predictions(segql.predict(con, "m", "t"))["segment_id"]
        row = said(con)[-1]
        assert row["previous_version"] == model.version - 1
        assert row["ari_to_previous"] == pytest.approx(adjusted_rand_score(before, after))
        assert row["refit_moved"] == (row["ari_to_previous"] < 0.8)
    assert said(con, last=", version := 1")[0]["previous_version"] is None
    assert said(con, last=", version := 2")[0]["refit_moved"] is False
    assert said(con, last=", version := 3")[0]["refit_moved"] is True


def test_adjusted_rand_of_a_table_is_that_of_the_labels() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 3, 500), rng.integers(0, 5, 500)
    second[first == 0] = 1
    joint = np.zeros((4, 6))
    np.add.at(joint, (first, second), 1.0)
    assert adjusted_rand(joint) == pytest.approx(adjusted_rand_score(first, second))


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_order_and_threads_do_not_matter(con: duckdb.DuckDBPyConnection, algorithm: str) -> None:
    names = store(con, planted(8, 2500, 2))
    con.execute("create table shuffled as from t order by hash(id)")
    seen = []
    for relation, threads in (("t", 1), ("shuffled", 4)):
        con.execute(f"set threads = {threads}")
        segql.fit(con, relation, id="id", name=relation, features=names, **ALGORITHMS[algorithm])
        seen.append([(row["jaccard"], row["verdict"]) for row in said(con, relation)])
    assert seen[0] == seen[1]


def test_python_says_what_sql_says(shop_file: Path) -> None:
    config = {"storage_compatibility_version": "v1.4.0"}
    with duckdb.connect(str(shop_file), config=config) as con:
        load_frame(con, "t", shop_frame())
        for k in (3, 4):
            segql.fit(con, "t", id="customer_id", name="it's", k=k)
    with duckdb.connect(str(shop_file), read_only=True) as con:
        for version in (None, 1, 2):
            last = "" if version is None else f", version := {version}"
            expected = con.execute(f"from segql.trust('it''s'{last})").df()
            found = segql.trust(con, "it's", version=version)
            assert list(found) == list(expected)
            assert found.astype(str).equals(expected.astype(str))
        with pytest.raises(segql.UnknownModelError, match="nope"):
            segql.trust(con, "nope")
        with pytest.raises(segql.UnknownModelError, match="version"):
            segql.trust(con, "it's", version=9)
        with pytest.raises(duckdb.Error, match="unknown model 'nope'"):
            con.execute("from segql.trust('nope')")


def test_one_segment_says_so(con: duckdb.DuckDBPyConnection) -> None:
    names = store(con, planted(1, 300, 2))
    segql.fit(con, "t", id="id", name="m", features=names, k=1)
    [row] = said(con)
    assert row["jaccard"] == 1.0


def test_what_was_capped_is_said(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table t as select i as id, (i * 37 % 1009)::double as a, "
        "'g' || (i % 40) // (1 + i % 2 * 39) as grp from range(61000) as r (i)"
    )
    segql.fit(
        con, "t", id="id", name="m", k=3,
        features={"a": {"transform": {"winsorize": [0.05, 0.95]}},
                  "grp": {"encode": {"onehot": {"top": 3}}}},
    )  # fmt: skip
    row = said(con)[0]
    assert row["input_rows"] == 61_000
    assert row["sample_rows"] < 61_000
    sample, low_high, rare = row["caps"]
    assert sample == (f"The clusters were looked for on {row['sample_rows']:,} of 61,000 rows.")
    assert low_high == "a: values below 50 or above 958 count as these."
    assert rare.startswith("grp: ")
    assert rare.endswith(" rare categories count as one.")


# -- the bootstrap itself --------------------------------------------------------------------


def test_sample_follows_the_weights() -> None:
    rng = np.random.default_rng(1)
    points = Problem(np.sort(rng.normal(size=(4000, 1)), axis=0), rng.uniform(1, 3, 4000))
    sample = spread_sample(points, 500, 42)
    assert sample.shape == (500, 1)
    assert len(np.unique(sample)) == 500
    assert sample.mean() == pytest.approx(np.average(points.x[:, 0], weights=points.w), abs=0.01)
    small = Problem(points.x[:300], np.ones(300))
    assert np.array_equal(spread_sample(small, 500, 42), small.x)


def test_jaccards_compare_with_noise_and_the_best_match() -> None:
    sample = np.arange(100.0)[:, None]
    labels = np.repeat([0, 1, -1, 2], 25)
    always = bootstrap_jaccards(sample, labels, 4, lambda x, _: labels[x[:, 0].astype(int)], 7)
    assert always == [1.0, 1.0, 1.0, None]

    def merged(x: Matrix, counts: Matrix) -> Any:
        assert counts.sum() == 100
        found = labels[x[:, 0].astype(int)]
        return np.where(found == 1, 0, np.where(found == -1, 2, found))

    first, second, third, _ = bootstrap_jaccards(sample, labels, 4, merged, 7)
    assert first + second == pytest.approx(1.0)
    assert third == pytest.approx(0.5, abs=0.05)
    nothing = bootstrap_jaccards(sample, labels, 3, lambda x, _: np.full(len(x), -1), 7)
    assert nothing == [0.0, 0.0, 0.0]
