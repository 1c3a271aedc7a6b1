"""Where segql_fit works: databases, cursors, transactions, threads, connections that close."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import load_frame, registry_picture, scratch_objects, shop_frame

import segql

OPTIONS = "{id: 'customer_id', k: 2, features: ['recency', 'monetary']}"
CONFIG = {"storage_compatibility_version": "v1.4.0"}


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    load_frame(con, "t", shop_frame(200))
    segql.register(con)
    return con


def fit(
    con: duckdb.DuckDBPyConnection, name: str, relation: str = "t", options: str = OPTIONS
) -> dict[str, Any]:
    [(fitted,)] = con.execute(f"select segql_fit('{name}', '{relation}', {options})").fetchall()
    assert isinstance(fitted, dict)
    return fitted


def stored(con: duckdb.DuckDBPyConnection, database: str = "memory") -> list[tuple[str, int, int]]:
    return con.execute(
        f"select model_name, model_version, n from {database}.segql.models order by all"
    ).fetchall()


# -- which database ----------------------------------------------------------------------


def test_the_database_and_schema_in_use(shop: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    shop.execute(f"attach '{tmp_path}/other.duckdb' as other (storage_version 'v1.4.0')")
    shop.execute(
        'create schema other."my s"; create table other.t as from t limit 150; '
        'create table other."my s".t as from t limit 100'
    )
    fit(shop, "here")
    shop.execute("use other")
    fit(shop, "there")
    fit(shop, "reaching", "memory.main.t")
    shop.execute('use other."my s"')
    fit(shop, "inside")
    assert shop.execute("select segql_use_version('inside', 1).model_version").fetchall() == [(1,)]
    shop.execute("use memory")
    assert stored(shop) == [("here", 1, 200)]
    assert stored(shop, "other") == [("inside", 1, 100), ("reaching", 1, 200), ("there", 1, 150)]
    with pytest.raises(duckdb.Error, match="unknown model 'inside'"):
        shop.execute("select segql_drop('inside')").fetchall()
    shop.execute("use other")
    assert shop.execute("select segql_drop('inside').model_versions").fetchall() == [([1],)]
    assert [name for name, *_ in stored(shop, "other")] == ["reaching", "there"]


def test_a_cursor_that_does_not_say_which_database_is_refused(
    shop: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Only a connection that has registered segql tells: a wrong one would be silent."""
    plain = shop.cursor()
    assert fit(plain, "m")["is_new"]
    shop.execute(
        f"attach '{tmp_path}/other.duckdb' as other (storage_version 'v1.4.0'); "
        "create table other.t as from t"
    )
    cursor = shop.cursor()
    cursor.execute("use other")
    before = registry_picture(shop)
    for call in (f"segql_fit('n', 't', {OPTIONS})", "segql_drop('m')"):
        with pytest.raises(duckdb.Error) as caught:
            cursor.execute(f"select {call}").fetchall()
        assert (
            "this connection has not registered segql, so that it does not say which database it "
            "uses (memory, other); accepted: call segql.register(con) on it"
        ) in str(caught.value)
    assert registry_picture(shop) == before
    segql.register(cursor)
    fit(cursor, "n")
    assert stored(shop, "other") == [("n", 1, 200)]
    assert stored(shop) == [("m", 1, 200)]


# -- rows that another connection does not see ---------------------------------------------


@pytest.mark.parametrize(
    ("statement", "relation"),
    [
        ("create temp table u as from t", "u"),
        ("create temp table u as from t", "from u where true"),
        ("create temp view u as from t", "u"),
        ("begin; create table u as from t", "u"),
        ("begin; create view u as from t", "select * from u"),
    ],
)
def test_rows_of_this_session_only_are_refused_by_name(
    shop: duckdb.DuckDBPyConnection, statement: str, relation: str
) -> None:
    fit(shop, "kept")
    before = registry_picture(shop)
    shop.execute(statement)
    with pytest.raises(duckdb.Error) as caught:
        fit(shop, "m", relation)
    assert "does not exist" in str(caught.value)
    assert "it sees no temporary table, and no table whose transaction is not" in str(caught.value)
    if statement.startswith("begin"):
        shop.rollback()
    assert registry_picture(shop) == before
    assert scratch_objects(shop) == []


