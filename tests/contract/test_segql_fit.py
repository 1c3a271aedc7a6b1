"""Training from SQL: segql_fit equals segql.fit, finds what is stored, takes any relation."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pytest
from support import load_frame, registry_picture, scratch_objects, shop_frame

import segql

FEATURES = "features: ['recency', 'frequency', 'monetary']"
PLAIN = ["recency", "frequency", "monetary"]


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    load_frame(con, "t", shop_frame(300))
    # DuckDB draws a bar after two seconds where it takes Python for an interactive one.
    con.execute("set enable_progress_bar = false")
    segql.register(con)
    return con


def fit(
    con: duckdb.DuckDBPyConnection, name: str, options: str = "k: 3", relation: str = "t"
) -> dict[str, Any]:
    """Call segql_fit with three features and some options."""
    quoted = relation.replace("'", "''")
    call = f"segql_fit('{name}', '{quoted}', {{id: 'customer_id', {FEATURES}, {options}}})"
    [(fitted,)] = con.execute(f"select {call}").fetchall()
    assert isinstance(fitted, dict)
    return fitted


def versions(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rows = con.execute("select model_name, count(*) from segql.models group by all").fetchall()
    return dict(rows)


# -- what it learns ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ("k: 3", {"k": 3}),
        ("k: [2, 4], seed: 7", {"k": (2, 4), "seed": 7}),
        ("k: 'auto', pca: 0.9", {"k": "auto", "pca": 0.9}),
        ("k: 4, pca: 2", {"k": 4, "pca": 2}),
        ("k: 4, algorithm: 'hierarchical', linkage: 'average'",
         {"k": 4, "algorithm": "hierarchical", "linkage": "average"}),
        ("k: {height: 20.5}, algorithm: 'hierarchical'",
         {"k": {"height": 20.5}, "algorithm": "hierarchical"}),
        ("algorithm: 'dbscan', eps: 0.7, min_samples: 8",
         {"algorithm": "dbscan", "eps": 0.7, "min_samples": 8}),
        ("algorithm: 'dbscan', eps: 'auto'", {"algorithm": "dbscan", "eps": "auto"}),
        ("algorithm: 'hdbscan', min_samples: 10", {"algorithm": "hdbscan", "min_samples": 10}),
        ("algorithm: 'kmeans', k: null, seed: null, pca: null, refit: null", {}),
    ],
)  # fmt: skip
def test_it_is_the_fit_of_python(
    shop: duckdb.DuckDBPyConnection,
    options: str,
    arguments: dict[str, Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    fitted = fit(shop, "m", options)
    assert capfd.readouterr() == ("", "")
    stored = segql.load(shop, "m")
    same = segql.fit(shop, "t", id="customer_id", name="n", features=PLAIN, **arguments)
    # Cells are marked by the model that they are of.
    marks = (re.sub(r'"[mn]", 1, "[0-9a-f]{32}"', "", item.state()) for item in (stored, same))
    assert len(set(marks)) == 1
    assert stored.metrics == same.metrics
    assert stored.segments == same.segments
    assert fitted == {
        "model_name": "m", "model_version": 1, "is_new": True, "algorithm": same.algorithm,
        "k": same.k, "reason": same.reason, **same.metrics,
    }  # fmt: skip
    asked = shop.execute("select options, requested_by from segql.models order by 1, 2").fetchall()
    assert {row[1] for row in asked} == {"sql", "call"}
    assert len({row[0] for row in asked}) == 1


def test_features_as_struct_map_and_auto(shop: duckdb.DuckDBPyConnection) -> None:
    """Steps of each column, as they are written in SQL and in Python."""
    wanted = {
        "recency": {"impute": {"constant": 3}, "transform": {"winsorize": [0.01, 0.99]}},
        "channel": {"encode": {"onehot": {"top": 2}}, "weight": 2},
        "monetary": {},
    }
    struct = (
        "{recency: {impute: {constant: 3}, transform: {winsorize: [0.01, 0.99]}}, "
        "channel: {encode: {onehot: {top: 2}}, weight: 2}, monetary: {scale: null}}"
    )
    alike = "map {'recency': {transform: 'log1p'}, 'monetary': {transform: 'log1p'}}"
    states = []
    for name, features, python in (
        ("struct", struct, wanted),
        ("map", alike, {item: {"transform": "log1p"} for item in ("recency", "monetary")}),
        ("auto", "'auto'", "auto"),
    ):
        shop.execute(f"select segql_fit('{name}', 't', "
                     f"{{id: 'customer_id', k: 3, features: {features}}})").fetchall()  # fmt: skip
        model = segql.fit(shop, "t", id="customer_id", k=3, features=python)
        assert segql.load(shop, name).state() == model.state()
        states.append(model.state())
    assert len(set(states)) == 3


def test_options_as_a_map(shop: duckdb.DuckDBPyConnection) -> None:
    call = "segql_fit('m', 't', map {'id': 'customer_id', 'features': 'auto', 'linkage': 'ward'})"
    [(k,)] = shop.execute(f"select {call}.k").fetchall()
    assert k == segql.load(shop, "m").k
    named = "segql_fit(relation := 't', name := 'n', options := {id: 'customer_id', k: 2})"
    assert shop.execute(f"select {named}.k").fetchall() == [(2,)]


# -- what is stored is found -------------------------------------------------------------------


def test_options_in_any_case(shop: duckdb.DuckDBPyConnection) -> None:
    # duckdb's struct fields have no case
    small = fit(shop, "m", "k: 4, seed: 7")
    large = fit(shop, "m", "K: 4, Seed: 7")
    assert large["model_version"] == small["model_version"]


def test_equal_requests_find_the_stored_version(shop: duckdb.DuckDBPyConnection) -> None:
    assert fit(shop, "m")["is_new"]
    before = registry_picture(shop)
    again = fit(shop, "m")
    assert (again["model_version"], again["is_new"]) == (1, False)
    # The same rows in another order, in another table.
    shop.execute("create table other as from t order by hash(customer_id)")
    assert not fit(shop, "m", relation="other")["is_new"]
    shop.execute(
        "create table grown as from t limit 0; insert into grown from t offset 100; "
        "insert into grown from t limit 100"
    )
    assert not fit(shop, "m", relation="grown")["is_new"]
    assert not fit(shop, "m", relation="select * exclude (channel) from t")["is_new"]
    assert registry_picture(shop) == before


def test_what_is_new_is_learned(shop: duckdb.DuckDBPyConnection) -> None:
    changes = [
        ("k: 3", ""),
        ("k: 4", ""),
        ("k: 4, seed: 1", ""),
        ("k: 4, seed: 1", "update t set monetary = 7 where customer_id = 'c00003'"),
        ("k: 4, seed: 1", "delete from t where customer_id = 'c00004'"),
        ("k: 4, seed: 1", "update t set customer_id = 'x' where customer_id = 'c00005'"),
        ("k: 4, seed: 1, refit: true", ""),
        ("k: 4, seed: 1, pca: 2", ""),
    ]
    for number, (options, change) in enumerate(changes, start=1):
        if change:
            shop.execute(change)
        fitted = fit(shop, "m", options)
        assert (fitted["model_version"], fitted["is_new"]) == (number, True), options
        once_more = fit(shop, "m", options.replace(", refit: true", ""))
        assert (once_more["model_version"], once_more["is_new"]) == (number, False), options


def test_a_version_that_is_made_current_again_is_found(shop: duckdb.DuckDBPyConnection) -> None:
    fit(shop, "m", "k: 3")
    fit(shop, "m", "k: 4")
    segql.use_version(shop, "m", 1)
    assert fit(shop, "m", "k: 3")["model_version"] == 1
    assert fit(shop, "m", "k: 4")["model_version"] == 3


CALL = f"segql_fit('m', 't', {{id: 'customer_id', k: 3, {FEATURES}}})"


@pytest.mark.parametrize(
    "query",
    [
        "select {call}.model_version from range(5)",
        "select unnest([{call}.model_version]) from range(3)",
        "select model_version from (select unnest({call}))",
        "select {call}.model_version, {call}.k, {call}.reason",
        "with f as materialized (select {call} as f) select f.model_version from f, range(2)",
        "with f as not materialized (select {call} as f) select a.f.k from f as a, f as b",
        "select (select {call}.model_version)",
        "select {call}.k from t where {call}.k = 3 limit 1",
        "select max({call}.k) from range(300000) as r (i) where i % 70000 = 0",
    ],
)
@pytest.mark.parametrize("refit", [False, True])
def test_a_statement_fits_once(shop: duckdb.DuckDBPyConnection, query: str, refit: bool) -> None:
    """However often, and on however many threads, the planner calls the function."""
    shop.execute("set threads = 4")
    call = CALL.replace("k: 3", "k: 3, refit: true") if refit else CALL
    for number in (1, 2):
        assert shop.execute(query.format(call=call)).fetchall()
        assert versions(shop) == {"m": number if refit else 1}


def test_all_fields_of_an_unnested_fit_agree(shop: duckdb.DuckDBPyConnection) -> None:
    for expected in ((1, True), (1, False)):
        row = shop.execute(f"select unnest({CALL})").fetchall()[0]
        assert row[1:3] == expected
    by_row = shop.execute(
        f"select unnest({CALL.replace(chr(39) + 'm' + chr(39), 'n')}) "
        "from (values ('a'), ('b'), ('a')) as v (n)"
    ).fetchall()
    assert [row[:3] for row in by_row] == [("a", 1, True), ("b", 1, True), ("a", 1, True)]


def test_explain_and_prepare_fit_nothing(shop: duckdb.DuckDBPyConnection) -> None:
    for statement in (f"explain select {CALL}", f"prepare p as select {CALL}.model_version"):
        shop.execute(statement).fetchall()
        assert registry_picture(shop)["rows"] == {}
    assert shop.execute("execute p").fetchall() == [(1,)]
    assert shop.execute("execute p").fetchall() == [(1,)]
    shop.execute("update t set monetary = monetary + 1")
    assert shop.execute("execute p").fetchall() == [(2,)]
    shop.execute(f"explain analyze select {CALL.replace('k: 3', 'k: 2')}").fetchall()
    assert versions(shop) == {"m": 3}


# -- relations ---------------------------------------------------------------------------------


def test_relations_of_every_kind(shop: duckdb.DuckDBPyConnection, tmp_path: Any) -> None:
    shop.execute(f"attach '{tmp_path}/other.duckdb' as other (storage_version 'v1.4.0')")
    shop.execute(
        'create schema "my s"; create table "my s"."T ""x" as from t; create view v as from t; '
        'create table "it\'s" as from t; create schema other.s; create table other.s.t as from t'
    )
    states = set()
    relations = [
        "t", "main.t", "memory.main.t", '"my s"."T ""x"', "v", "it's", "other.s.t", "from t",
        "select * from t where true;", "with a as (from t) from a",
        "select * from other.s.t order by random()", "(select * from t)",
    ]  # fmt: skip
    for number, relation in enumerate(relations):
        assert fit(shop, f"m{number}", relation=relation)["is_new"]
        states.add(segql.load(shop, f"m{number}").state())
    assert len(states) == 1
    assert scratch_objects(shop) == []
    assert shop.execute("select count(*) from duckdb_tables() where database_name = 'other' "
                        "and schema_name = 'segql'").fetchall() == [(0,)]  # fmt: skip


def test_the_pattern_for_clustering_without_a_model(shop: duckdb.DuckDBPyConnection) -> None:
    """Ids and points are gathered together; the labels come back in their order, per group."""
    inner = (
        "select channel, list(customer_id) as ids, "
        "segql_kmeans(list([recency, monetary]), 3) as result from t group by channel"
    )
    query = "select channel, unnest(ids) as id, unnest(result.labels) as label from ({})"
    rows = shop.execute(query.format(inner)).fetchall()
    assert sorted(row[1] for row in rows) == [f"c{number:05d}" for number in range(300)]
    ordered = inner.replace("list(customer_id)", "list(customer_id order by hash(customer_id))")
    ordered = ordered.replace("y])", "y] order by hash(customer_id))")
    shuffled = shop.execute(query.format(ordered)).fetchall()
    assert sorted(rows, key=str) == sorted(shuffled, key=str)
    for channel in ("web", "store", None):
        used = {label for found, _, label in rows if found == channel and label is not None}
        assert used == {1, 2, 3}
    missing = shop.execute("select customer_id from t where recency is null").fetchall()
    assert {row[1] for row in rows if row[2] is None} == {row[0] for row in missing}
