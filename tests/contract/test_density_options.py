"""DBSCAN and HDBSCAN: options that cannot be are refused by name, and nothing is stored."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import numpy as np
import pytest
from test_density import fit, shop, store

import segql


@pytest.mark.parametrize(
    ("algorithm", "options", "message"),
    [
        ("dbscan", {"eps": 0}, "eps got 0; accepted: a number above 0"),
        ("dbscan", {"eps": -1.5}, "eps got -1.5; accepted: a number above 0"),
        ("dbscan", {"eps": "wide"}, "eps got 'wide'; accepted: a number above 0"),
        ("dbscan", {"eps": float("nan")}, "eps got nan; accepted: a number above 0"),
        ("dbscan", {"min_samples": 0}, "min_samples got 0; accepted: a whole number"),
        ("dbscan", {"min_samples": 2.5}, "min_samples got 2.5; accepted: a whole number"),
        ("dbscan", {"min_samples": 300}, "min_samples is 300 but there are only 200 rows"),
        ("dbscan", {"k": 3}, "algorithm 'dbscan' finds the number of segments itself"),
        ("dbscan", {"eps": 1e-12, "min_samples": 2}, "every row is noise with eps = 1e-12"),
        ("dbscan", {"linkage": "single"}, "algorithm 'dbscan' has no linkage"),
        ("hdbscan", {"eps": 0.5}, "algorithm 'hdbscan' has no eps"),
        ("hdbscan", {"min_samples": 0}, "min_samples got 0; accepted: a whole number"),
        ("hdbscan", {"min_samples": 150}, "every row is noise with min_samples = 150"),
        ("dbscna", {}, "unknown algorithm 'dbscna'; did you mean 'dbscan'"),
    ],
)
def test_bad_options_are_refused_by_name(
    con: duckdb.DuckDBPyConnection, algorithm: str, options: dict[str, Any], message: str
) -> None:
    store(con, shop(2, 200, 2))
    with pytest.raises(segql.SegqlError, match=re.escape(message)):
        fit(con, 2, algorithm, **options)
    left = con.sql(
        "select count(*) from duckdb_tables() where table_name like '%segql%'"
        " or schema_name = 'segql'"
    ).fetchall()[0]
    assert left == (0,)


def test_numbers_of_numpy_are_numbers(con: duckdb.DuckDBPyConnection) -> None:
    store(con, shop(1, 300, 2))
    given = fit(con, 2, "dbscan", eps=np.float32(0.25), min_samples=np.int64(5))
    assert given.diagnostics["min_samples"][0] == 5
    for eps in (np.array([1.0, 2.0]), 1e-200, True, 10**400):
        with pytest.raises(segql.SegqlError, match=r"^eps got "):
            fit(con, 2, "dbscan", eps=eps)


@pytest.mark.parametrize("algorithm", ["dbscan", "hdbscan", "hierarchical"])
def test_one_row_is_refused(con: duckdb.DuckDBPyConnection, algorithm: str) -> None:
    store(con, np.zeros((1, 2)))
    with pytest.raises(segql.SegqlError, match="the relation has 1 rows; accepted: at least 2"):
        fit(con, 2, algorithm)


def test_segments_that_no_double_tells_apart_are_refused(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table t as select i as id, case when i % 2 = 0 then 1e60 else -1e60 end as far, "
        "i % 3 as a, i % 5 as b, i % 4 as c from range(60) as r (i)"
    )
    plain = {name: {"scale": "none"} for name in ("far", "a", "b", "c")}
    with pytest.raises(segql.SegqlError, match="the numbers span so much that none can be told"):
        segql.fit(con, "t", id="id", name="m", algorithm="hdbscan", min_samples=2, features=plain)
    assert segql.models(con).empty
