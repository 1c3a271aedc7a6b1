"""Functions and fits on several cursors of one database."""

from __future__ import annotations

import threading

import duckdb
import pytest
from support import (
    load_frame,
    shop_frame,
)

import segql


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    load_frame(con, "customers_table", shop_frame())
    return con


def fit(con: duckdb.DuckDBPyConnection, k: object = 3, **options: object) -> segql.Model:
    return segql.fit(
        con, "customers_table", id="customer_id", name="customers", k=k,
        features=["recency", "frequency", "monetary"], **options,
    )  # fmt: skip


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
