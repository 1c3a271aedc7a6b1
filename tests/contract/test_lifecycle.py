"""A model's life: versions, keys across refits, leftovers, other rows, cursors, warnings."""

from __future__ import annotations

import subprocess
import threading
import warnings
from pathlib import Path

import duckdb
import numpy as np
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

OPEN_STORAGE = {"storage_compatibility_version": "v1.4.0"}


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


# -- session functions -----------------------------------------------------------------------


def test_registering_twice_and_on_cursors(con: duckdb.DuckDBPyConnection) -> None:
    segql.register(con)
    segql.register(con)
    cursor = con.cursor()
    segql.register(cursor)
    assert cursor.sql("select segql_kmeans([[1.0], [9.0]], 2).k").fetchall() == [(2,)]
    cursor.close()
    found: list[object] = []

    def work() -> None:
        own = con.cursor()
        found.append(own.sql("select segql_kmeans([[1.0], [9.0]], 2).k").fetchall())
        own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[(2,)]] * 4


def test_a_fit_on_a_cursor(shop: duckdb.DuckDBPyConnection) -> None:
    cursor = shop.cursor()
    assert fit(cursor, 3).version == 1
    cursor.close()
    assert segql.load(shop, "customers").k == 3


def test_parallel_fits_on_cursors(shop: duckdb.DuckDBPyConnection) -> None:
    segql.register(shop)
    failed: list[BaseException] = []

    def work(name: str) -> None:
        own = shop.cursor()
        try:
            segql.fit(own, "customers_table", id="customer_id", name=name, k=2,
                      features=["recency", "monetary"])  # fmt: skip
        except BaseException as error:
            failed.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work, args=(f"m{i % 3}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    listed = segql.models(shop)
    assert sorted(zip(listed["model_name"], listed["model_version"], strict=True)) == [
        (f"m{i}", version) for i in range(3) for version in (1, 2)
    ]
    assert listed["is_current"].sum() == 3


def test_kmeans_in_group_by_with_null_rows_and_options(con: duckdb.DuckDBPyConnection) -> None:
    segql.register(con)
    con.execute(
        "create table t as select i as id, i % 2 as shop, "
        "case when i % 10 = 0 then null else [(i % 3) * 10.0 + i / 100, i % 3] end as point "
        "from range(90) as r (i)"
    )
    rows = con.sql(
        "select shop, list(id order by id) as ids, "
        "segql_kmeans(list(point order by id), 3, {seed: 7}) as r from t group by shop order by 1"
    ).fetchall()
    assert len(rows) == 2
    for _, ids, result in rows:
        assert len(result["labels"]) == len(ids)
        for number, label in zip(ids, result["labels"], strict=True):
            assert (label is None) == (number % 10 == 0)
        groups = {(i % 3, label) for i, label in zip(ids, result["labels"], strict=True) if label}
        assert len(groups) == 3
        assert result["k"] == 3
        assert len(result["centroids"]) == 3
    unnested = con.sql(
        "select unnest(ids), unnest(result.labels) from (select list(id order by id) as ids, "
        "segql_kmeans(list(point order by id), 'auto') as result from t)"
    ).fetchall()
    assert len(unnested) == 90
    assert con.sql("select segql_kmeans(null::double[][], 2)").fetchall() == [(None,)]


def test_weights_of_the_session_function_repeat_points(con: duckdb.DuckDBPyConnection) -> None:
    segql.register(con)
    weighted, repeated = con.execute(
        "select segql_kmeans([[1.0], [2.0], [9.0], null], 2, {weights: [3.0, 1.0, 2.0, 5.0]}), "
        "segql_kmeans([[1.0], [1], [1], [2], [9], [9]], 2)"
    ).fetchone()
    assert weighted["centroids"] == repeated["centroids"] == [[1.25], [9.0]]
    assert weighted["labels"] == [1, 1, 2, None]
    assert weighted["inertia"] == pytest.approx(0.75)


# -- determinism -----------------------------------------------------------------------------


def test_shuffled_rows_and_threads_give_identical_labels(con: duckdb.DuckDBPyConnection) -> None:
    """200,000 skewed rows with missing values, drawn to a coreset, k chosen automatically."""
    con.execute(
        """
        create table base as select 'c' || i as id,
            exp((hash(i, 1) % 100000) / 1e5 * 5 + (i % 3)) as spend,
            nullif((hash(i, 2) % 1000)::double * (1 + i % 3), 0) as recency,
            case when hash(i, 3) % 20 = 0 then 'nan'::double else ln(1 + hash(i, 4) % 5000) end
                as visits,
            ['web', 'store', 'phone'][1 + (hash(i, 5) % 3)::int] as channel
        from range(200000) as r (i)
        """
    )
    seen = set()
    for threads, order in ((1, "id"), (2, "hash(id)"), (4, "hash(id, 9)")):
        con.execute(f"set threads = {threads}")
        con.execute(f"create or replace table t as from base order by {order}")
        model = segql.fit(
            con, "t", id="id", name="m", k=(3, 5), pca=4,
            features=["spend", "recency", "visits", "channel"],
        )  # fmt: skip
        labels = con.sql(
            "select bit_xor(hash(id, segment_id, segment_key)), count(segment_id) "
            "from segql.predict('m', 't')"
        ).fetchall()
        seen.add((model.state(), repr(model.metrics), repr(model.trials), repr(labels)))
        assert labels[0][1] == 200_000
    assert len(seen) == 1


def test_twenty_shuffles_of_a_small_table(con: duckdb.DuckDBPyConnection) -> None:
    points = blobs(12, 600, 4, 5, 3.0)
    rng = np.random.default_rng(1)
    states = set()
    for _ in range(20):
        order = rng.permutation(len(points))
        con.execute("create or replace table t (id bigint, a double, b double, c double, d double)")
        con.execute(
            "insert into t select unnest(?::bigint[]), " + ", ".join(["unnest(?::double[])"] * 4),
            [order.tolist(), *points[order].T.tolist()],
        )
        model = segql.fit(con, "t", id="id", k=6, features=["a", "b", "c", "d"])
        states.add(model.state() + repr(model.metrics))
    assert len(states) == 1


# -- the file's storage version --------------------------------------------------------------


def test_default_storage_of_2x_is_warned_about(shop_file: Path, cli: str) -> None:
    if duckdb.__version__.startswith("1."):
        pytest.skip("DuckDB 1.x writes files that 1.x clients open")
    with duckdb.connect(str(shop_file)) as con:
        con.execute("create table t as select i as id, i % 7 as a from range(60) as r (i)")
        for call in (
            lambda: segql.register(con),
            lambda: segql.fit(con, "t", id="id", name="m", k=2, features=["a"]),
        ):
            with pytest.warns(UserWarning, match="DuckDB 1.x clients cannot open") as caught:
                call()
            assert len(caught) == 1
            assert "\n" not in str(caught[0].message)
            assert "storage_compatibility_version" in str(caught[0].message)
            assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            segql.fit(con, "t", id="id", k=2, features=["a"])
    done = subprocess.run(
        [cli, "-readonly", str(shop_file), "from t"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0  # the warning is true


def test_open_storage_is_not_warned_about(shop_file: Path, cli: str) -> None:
    with (
        duckdb.connect(str(shop_file), config=OPEN_STORAGE) as con,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        con.execute("create table t as select i as id, i % 7 as a from range(60) as r (i)")
        segql.register(con)
        segql.fit(con, "t", id="id", name="m", k=2, features=["a"])
    done = subprocess.run(
        [cli, "-readonly", str(shop_file), "from segql.predict('m', 't')"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