def test_a_model_outlives_the_transaction_that_asked_for_it(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    shop.begin()
    assert fit(shop, "m")["is_new"]
    assert fit(shop, "m", options=OPTIONS.replace("k: 2", "k: 2, refit: true"))["is_new"]
    shop.rollback()
    assert stored(shop) == [("m", 1, 200), ("m", 2, 200)]
    shop.begin()
    again = OPTIONS.replace("k: 2", "k: 3")
    assert [fit(shop, "m", options=again)["model_version"] for _ in range(2)] == [3, 3]
    assert shop.execute("select segql_drop('m').model_versions").fetchall() == [([1, 2, 3],)]
    assert fit(shop, "m", options=again)["model_version"] == 1
    shop.commit()
    assert stored(shop) == [("m", 1, 200)]


def test_a_transaction_that_has_changed_the_models_is_told(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    fit(shop, "kept")
    before = registry_picture(shop)
    shop.begin()
    segql.fit(shop, "t", id="customer_id", name="own", k=2, features=["recency"])
    with pytest.raises(duckdb.Error) as caught:
        fit(shop, "m")
    assert (
        "segql_fit: another transaction has changed the models and is not committed, maybe the one "
        "that calls: segql_fit writes on a connection of its own; accepted: commit first"
    ) in str(caught.value)
    shop.rollback()
    assert registry_picture(shop) == before
    assert fit(shop, "m")["is_new"]


# -- threads -----------------------------------------------------------------------------


def in_threads(shop: duckdb.DuckDBPyConnection, calls: list[str]) -> list[dict[str, Any]]:
    """Run each call on a cursor and a thread of its own, at once."""
    ready = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def work(number: int) -> None:
        own = shop.cursor()
        ready.wait()
        try:
            results[number] = own.execute(f"select {calls[number]}").fetchall()[0][0]
        except BaseException as error:
            results[number] = error
        finally:
            own.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert all(isinstance(result, dict) for result in results), results
    return results


@pytest.mark.parametrize("names", ["aaaa", "abcd", "aabb"])
def test_equal_fits_at_once_are_one_version(shop: duckdb.DuckDBPyConnection, names: str) -> None:
    results = in_threads(shop, [f"segql_fit('{name}', 't', {OPTIONS})" for name in names])
    assert sorted(result["model_name"] for result in results) == sorted(names)
    assert {result["model_version"] for result in results} == {1}
    assert sum(result["is_new"] for result in results) == len(set(names))
    assert stored(shop) == [(name, 1, 200) for name in sorted(set(names))]


def test_different_fits_of_a_name_at_once_are_all_kept(shop: duckdb.DuckDBPyConnection) -> None:
    options = [OPTIONS.replace("k: 2", f"k: {k}") for k in (2, 3, 4, 5)]
    results = in_threads(shop, [f"segql_fit('m', 't', {option})" for option in options])
    assert sorted(result["model_version"] for result in results) == [1, 2, 3, 4]
    for result in results:
        assert segql.load(shop, "m", version=result["model_version"]).k == result["k"]
    assert shop.execute("select count(*) from segql.models where is_current").fetchall() == [(1,)]
    assert segql.load(shop, "m").version == 4


# -- connections that go -----------------------------------------------------------------


def test_another_connection_stands_in(shop_file: Path) -> None:
    first, second, third = (duckdb.connect(str(shop_file), config=CONFIG) for _ in range(3))
    load_frame(first, "t", shop_frame(100))
    segql.register(first)
    segql.register(second)
    assert fit(third, "m")["is_new"]
    first.close()
    for con in (second, third):
        assert not fit(con, "m")["is_new"]
    second.close()
    with pytest.raises(duckdb.Error) as caught:
        fit(third, "m")
    assert (
        "segql_fit: the connection that registered segql is closed; accepted: call "
        "segql.register(con) on one that is open"
    ) in str(caught.value)
    segql.register(third)
    assert not fit(third, "m")["is_new"]
    third.close()


def test_a_dropped_connection_lets_go_of_its_file(shop_file: Path) -> None:
    con = duckdb.connect(str(shop_file), config=CONFIG)
    load_frame(con, "t", shop_frame(100))
    segql.register(con)
    fit(con, "m")
    other = duckdb.connect(str(shop_file), config=CONFIG)
    del con
    gc.collect()
    with pytest.raises(duckdb.Error, match="the connection that registered segql is closed"):
        fit(other, "m")
    other.close()
    # Nothing holds the file: it opens in another mode.
    with duckdb.connect(str(shop_file), read_only=True) as reader:
        assert stored(reader, "shop") == [("m", 1, 100)]


def test_databases_of_one_process_do_not_mix(tmp_path: Path) -> None:
    cons = [duckdb.connect(str(tmp_path / f"{name}.duckdb"), config=CONFIG) for name in "ab"]
    for con, size in zip(cons, (100, 150), strict=True):
        load_frame(con, "t", shop_frame(size))
        segql.register(con)
    for con in cons:
        fit(con, "m")
    assert [stored(con, name) for con, name in zip(cons, "ab", strict=True)] == [
        [("m", 1, 100)], [("m", 1, 150)],
    ]  # fmt: skip
    for con in cons:
        con.close()


def test_files_attached_one_after_the_other_under_one_name(tmp_path: Path) -> None:
    """Each counts its transactions anew."""
    for number in range(3):
        with duckdb.connect(str(tmp_path / f"{number}.duckdb")) as own:
            own.execute(
                "create table t as select i as id, i % 7 as a, i % 3 as b "
                f"from range({50 + number}) as r (i)"
            )
    with duckdb.connect() as con:
        segql.register(con)
        for number in range(3):
            con.execute(f"attach '{tmp_path / f'{number}.duckdb'}' as w; use w")
            found = con.execute("select segql_fit('m', 't', {ID: 'id', k: 3}).n").fetchall()
            assert found == [(50 + number,)]
            assert con.execute("select count(*) from w.segql.models").fetchall() == [(1,)]
            con.execute("use memory; detach w")
