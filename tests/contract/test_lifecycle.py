"""A model's life: versions, keys across refits, leftovers, other rows, cursors, warnings."""

from __future__ import annotations

import duckdb
import pytest
from sklearn.metrics import adjusted_rand_score
from support import (
    blobs,
    labels_of,
    load_frame,
    predictions,
    registry_picture,
    scratch_objects,
    shop_frame,
    store_numbers,
)

import segql
from segql.functions.shared_macros import LONG_TABLES


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    load_frame(con, "customers_table", shop_frame())
    return con


def fit(con: duckdb.DuckDBPyConnection, k: object = 3, **options: object) -> segql.Model:
    return segql.fit(
        con, "customers_table", id="customer_id", name="customers", k=k,
        features=["recency", "frequency", "monetary"], **options,
    )  # fmt: skip


def test_versions(shop: duckdb.DuckDBPyConnection) -> None:
    first, second = fit(shop, 3), fit(shop, 4)
    assert (first.version, second.version) == (1, 2)
    listed = segql.models(shop)
    assert list(listed["model_version"]) == [2, 1]
    assert list(listed["is_current"]) == [True, False]
    assert list(listed["k"]) == [4, 3]
    for version, model in ((1, first), (2, second), (None, second)):
        again = segql.load(shop, "customers", version=version)
        assert (again.version, again.k) == (model.version, model.k)
        assert again.state() == model.state()
        assert again.metrics == model.metrics
        assert again.segments == model.segments
        assert again.trials == model.trials
        assert again.sql() == model.sql()
        scored = predictions(
            segql.predict(shop, "customers", "customers_table", version=version), "customer_id"
        )
        argument = "" if version is None else f", version := {version}"
        macro = predictions(
            shop.sql(f"from segql.predict('customers', 'customers_table'{argument})"),
            "customer_id",
        )
        assert labels_of(scored) == labels_of(macro)
        assert set(labels_of(scored)) == set(range(1, model.k + 1))
        assert segql.evaluate(shop, "customers", version=version) == model.metrics
    counted = shop.sql("select count(*) from segql.segments('customers')").fetchall()
    assert counted == [(4,)]
    counted = shop.sql("select count(*) from segql.segments('customers', version := 1)").fetchall()
    assert counted == [(3,)]


def test_models_do_not_disturb_each_other(shop: duckdb.DuckDBPyConnection) -> None:
    fit(shop, 3)
    before = predictions(segql.predict(shop, "customers", "customers_table"), "customer_id")
    segql.fit(shop, "customers_table", id="customer_id", name="others", k=5, features=["monetary"])
    after = predictions(
        shop.sql("from segql.predict('customers', 'customers_table')"), "customer_id"
    )
    assert before.equals(after)
    assert list(segql.models(shop)["model_name"]) == ["customers", "others"]


def test_names_that_differ_in_case_only(shop: duckdb.DuckDBPyConnection) -> None:
    """SQL does not tell such macros apart: the second fit must not answer under the first name."""
    fit(shop, 3)
    with pytest.raises(segql.SegqlError, match=r"'Customers'.*'customers'.*case"):
        segql.fit(shop, "customers_table", id="customer_id", name="Customers", k=5,
                  features=["monetary"])  # fmt: skip
    python = predictions(segql.predict(shop, "customers", "customers_table"), "customer_id")
    macro = predictions(
        shop.sql("from segql.predict('customers', 'customers_table')"), "customer_id"
    )
    assert labels_of(python) == labels_of(macro)


def test_keys_survive_a_refit(shop: duckdb.DuckDBPyConnection) -> None:
    """Renumbered segments keep their key; a dissolved key is never used again."""
    centers = {"a": 0.0, "b": 50.0, "c": 100.0}

    def store(sizes: dict[str, int]) -> None:
        values = [centers[g] + i % 7 for g, size in sizes.items() for i in range(size)]
        groups = [g for g, size in sizes.items() for _ in range(size)]
        shop.execute("create or replace table t (id bigint, grp varchar, x double)")
        shop.executemany(
            "insert into t values (?, ?, ?)",
            [(i, *row) for i, row in enumerate(zip(groups, values, strict=True))],
        )

    def key_of_groups() -> dict[str, str]:
        rows = shop.sql("select distinct grp, segment_key from segql.predict('m', 't')").fetchall()
        assert len(rows) == len({row[0] for row in rows})
        return dict(rows)

    store({"a": 90, "b": 60, "c": 30})
    segql.fit(shop, "t", id="id", name="m", k=3, features=["x"])
    assert key_of_groups() == {"a": "S1", "b": "S2", "c": "S3"}
    store({"a": 40, "b": 60, "c": 95})
    segql.fit(shop, "t", id="id", name="m", k=3, features=["x"])
    assert key_of_groups() == {"a": "S1", "b": "S2", "c": "S3"}
    assert segql.load(shop, "m").keys == ["S3", "S2", "S1"]
    segql.fit(shop, "t", id="id", name="m", k=1, features=["x"])
    merged = segql.load(shop, "m").keys
    assert merged == ["S4"]  # 95 of 195 customers: no old segment is half of it
    segql.fit(shop, "t", id="id", name="m", k=3, features=["x"])
    keys = segql.load(shop, "m").keys
    assert len(set(keys)) == 3
    assert not set(keys) & {"S1", "S2", "S3"}


