"""Bad input is refused by name, and whatever was there before is still there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from support import registry_picture, scratch_objects

import segql
from segql.engines.duckdb import DuckDBEngine

OPEN_STORAGE = {"storage_compatibility_version": "v1.4.0"}


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A table, a model on it, and tables that are wrong in one way each."""
    con.execute(
        """
        create table good as select i as id, i % 7 * 1.5 as a, (i * i % 11)::double as b,
            'g' || i % 3 as g, date '2025-01-01' + i::int as d, [i] as l
            from range(60) as r (i);
        create table repeated as select * replace (id % 50 as id) from good;
        create table missing_id as select * replace (nullif(id, 3) as id) from good;
        create table one as select * from good limit 1;
        create table empty as select * from good limit 0;
        create table equal as select id, 1.0 as a, 2.0 as b from good;
        create table missing as select id, a, null::double as b from good;
        create table unusable as select id, 'nan'::double as a, 'inf'::double as b from good;
        create table reserved as select *, 1 as _sq_u0 from good;
        create view broken as select * from good;
        """
    )
    segql.fit(con, "good", id="id", name="kept", k=3, features=["a", "b"])
    return con


REFUSED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("k-above-distinct", {"k": 78, "features": ["a"]}, ["78", "distinct"]),
    ("k-min-above-max", {"k": (5, 2)}, ["(5, 2)", "min, max"]),
    ("k-zero", {"k": 0}, ["k got 0", "at least 1"]),
    ("k-negative", {"k": -3}, ["-3"]),
    ("k-float", {"k": 2.5}, ["2.5"]),
    ("k-bool", {"k": True}, ["True"]),
    ("k-word", {"k": "many"}, ["'many'", "auto"]),
    ("k-three", {"k": (1, 2, 3)}, ["(1, 2, 3)"]),
    ("k-none", {"k": None}, ["None"]),
    ("eps", {"eps": 0.3}, ["eps got 0.3, but algorithm 'kmeans' has no eps; accepted: leave it"]),
    ("eps-none", {"eps": None}, ["eps got None", "'kmeans' has no eps"]),
    ("eps-array", {"eps": np.array([1.0, 2.0])}, ["eps got array([1., 2.])", "no eps"]),
    ("min-samples", {"min_samples": 5}, ["min_samples got 5", "'kmeans' has no min_samples"]),
    ("min-samples-zero", {"min_samples": 0}, ["min_samples got 0", "leave it out"]),
    ("linkage", {"linkage": "complete"}, ["linkage got 'complete'", "'kmeans' has no linkage"]),
    ("algorithm-first", {"algorithm": "kmean", "eps": 0.3}, ["unknown algorithm 'kmean'"]),
    ("algorithm", {"algorithm": "kmean"}, ["'kmean'", "kmeans"]),
    ("algorithm-type", {"algorithm": 5}, ["5", "kmeans"]),
    ("algorithm-list", {"algorithm": ["kmeans"]}, ["kmeans"]),
    ("id-unknown", {"id": "idd"}, ["'idd'", "'id'", "accepted"]),
    ("id-type", {"id": 3}, ["id got 3"]),
    ("id-none", {"id": None}, ["id got None"]),
    ("id-empty", {"id": ""}, ["id got ''"]),
    ("seed-negative", {"seed": -1}, ["seed got -1"]),
    ("seed-type", {"seed": "x"}, ["seed got 'x'"]),
    ("seed-large", {"seed": 2**40}, ["seed got"]),
    ("name-type", {"name": 7}, ["name got 7"]),
    ("name-empty", {"name": "  "}, ["name got"]),
    ("name-long", {"name": "n" * 500}, ["name got"]),
    ("pca-many", {"pca": 9}, ["pca got 9", "from 1 to"]),
    ("pca-zero", {"pca": 0}, ["pca got 0"]),
    ("pca-share", {"pca": 1.5}, ["pca got 1.5"]),
    ("pca-word", {"pca": "two"}, ["pca got 'two'"]),
    ("pca-bool", {"pca": True}, ["pca got True"]),
    ("column", {"features": ["aa"]}, ["'aa'", "'a'"]),
    ("column-type", {"features": [3]}, ["3"]),
    ("column-unhashable", {"features": [{"a": 1}]}, ["features"]),
    ("column-twice", {"features": ["a", "A"]}, ["'a'", "twice"]),
    ("id-as-feature", {"features": ["id", "a"]}, ["'id'"]),
    ("features-empty", {"features": []}, ["empty"]),
    ("features-word", {"features": "a"}, ["'a'", "auto"]),
    ("features-type", {"features": 5}, ["5"]),
    ("date", {"features": ["d"]}, ["'d'", "DATE", "days"]),
    ("list", {"features": ["l"]}, ["'l'", "BIGINT[]"]),
    ("text-without-encode", {"features": {"g": {"encode": "none"}}}, ["'g'", "encode"]),
    ("option", {"features": {"a": {"scales": "robust"}}}, ["'a'", "'scales'", "'scale'"]),
    ("options-type", {"features": {"a": "robust"}}, ["'a'", "'robust'"]),
    ("relation-none", {"relation": None}, ["None"]),
    ("relation-number", {"relation": 4}, ["4"]),
    ("relation-absent", {"relation": "goods"}, ["'goods'", "main.good"]),
    ("relation-bad-select", {"relation": "select nope from good"}, ["nope"]),
    ("relation-bad-syntax", {"relation": "selec * from good"}, ["selec"]),
    ("relation-two", {"relation": "select 1 as id; drop table good"}, ["one SELECT"]),
    ("relation-drop", {"relation": "drop table good"}, ["SELECT"]),
    ("relation-insert", {"relation": "insert into good select * from good"}, ["SELECT"]),
    ("repeated", {"relation": "repeated"}, ["'id'", "not unique", "2 times"]),
    ("missing-id", {"relation": "missing_id"}, ["'id'", "NULL", "1 of 60"]),
    ("one-row", {"relation": "one"}, ["1 rows", "at least 2"]),
    ("no-rows", {"relation": "empty"}, ["0 rows", "at least 2"]),
    ("equal", {"relation": "equal", "features": ["a", "b"]}, ["all rows are equal"]),
    ("equal-auto", {"relation": "equal", "features": "auto"}, ["a: only one value", "b"]),
    ("all-missing", {"relation": "missing"}, ["'b'", "no usable value"]),
    ("all-unusable", {"relation": "unusable"}, ["'a'", "no usable value"]),
    ("reserved", {"relation": "reserved"}, ["_sq_u0"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_refused_fit_changes_nothing(
    shop: duckdb.DuckDBPyConnection, changes: dict[str, Any], said: list[str]
) -> None:
    before = registry_picture(shop)
    rows = shop.sql("select * from good order by id").fetchall()
    arguments: dict[str, Any] = {
        "relation": "good", "id": "id", "name": "kept", "k": 2, "features": ["a", "b"],
    }  # fmt: skip
    arguments |= changes
    relation = arguments.pop("relation")
    with pytest.raises(segql.SegqlError) as caught:
        segql.fit(shop, relation, **arguments)
    message = str(caught.value)
    assert "\n" not in message.strip()
    for part in said:
        assert part in message, message
    assert registry_picture(shop) == before
    assert scratch_objects(shop) == []
    assert shop.sql("select * from good order by id").fetchall() == rows


def test_a_refused_first_fit_leaves_no_schema(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table equal as select i as id, 1.0 as a from range(9) as r (i)")
    with pytest.raises(segql.SegqlError):
        segql.fit(con, "equal", id="id", name="m", k=2, features=["a"])
    assert con.sql("select count(*) from duckdb_schemas() where schema_name = 'segql'").fetchall() \
        == [(0,)]  # fmt: skip
    assert segql.models(con).empty


def test_k_range_shrinks_to_the_distinct_rows(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table t as select i as id, i % 3 as a from range(30) as r (i)")
    model = segql.fit(con, "t", id="id", k=(2, 10), features=["a"])
    assert model.k <= 3
    assert max(trial.k for trial in model.trials) <= 3


@pytest.mark.parametrize("relation", ["good", "select * from good", "(select * from good)"])
def test_nothing_temporary_stays_after_a_fit(
    shop: duckdb.DuckDBPyConnection, relation: str
) -> None:
    segql.fit(shop, relation, id="id", name="other", k=2, features=["a", "b"])
    assert scratch_objects(shop) == []
    segql.evaluate(shop, "other", relation)
    assert scratch_objects(shop) == []


def test_predict_and_evaluate_name_what_is_missing(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("create table less as select id, a from good")
    for call in (segql.predict, segql.evaluate):
        with pytest.raises(segql.SegqlError, match=r"'less' lacks 'b'.*id, a"):
            call(shop, "kept", "less")
        with pytest.raises(segql.UnknownModelError, match=r"unknown model 'kep'.*'kept'"):
            call(shop, "kep", "good")
        with pytest.raises(segql.UnknownModelError, match=r"version '7'.*1"):
            call(shop, "kept", "good", version=7)
        with pytest.raises(segql.SegqlError, match="does not exist"):
            call(shop, "kept", "nowhere")
    with pytest.raises(segql.UnknownModelError, match="kept"):
        segql.load(shop, "nope")


def test_without_a_registry_every_model_is_unknown(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table t as select 1 as id, 2.0 as a")
    for call in (
        lambda: segql.load(con, "m"),
        lambda: segql.predict(con, "m", "t"),
        lambda: segql.evaluate(con, "m"),
    ):
        with pytest.raises(segql.UnknownModelError, match=r"unknown model 'm'.*none"):
            call()
    assert isinstance(segql.models(con), pd.DataFrame)
    assert segql.models(con).empty


@pytest.mark.parametrize("known", [False, True])
def test_read_only_database(shop_file: Path, known: bool) -> None:
    with duckdb.connect(str(shop_file), config=OPEN_STORAGE) as con:
        con.execute("create table good as select i as id, i % 7 as a from range(60) as r (i)")
        if known:
            segql.fit(con, "good", id="id", name="kept", k=2, features=["a"])
    with duckdb.connect(str(shop_file), read_only=True) as con:
        started = time.perf_counter()
        with pytest.raises(segql.SegqlError, match="read-only"):
            segql.fit(con, "good", id="id", name="kept", k=3, features=["a"])
        assert time.perf_counter() - started < 2
        model = segql.fit(con, "good", id="id", k=3, features=["a"])
        assert model.k == 3
        assert scratch_objects(con) == []
        if known:
            assert segql.load(con, "kept").k == 2
            assert len(segql.predict(con, "kept", "good").fetchall()) == 60
        else:
            assert segql.models(con).empty


def test_a_database_named_segql_is_refused(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "segql.duckdb")) as con:
        con.execute("create table good as select i as id, i % 7 as a from range(60) as r (i)")
        with pytest.raises(segql.SegqlError, match="itself called 'segql'"):
            segql.fit(con, "good", id="id", name="m", k=2, features=["a"])
        assert segql.fit(con, "good", id="id", k=2, features=["a"]).k == 2


def test_register_inside_a_transaction_is_refused(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table good as select i as id, i % 7 as a from range(60) as r (i)")
    con.begin()
    with pytest.raises(segql.SegqlError, match="before BEGIN"):
        segql.register(con)
    con.rollback()
    segql.register(con)
    assert con.sql("select segql_kmeans([[1.0], [9.0]], 2).k").fetchall() == [(2,)]


def test_a_fit_joins_the_transaction_and_is_rolled_back_with_it(
    con: duckdb.DuckDBPyConnection,
) -> None:
    con.execute("create table good as select i as id, i % 7 as a from range(60) as r (i)")
    segql.fit(con, "good", id="id", name="m", k=2, features=["a"])
    before = registry_picture(con)
    con.begin()
    con.execute("insert into good values (1000, 3)")
    model = segql.fit(con, "good", id="id", name="m", k=3, features=["a"])
    assert model.version == 2
    assert segql.load(con, "m").k == 3
    con.rollback()
    assert registry_picture(con) == before
    assert segql.load(con, "m").k == 2
    con.begin()
    segql.fit(con, "good", id="id", name="m", k=4, features=["a"])
    con.commit()
    assert (segql.load(con, "m").k, segql.load(con, "m").version) == (4, 2)
    assert con.sql("select count(*) from good").fetchall() == [(60,)]


def test_a_first_fit_inside_a_transaction(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table good as select i as id, i % 7 as a from range(60) as r (i)")
    segql.register(con)
    con.begin()
    segql.fit(con, "good", id="id", name="m", k=3, features=["a"])
    con.rollback()
    assert segql.models(con).empty
    segql.fit(con, "good", id="id", name="m", k=3, features=["a"])
    assert list(segql.models(con)["model_version"]) == [1]


def test_relations_are_found_inside_a_transaction(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """A statement that fails would end the caller's transaction on DuckDB 2.0."""
    file = tmp_path / "some rows.csv"
    file.write_text("id,a\n1,2\n")
    con.execute(
        "create schema shop; create table shop.good as select 1 as id;"
        "create view shop.seen as from shop.good; attach ':memory:' as other;"
        "create table other.good as select 1 as id; create table other.main.json as select 1 as id"
    )
    engine = DuckDBEngine(con)
    con.begin()
    con.execute("create table shop.fresh as select 1 as id")
    for relation in (
        "shop.good", "SHOP.Seen", "shop.fresh", "memory.shop.good", "other.good", "other.json",
        "other.main.good", "select id from shop.good", str(file),
    ):  # fmt: skip
        found = engine.relation(relation)
        assert con.execute(f"select count(*) from {found.sql('duckdb')}").fetchall() == [(1,)]
    for missing in ("good", "shop.god", "select.csv"):
        with pytest.raises(segql.SegqlError, match="does not exist"):
            engine.relation(missing)
    con.commit()
    assert con.sql("select count(*) from shop.fresh").fetchall() == [(1,)]


def test_sql_arguments_of_session_functions(con: duckdb.DuckDBPyConnection) -> None:
    segql.register(con)
    for call, said in [
        ("segql_kmeans([[1.0], [2.0]], 3)", "k is 3 but there are only 2"),
        ("segql_kmeans([[1.0], [2.0]], 'x')", "k got 'x'"),
        ("segql_kmeans([[1.0], [2.0]], [3, 1])", "k got [3, 1]"),
        ("segql_kmeans([[1.0], [2.0, 3.0]], 1)", "lengths 1 and 2"),
        ("segql_kmeans(['a', 'b'], 1)", "DOUBLE[][]"),
        ("segql_kmeans([['a'], ['b']], 1)", "DOUBLE[][]"),
        ("segql_kmeans([[null::double]], 1)", "no row without NULL"),
        ("segql_kmeans([[1.0], [2.0]], 2, {sed: 1})", "did you mean 'seed'"),
        ("segql_kmeans([[1.0], [2.0]], 2, {seed: -1})", "seed got -1"),
        ("segql_kmeans([[1.0], [2.0]], 2, {weights: [1.0]})", "1 weights for 2 rows"),
        ("segql_kmeans([[1.0], [2.0]], 2, {weights: [1.0, 0.0]})", "above 0"),
        ("segql_pca([[1.0, 2.0], [2.0, 1.0]], 3)", "pca got 3"),
        ("segql_pca([[1.0, 2.0], [2.0, 1.0]], 1.5)", "pca got 1.5"),
        ("segql_pca([[1.0, 2.0], [2.0]], 1)", "lengths 1 and 2"),
    ]:
        with pytest.raises(duckdb.Error) as caught:
            con.sql(f"select {call}").fetchall()
        assert said in str(caught.value), call
