"""Every session function: GROUP BY, the order of rows, types, NULL, examples, bad arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from support import blobs

import segql
from segql.functions.session import FUNCTIONS


@pytest.fixture
def db(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    segql.register(con)
    return con


CALLS: dict[str, str] = {
    "segql_standardize": "",
    "segql_minmax": "",
    "segql_robust": "",
    "segql_pca": ", 1",
    "segql_kmeans": ", 3",
    "segql_hierarchical": ", 3, {linkage: 'average'}",
    "segql_dbscan": ", 'auto', 4",
    "segql_silhouette": ", list(c order by id)",
    "segql_elbow": ", 1, 4",
    "segql_onehot": "",
}


def test_every_function_is_called_here() -> None:
    assert set(CALLS) == {function.name for function in FUNCTIONS}


@pytest.mark.parametrize("name", list(CALLS))
def test_groups_are_those_of_lists_on_their_own(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """2,500 groups, so more than one chunk, each as if it were called alone."""
    db.execute(
        "create table t as select i as id, i % 2500 as g, 1 + i % 3 as c, case when i % 19 = 0 "
        "then null else [(i % 7) * 1.5, hash(i) % 100 / 10] end as p, 'c' || i % 5 as n "
        "from range(40000) as r (i)"
    )
    points = "list(n order by id)" if name == "segql_onehot" else "list(p order by id)"
    query = f"select g, {name}({points}{CALLS[name]})::varchar as r from t"
    whole = dict(db.execute(f"{query} group by g").fetchall())
    assert len(whole) == 2500
    for g in range(0, 2500, 250):
        assert db.execute(f"{query} where g = {g} group by g").fetchall() == [(g, whole[g])]


@pytest.mark.parametrize("name", [name for name in CALLS if name != "segql_onehot"])
def test_the_order_of_the_rows_does_not_matter(db: duckdb.DuckDBPyConnection, name: str) -> None:
    values = np.round(blobs(8, 400, 3, 4, 2.0), 1)  # rounded: some rows are equal, some tie
    db.register("given", pa.table({"id": range(400), **{f"x{j}": values[:, j] for j in range(3)}}))
    db.execute("create table t as select id, [x0, x1, x2] as p, 1 + id % 4 as c from given")
    seen = set()
    rows = {"values", "scores", "labels", "is_core"}
    for seed in range(4):
        order = f"hash(id, {seed})"
        arguments = f"list(p order by id){CALLS[name]}".replace("order by id", f"order by {order}")
        ids, result = db.execute(
            f"select list(id order by {order}), {name}({arguments}) from t"
        ).fetchone()
        result.pop("merges", None)
        if name == "segql_silhouette":
            rows = {"values"}
        by_id = {
            key: sorted(zip(ids, value, strict=True)) if key in rows else value
            for key, value in result.items()
        }
        seen.add(repr(by_id))
    assert len(seen) == 1


TYPES: dict[str, Callable[[str], str]] = {
    "integers": lambda x: f"list([{x}, {x} * {x}]::integer[])",
    "floats": lambda x: f"list([{x}, {x} * {x}]::float[])",
    "decimals": lambda x: f"list([{x}, {x} * {x}]::decimal(18, 3)[])",
    "hugeints": lambda x: f"list([{x}, {x} * {x}]::hugeint[])",
    "unsigned": lambda x: f"list([{x}, {x} * {x}]::uinteger[])",
    "arrays": lambda x: f"list([{x}, {x} * {x}]::double[2])",
    "arrays of arrays": lambda x: f"list([{x}, {x} * {x}]::float[2])::float[2][30]",
    "with null arrays": lambda x: f"list(nullif([{x}, {x} * {x}], [-1])::double[2])",
    "slices": lambda x: f"(list([{x}, {x} * {x}]::double[]) || [[1.0, 1.0]])[:30]",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in CALLS if name != "segql_onehot"])
@pytest.mark.parametrize("kind", list(TYPES))
def test_every_type_of_numbers_is_taken(
    db: duckdb.DuckDBPyConnection, name: str, kind: str
) -> None:
    source = (
        "(select i as id, hash(i) % 100 as x, 1 + i % 3 as c from range(30) as r (i) order by i)"
    )
    rest = CALLS[name]
    plain, other = db.execute(
        f"select {name}(list([x, x * x]::double[]){rest}), {name}({TYPES[kind]('x')}{rest}) "
        f"from {source}"
    ).fetchone()
    assert plain == other


@pytest.mark.parametrize("name", list(CALLS))
def test_null_lists_are_null(db: duckdb.DuckDBPyConnection, name: str) -> None:
    rest = CALLS[name].replace("list(c order by id)", "[1]")
    kind = "varchar[]" if name == "segql_onehot" else "double[][]"
    for null in ("null", f"null::{kind}"):
        assert db.execute(f"select {name}({null}{rest})").fetchall() == [(None,)]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_examples_return_what_they_say(db: duckdb.DuckDBPyConnection, function: Any) -> None:
    width = len(db.execute(function.example).description)
    column = "r" if width == 1 else "t"
    told = db.execute(f"select {column}::varchar from ({function.example}) as t").fetchall()
    assert told == [(function.example_result,)]
    assert function.signature.startswith(f"{function.name}(")


POINTS = "[[1.0, 2.0], [2.0, 1.0], [9.0, 9.0]]"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        # what holds for all of them
        (f"segql_kmeans({POINTS})", "segql_kmeans got 1 argument; accepted: segql_kmeans(points"),
        (f"segql_kmeans({POINTS}, 2, 3, 4)", "segql_kmeans got 4 arguments; accepted"),
        (f"segql_kmeans({POINTS}, 2, 42)", "segql_kmeans: options got INTEGER; accepted: a struct"),
        (f"segql_kmeans({POINTS}, {{seed: 1}})", "k got {'seed': 1}"),
        (f"segql_standardize({POINTS}, 1)", "segql_standardize got 2 arguments"),
        (f"segql_pca({POINTS}, 1, {{seed: 1}})", "segql_pca got 3 arguments"),
        (f"segql_elbow({POINTS}, 2)", "segql_elbow got 2 arguments"),
        (f"segql_silhouette({POINTS})", "segql_silhouette got 1 argument"),
        (f"segql_dbscan({POINTS}, 1, 2, {{wieghts: [1]}})", "did you mean 'weights'"),
        (f"segql_hierarchical({POINTS}, 2, {{link: 'ward'}})", "did you mean 'linkage'"),
        ("segql_onehot(['a'], {topp: 1})", "did you mean 'top'"),
        ("segql_standardize([1.0, 2.0])", "segql_standardize: points must be DOUBLE[][], e.g."),
        ("segql_minmax('a')", "got VARCHAR"),
        ("segql_robust([[true]])", "got BOOLEAN[][]"),
        ("segql_pca([[date '2024-01-01']])", "got DATE[][]"),
        ("segql_dbscan([{a: 1}], 1, 1)", "got STRUCT("),
        ("segql_onehot([['a']])", "segql_onehot: categories must be VARCHAR[], got VARCHAR[][]"),
        ("segql_onehot('a')", "got VARCHAR"),
        ("segql_minmax([[1.0], [1.0, 2.0]])", "points have lengths 1 and 2"),
        # arguments of each
        (f"segql_kmeans({POINTS}, null)", "k got N"),
        (f"segql_kmeans({POINTS}, 0)", "k got 0"),
        (f"segql_kmeans({POINTS}, 2.5)", "k got 2.5"),
        (f"segql_kmeans({POINTS}, 4)", "k is 4 but there are only 3 distinct rows"),
        (f"segql_kmeans({POINTS}, 2, {{seed: 1.5}})", "seed got 1.5"),
        (f"segql_kmeans({POINTS}, 2, {{thorough: 1}})", "thorough got 1; accepted: true or false"),
        (f"segql_kmeans({POINTS}, 2, {{weights: 'a'}})", "weights got 'a'"),
        (f"segql_kmeans({POINTS}, 2, {{weights: [1, null, 1]}})", "one number above 0"),
        (f"segql_kmeans({POINTS}, 2, {{weights: [1, 'inf'::double, 1]}})", "one number above 0"),
        ("segql_kmeans([], 2)", "segql_kmeans: points has no row without NULL"),
        ("segql_dbscan([null], 1, 1)", "segql_dbscan: points has no row without NULL"),
        ("segql_hierarchical([[null]], 1)", "segql_hierarchical: points has no row without NULL"),
        ("segql_elbow([]::double[][], 1, 3)", "segql_elbow: points has no row without NULL"),
        (f"segql_hierarchical({POINTS}, 4)", "k is 4 but there are only 3 rows"),
        (f"segql_hierarchical({POINTS}, 'auto')", "k got 'auto'; accepted: a whole number"),
        (f"segql_hierarchical({POINTS}, {{heigth: 1}})", "k got {'heigth': 1}"),
        (f"segql_hierarchical({POINTS}, {{height: -1}})", "height got -1"),
        (f"segql_hierarchical({POINTS}, {{height: null}})", "height got NULL"),
        (f"segql_hierarchical({POINTS}, 2, {{linkage: 'wart'}})", "did you mean 'ward'"),
        (f"segql_hierarchical({POINTS}, 2, {{linkage: 3}})", "unknown linkage '3'"),
        ("segql_hierarchical(list_transform(range(10001), lambda i: [i]), 2)",
         "points holds 10001 rows; accepted: at most 10000, since memory"),
        (f"segql_dbscan({POINTS}, 0, 2)", "eps got 0; accepted: a number above 0, or 'auto'"),
        (f"segql_dbscan({POINTS}, 'x', 2)", "eps got 'x'"),
        (f"segql_dbscan({POINTS}, 'nan'::double, 2)", "eps got nan"),
        (f"segql_dbscan({POINTS}, 1, 0)", "min_samples got 0"),
        (f"segql_dbscan({POINTS}, 1, 1.5)", "min_samples got 1.5"),
        (f"segql_dbscan({POINTS}, 1, 1, {{weights: [1, 1, 0.5]}})", "one number at least 1"),
        ("segql_dbscan([[1.0], [1], [1], [1]], 'auto', 2)", "no distance tells clusters"),
        (f"segql_silhouette({POINTS}, [1, 2])", "labels holds 2 labels for 3 rows"),
        (f"segql_silhouette({POINTS}, [1.5, 2, 3])", "labels must be INTEGER[], got DECIMAL"),
        (f"segql_silhouette({POINTS}, ['a', 'b', 'c'])", "labels must be INTEGER[], got VARCHAR[]"),
        (f"segql_silhouette({POINTS}, [1::double, 2, 3])", "labels must be INTEGER[], got DOUB"),
        (f"segql_silhouette({POINTS}, [1, 2, 2], {{metric: 'euclid'}})", "mean 'euclidean'"),
        (f"segql_elbow({POINTS}, 3, 1)", "k_min is 3 and k_max is 1"),
        (f"segql_elbow({POINTS}, 0, 1)", "k_min got 0"),
        (f"segql_elbow({POINTS}, 1, null)", "k_max got NULL"),
        (f"segql_pca({POINTS}, 'a')", "pca got 'a'"),
        (f"segql_pca({POINTS}, 0)", "pca got 0; accepted: a whole number from 1 to 2"),
        ("segql_onehot(['a'], {top: 0})", "top got 0; accepted: a whole number of at least 1"),
        ("segql_onehot(['a'], {top: 'x'})", "top got 'x'"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(
    db: duckdb.DuckDBPyConnection, call: str, said: str
) -> None:
    with pytest.raises(duckdb.Error) as caught:
        db.execute(f"select {call}").fetchall()
    assert said in str(caught.value)
    assert "SegqlError: segql_" in str(caught.value)
    assert db.execute("select 1").fetchall() == [(1,)]


def test_without_arguments_duckdb_names_the_function(db: duckdb.DuckDBPyConnection) -> None:
    for function in FUNCTIONS:
        with pytest.raises(duckdb.BinderException, match=function.name):
            db.execute(f"select {function.name}()")


def test_whole_numbers_that_no_double_holds_are_rounded(con: duckdb.DuckDBPyConnection) -> None:
    segql.register(con)
    found = con.execute("select segql_kmeans([[9007199254740993], [1]], 2).labels").fetchall()
    assert sorted(found[0][0]) == [1, 2]


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