def test_a_refit_with_other_features_is_matched_on_the_rows(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    rows = blobs(3, 600, 2, 3, 0.5)
    store_numbers(shop, "t", {"x": list(rows[:, 0]), "y": list(rows[:, 1])})
    segql.fit(shop, "t", id="id", name="m", k=3, features=["x", "y"])
    old = predictions(segql.predict(shop, "m", "t"))
    shop.execute("alter table t add column z double; update t set z = x - y")
    segql.fit(shop, "t", id="id", name="m", k=3, features=["z", "y"])
    new = predictions(segql.predict(shop, "m", "t"))
    assert adjusted_rand_score(labels_of(old), labels_of(new)) > 0.9
    assert (old["segment_key"] == new["segment_key"]).mean() > 0.9


def test_unpublished_leftovers_are_invisible_and_pruned(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    fit(shop, 3)
    left = fit(shop, 4, publish=False)
    assert left.version == 2
    assert segql.load(shop, "customers").k == 3
    assert list(segql.models(shop)["model_version"]) == [1]
    with pytest.raises(segql.UnknownModelError, match="version '2'"):
        segql.load(shop, "customers", version=2)
    scored = shop.sql("from segql.predict('customers', 'customers_table')").df()
    assert scored["segment_id"].max() == 3
    again = fit(shop, 5)
    assert again.version == 2
    assert segql.load(shop, "customers").k == 5
    for table in LONG_TABLES:
        versions = shop.sql(
            f"select distinct model_version from segql.{table} order by 1"
        ).fetchall()
        assert set(versions) <= {(1,), (2,)}
    sizes = shop.sql("select count(*) from segql.segments where model_version = 2").fetchall()
    assert sizes == [(5,)]


def test_what_was_never_published_takes_no_keys(shop: duckdb.DuckDBPyConnection) -> None:
    """A build that is killed between the fit and the tables ends as if it had not been."""
    left = fit(shop, 3, publish=False)
    again = fit(shop, 3)
    assert [segment.segment_key for segment in left.segments] == ["S1", "S2", "S3"]
    assert again.segments == left.segments


def test_an_unpublished_version_is_published_by_its_statements(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    """What dbt runs in the transaction that swaps the relation."""
    fit(shop, 3)
    fit(shop, 4, publish=False)
    [statements] = shop.execute(
        "select publish_sql from segql.models where not is_published"
    ).fetchone()
    shop.begin()
    for statement in statements:
        shop.execute(statement)
    shop.commit()
    assert (segql.load(shop, "customers").k, segql.load(shop, "customers").version) == (4, 2)
    assert segql.load(shop, "customers", version=1).k == 3
    scored = shop.sql("from segql.predict('customers', 'customers_table')").df()
    assert scored["segment_id"].max() == 4


def test_without_a_name_nothing_is_stored(shop: duckdb.DuckDBPyConnection) -> None:
    model = segql.fit(
        shop, "customers_table", id="customer_id", k=3, features=["recency", "monetary"]
    )
    assert model.name is None
    assert registry_picture(shop) == {"rows": {}, "macros": []}
    assert scratch_objects(shop) == []
    scored = shop.sql(model.sql(relation="customers_table")).df()
    assert sorted(scored["segment_id"].unique()) == [1, 2, 3]


def test_prediction_names_in_the_input_are_replaced(shop: duckdb.DuckDBPyConnection) -> None:
    fit(shop, 3)
    shop.execute(
        "create table scored as select *, 'old' as \"SEGMENT_ID\", -1 as distance, 0 as version, "
        "'m' as model, 'r' as relation, 1 as source from customers_table"
    )
    expected = predictions(segql.predict(shop, "customers", "customers_table"), "customer_id")
    for relation in (
        segql.predict(shop, "customers", "scored"),
        shop.sql("from segql.predict('customers', 'scored')"),
    ):
        assert relation.columns == [
            "customer_id", "recency", "frequency", "monetary", "channel", "newsletter",
            "version", "model", "relation", "source",
            "segment_id", "segment_key", "distance", "next_segment_id", "confidence",
        ]  # fmt: skip
        found = predictions(relation, "customer_id")
        assert labels_of(found) == labels_of(expected)
        assert (found["distance"] == expected["distance"]).all()


def test_relations_of_every_kind(shop: duckdb.DuckDBPyConnection) -> None:
    """Table, qualified table, view, query, name with spaces: the same model."""
    shop.execute("create schema marts")
    shop.execute('create table marts."The Customers" as from customers_table')
    shop.execute("create view a_view as from customers_table")
    states = set()
    for relation in (
        "customers_table", "main.customers_table", "memory.main.customers_table", "a_view",
        'marts."The Customers"', "from customers_table", "select * from customers_table",
        "with c as (from customers_table) select * from c order by random()",
        "select * from customers_table; ",
    ):  # fmt: skip
        model = segql.fit(
            shop, relation, id="customer_id", k=3, features=["recency", "frequency", "monetary"]
        )
        states.add(model.state())
    assert len(states) == 1
