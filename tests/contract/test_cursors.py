"""Functions and fits on several cursors of one database."""

from __future__ import annotations

import threading

import duckdb
from support import load_frame, shop_frame

import segql

FEATURES = ["recency", "monetary"]


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


def test_a_fit_on_a_cursor(con: duckdb.DuckDBPyConnection) -> None:
    load_frame(con, "t", shop_frame())
    cursor = con.cursor()
    model = segql.fit(cursor, "t", id="customer_id", name="customers", k=3, features=FEATURES)
    assert model.version == 1
    cursor.close()
    assert segql.load(con, "customers").k == 3


def test_parallel_fits_on_cursors(con: duckdb.DuckDBPyConnection) -> None:
    load_frame(con, "t", shop_frame())
    segql.register(con)
    failed: list[BaseException] = []

    def work(name: str) -> None:
        own = con.cursor()
        try:
            segql.fit(own, "t", id="customer_id", name=name, k=2, features=FEATURES)
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
    listed = segql.models(con)
    assert sorted(zip(listed["model_name"], listed["model_version"], strict=True)) == [
        (f"m{i}", version) for i in range(3) for version in (1, 2)
    ]
    assert listed["is_current"].sum() == 3
