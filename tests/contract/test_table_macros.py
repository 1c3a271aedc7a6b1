"""evaluate, detect_anomalies and explain in SQL, against scikit-learn and NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
from support import blobs, load_frame, points, predictions, shop_frame, store_numbers

import segql
from segql.functions.shared_macros import LONG_TABLES, TABLE_MACROS

NUMBERS = ["recency", "frequency", "monetary"]
MODELS: dict[str, dict[str, Any]] = {
    "plain": {"k": 4},
    "projected": {"k": 3, "pca": 3},
    "tree": {"algorithm": "hierarchical", "k": 4},
    "cells": {"algorithm": "dbscan", "features": NUMBERS},
    "balls": {"algorithm": "dbscan"},
    "nested": {"algorithm": "hdbscan", "features": NUMBERS, "min_samples": 5},
    "unimputed": {"k": 3, "features": {"recency": {"impute": "none"}, "channel": {}}},
}


@pytest.fixture(scope="module")
def shop() -> Any:
    """Fit a model of each kind on one shop."""
    with duckdb.connect() as con:
        load_frame(con, "customer_features", shop_frame())
        con.execute("create view late as from customer_features where recency > 40")
        con.execute("create view nobody as from customer_features where recency > 1e9")
        for name, options in MODELS.items():
            segql.fit(con, "customer_features", id="customer_id", name=name, **options)
        yield con


def figures(con: duckdb.DuckDBPyConnection, call: str) -> dict[str, float]:
    result = con.execute(f"from segql.evaluate({call})")
    names = [item[0] for item in result.description]
    [row] = result.fetchall()
    return dict(zip(names, row, strict=True))


@pytest.mark.parametrize("relation", ["customer_features", "late"])
@pytest.mark.parametrize("name", list(MODELS))
def test_evaluate_equals_scikit_learn(
    shop: duckdb.DuckDBPyConnection, name: str, relation: str
) -> None:
    found = figures(shop, f"'{name}', '{relation}'")
    model = segql.load(shop, name)
    space = points(shop, model, relation)
    labels = predictions(segql.predict(shop, name, relation), "customer_id")["segment_id"]
    known = labels.notna().to_numpy()
    labels, space = labels[known].to_numpy(dtype=int), space[known]
    member = labels > 0
    inertia = float(((space[member] - model.points[labels[member] - 1]) ** 2).sum())
    inside, own = space[member], labels[member]
    assert found == pytest.approx(
        {
            "n": len(labels),
            "inertia": inertia,
            "silhouette": silhouette_score(inside, own, metric="sqeuclidean"),
            "davies_bouldin": davies_bouldin_score(inside, own),
            "calinski_harabasz": calinski_harabasz_score(inside, own),
            "mean_squared_distance": inertia / len(own),
            "noise_share": 1.0 - member.mean(),
        },
        rel=1e-9,
    )
    assert found == pytest.approx(segql.evaluate(shop, name, relation), rel=1e-9)


@pytest.mark.parametrize("name", list(MODELS))
def test_evaluate_without_a_relation_and_without_rows(
    shop: duckdb.DuckDBPyConnection, name: str
) -> None:
    assert figures(shop, f"'{name}'") == pytest.approx(segql.load(shop, name).metrics, rel=1e-12)
    assert figures(shop, f"'{name}', 'nobody'") == segql.evaluate(shop, name, "nobody")


def test_figures_do_not_depend_on_threads_and_order(con: duckdb.DuckDBPyConnection) -> None:
    values = blobs(3, 30_000, 3, 4, 2.0)
    store_numbers(con, "t", {f"f{i}": values[:, i].tolist() for i in range(3)})
    con.execute("create table shuffled as from t order by hash(id)")
    segql.fit(con, "t", id="id", name="m", k=4, features=["f0", "f1", "f2"])
    seen = []
    for threads in (1, 4):
        for relation in ("t", "shuffled"):
            con.execute(f"set threads = {threads}")
            seen.append(figures(con, f"'m', '{relation}'"))
    for other in seen[1:]:
        assert other == seen[0]


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("share", [0, 0.013, 0.29, 1])
def test_anomalies_are_the_farthest_in_units_of_the_radius(
    shop: duckdb.DuckDBPyConnection, name: str, share: float
) -> None:
    rows = (
        shop.execute(f"from segql.detect_anomalies('{name}', 'customer_features', {share})")
        .df()
        .sort_values("customer_id")
    )
    assert list(rows)[-3:] == ["is_anomaly", "normalized_distance", "centroid_id"]
    assert list(rows)[:-3] == list(shop_frame())
    model = segql.load(shop, name)
    space = points(shop, model, "customer_features")
    radii = np.sqrt([segment.mean_squared_distance for segment in model.clusters])
    distances = (
        np.sqrt(((space[:, None, :] - model.points[None]) ** 2).sum(axis=2)) / radii[None, :]
    )
    known = np.isfinite(distances).all(axis=1)
    assert rows["normalized_distance"].notna().to_numpy().tolist() == known.tolist()
    np.testing.assert_allclose(
        rows["normalized_distance"][known], distances[known].min(axis=1), rtol=1e-9
    )
    assert (rows["centroid_id"][known] == distances[known].argmin(axis=1) + 1).all()
    marked = rows["is_anomaly"].fillna(False).astype(bool).to_numpy()
    assert marked.sum() == int(np.floor(share * known.sum() + 1e-9))
    if 0 < share < 1:
        assert distances[marked].min(axis=1).min() >= distances[known & ~marked].min(axis=1).max()


@pytest.mark.parametrize("name", [name for name in MODELS if name != "unimputed"])
def test_attributions_add_up_to_the_difference_of_the_squared_distances(
    shop: duckdb.DuckDBPyConnection, name: str
) -> None:
    rows = (
        shop.execute(f"from segql.explain('{name}', 'customer_features')")
        .df()
        .sort_values("customer_id")
        .reset_index(drop=True)
    )
    model = segql.load(shop, name)
    space = points(shop, model, "customer_features")
    scored = predictions(segql.predict(shop, name, "customer_features"), "customer_id")
    for at, (own, following, parts) in enumerate(
        zip(rows["segment_id"], rows["next_segment_id"], rows["top_feature_attributions"],
            strict=True)
    ):  # fmt: skip
        if own == 0:
            assert not isinstance(parts, np.ndarray)
            continue
        assert (own, following) == (scored["segment_id"][at], scored["next_segment_id"][at])
        gaps = ((space[at] - model.points) ** 2).sum(axis=1)
        total = sum(part["attribution"] for part in parts)
        assert total == pytest.approx(gaps[following - 1] - gaps[own - 1], rel=1e-8, abs=1e-8)
        assert {part["feature"] for part in parts} == set(model.recipe.names)
        values = [part["attribution"] for part in parts]
        assert values == sorted(values, reverse=True)


def test_attributions_of_plain_numbers_are_those_of_each_coordinate(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    segql.fit(shop, "customer_features", id="customer_id", name="numbers", k=3, features=NUMBERS)
    model = segql.load(shop, "numbers")
    space = points(shop, model, "customer_features")
    rows = shop.execute(
        "select segment_id, next_segment_id, top_feature_attributions "
        "from segql.explain('numbers', 'customer_features') order by customer_id"
    ).fetchall()
    for at, (own, following, parts) in enumerate(rows):
        part = {item["feature"]: item["attribution"] for item in parts}
        expected = (space[at] - model.points[following - 1]) ** 2 - (
            space[at] - model.points[own - 1]
        ) ** 2
        assert [part[name] for name in NUMBERS] == pytest.approx(expected.tolist(), abs=1e-9)


def test_one_segment_has_no_next_one(con: duckdb.DuckDBPyConnection) -> None:
    load_frame(con, "t", shop_frame())
    segql.fit(con, "t", id="customer_id", name="one", k=1, features=NUMBERS)
    rows = con.execute("select distinct top_feature_attributions from segql.explain('one', 't')")
    assert rows.fetchall() == [(None,)]
    assert figures(con, "'one', 't'") == pytest.approx(segql.evaluate(con, "one", "t"), rel=1e-9)


def test_equal_points_have_no_radius(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table t as select i as id, case when i < 50 then 0.0 else 10.0 + i % 7 end as a "
        "from range(100) as r (i)"
    )
    segql.fit(con, "t", id="id", name="m", k=2, features=["a"])
    con.execute("create table n as from (values (1, 0.0), (2, 0.5), (3, 13.0)) as v (id, a)")
    found = con.execute("from segql.detect_anomalies('m', 'n', 0.4) order by id").fetchall()
    assert [row[2] for row in found] == [False, True, False]
    assert found[0][3] == 0.0
    assert np.isfinite([row[3] for row in found]).all()


# -- the text of wide models -----------------------------------------------------------------


def test_a_wide_model_keeps_its_text_short(shop_file: Path) -> None:
    """Fifty features with long names and a transform, twenty segments; as a checkpoint keeps it."""
    names = [f"average order value {number}" for number in range(50)]
    columns = ", ".join(
        f'exp((hash(i, {j}) % 1000) / 300 + 0.3 * (hash(i % 20, {j}, 7) % 10)) as "{name}"'
        for j, name in enumerate(names)
    )
    with duckdb.connect(str(shop_file)) as con:
        con.execute(f"create table t as select i as id, {columns} from range(2000) as r (i)")
        model = segql.fit(
            con, "t", id="id", name="m", k=20,
            features={name: {"transform": "log1p"} for name in names},
        )  # fmt: skip
    with duckdb.connect(str(shop_file)) as con:
        sizes = dict(
            con.execute(
                "select function_name, length(macro_definition) from duckdb_functions() "
                "where schema_name = 'segql' and starts_with(function_name, 'm_')"
            ).fetchall()
        )
        assert max(sizes.values()) < 64 * 1024, sizes
        found = con.execute("select segment_id from segql.predict('m', 't') order by id").fetchall()
        space = points(con, model, "t")
    nearest = ((space[:, None] - model.points[None]) ** 2).sum(axis=2).argmin(axis=1) + 1
    assert [row[0] for row in found] == nearest.tolist()


# -- one of each -----------------------------------------------------------------------------


def test_every_macro_is_there_and_every_long_table_has_one(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    found = {
        row[0]
        for row in shop.execute(
            "select function_name from duckdb_functions() where schema_name = 'segql' "
            "and function_type = 'table_macro'"
        ).fetchall()
    }
    assert {macro.name for macro in TABLE_MACROS} <= found
    assert set(LONG_TABLES) <= {macro.name for macro in TABLE_MACROS}
    for table in LONG_TABLES:
        shop.execute(f"from segql.{table}('plain')")


def test_loadings_are_told_as_bigquery_tells_them(shop: duckdb.DuckDBPyConnection) -> None:
    rows = shop.execute("from segql.principal_components('projected')").fetchall()
    model = segql.load(shop, "projected")
    assert model.projection is not None
    axes = model.recipe.dimensions()
    assert len(rows) == 3 * len(model.recipe.features)
    for component, feature, number, levels in rows:
        at = [i for i, axis in enumerate(axes) if axis.feature == feature]
        loadings = model.projection.components[component][at].tolist()
        if levels is None:
            assert [number] == loadings
        else:
            assert number is None
            assert [level["value"] for level in levels] == loadings
            assert {level["category"] for level in levels} >= {"web", "store", "phone"}
