"""What segql_fit, segql_use_version and segql_drop refuse: by name, and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from support import load_frame, registry_picture, scratch_objects, shop_frame

import segql

FEATURES = "features: ['recency', 'frequency', 'monetary']"


@pytest.fixture(scope="module")
def stored() -> Iterator[duckdb.DuckDBPyConnection]:
    """A shop with a model; no test here changes it."""
    with duckdb.connect() as con:
        load_frame(con, "t", shop_frame(200))
        segql.register(con)
        con.execute(f"select segql_fit('m', 't', {{id: 'customer_id', k: 2, {FEATURES}}})")
        con.fetchall()
        yield con


def refused(con: duckdb.DuckDBPyConnection, statement: str) -> str:
    """Run a statement that fails and leaves nothing; its message."""
    before = registry_picture(con)
    with pytest.raises(duckdb.Error) as caught:
        con.execute(statement).fetchall()
    assert registry_picture(con) == before
    assert scratch_objects(con) == []
    return str(caught.value)


K = 'k got {}; accepted: a whole number of at least 1, (min, max), or "auto"'
PCA = "pca got {}; accepted: a whole number from 1 to 3, or a share of variance in (0, 1)"
SEED = "seed got {}; accepted: a whole number from 0 to 2147483647"
SAMPLES = "min_samples got {}; accepted: a whole number of at least 1, or None"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("k: 1.5", K.format("1.5")),
        ("k: 'x'", K.format("'x'")),
        ("k: 0", K.format("0")),
        ("k: true", K.format("True")),
        ("k: [2]", K.format("(2,)")),
        ("k: [5, 2]", K.format("(5, 2)")),
        ("k: ['a', 'b']", K.format("('a', 'b')")),
        ("k: {height: 3.5}", K.format("{'height': 3.5}")),
        ("k: {heigth: 3}, algorithm: 'hierarchical'", "k got {'heigth': 3}; accepted:"),
        ("pca: 'x'", PCA.format("'x'")),
        ("pca: 1.5", PCA.format("1.5")),
        ("pca: 0", PCA.format("0")),
        ("pca: 4", PCA.format("4")),
        ("pca: true", PCA.format("True")),
        ("pca: [1]", PCA.format("[1]")),
        ("seed: -1", SEED.format("-1")),
        ("seed: 1.5", SEED.format("1.5")),
        ("seed: 'x'", SEED.format("'x'")),
        ("seed: true", SEED.format("True")),
        ("seed: 99999999999", SEED.format("99999999999")),
        ("algorithm: 4", "unknown algorithm '4' (accepted: kmeans, hierarchical, dbscan, hdbscan)"),
        ("algorithm: 'kmean'", "unknown algorithm 'kmean'; did you mean 'kmeans'?"),
        ("algorithm: ['a']", "unknown algorithm"),
        ("eps: 1", "eps got 1, but algorithm 'kmeans' has no eps; accepted: leave it out"),
        ("eps: 'x', algorithm: 'dbscan'", "eps got 'x'; accepted: a number above 0, or \"auto\""),
        ("eps: -0.5, algorithm: 'dbscan'", "eps got -0.5; accepted: a number above 0"),
        ("min_samples: 3", "min_samples got 3, but algorithm 'kmeans' has no min_samples"),
        ("min_samples: 2.5, algorithm: 'dbscan'", SAMPLES.format("2.5")),
        ("min_samples: 'x', algorithm: 'hdbscan'", SAMPLES.format("'x'")),
        ("linkage: 'single'", "linkage got 'single', but algorithm 'kmeans' has no linkage"),
        ("linkage: 'wrd', algorithm: 'hierarchical'", "unknown linkage 'wrd'; did you mean 'ward'"),
        ("linkage: 4, algorithm: 'hierarchical'", "unknown linkage '4' (accepted: ward, average,"),
        ("refit: 'yes'", "segql_fit: refit got 'yes'; accepted: true or false"),
        ("refit: 1", "segql_fit: refit got 1; accepted: true or false"),
        ("sead: 4", "segql_fit: unknown option 'sead'; did you mean 'seed'? (accepted: id, feat"),
        ("publish: true", "segql_fit: unknown option 'publish'"),
    ],
)
def test_wrong_options(stored: duckdb.DuckDBPyConnection, option: str, message: str) -> None:
    call = f"select segql_fit('m', 't', {{id: 'customer_id', {FEATURES}, {option}}})"
    assert message in refused(stored, call)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("4", "features got 4; accepted: 'auto', a list of columns, or {column: {option: value}}"),
        ("[1, 2]", "features holds 1; accepted: column names"),
        ("['monetray']", "unknown feature column 'monetray'; did you mean 'monetary'?"),
        ("{recency: 4}", "column 'recency': options got 4; accepted: {option: value} with impute"),
        ("{recency: {scal: 'none'}}", "column 'recency': unknown option 'scal'; did you mean"),
        ("{recency: {scale: 'big'}}", "column 'recency'"),
        ("{nope: {scale: 'none'}}", "unknown feature column 'nope'"),
        ("[]", "features"),
    ],
)
def test_wrong_features(stored: duckdb.DuckDBPyConnection, features: str, message: str) -> None:
    call = f"select segql_fit('m', 't', {{id: 'customer_id', features: {features}}})"
    assert message in refused(stored, call)


CONFIG = {"storage_compatibility_version": "v1.4.0"}
OPTIONS = f"{{id: 'customer_id', {FEATURES}}}"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("segql_fit('m', 't')", "segql_fit: the option id is missing; accepted: {id: '<id column"),
        ("segql_fit('m', 't', null)", "segql_fit: the option id is missing"),
        ("segql_fit('m', 't', {k: 3})", "segql_fit: the option id is missing"),
        ("segql_fit('m', 't', {id: null})", "segql_fit: the option id is missing"),
        ("segql_fit('m', 't', {id: 3})", "id got 3; accepted: the name of the id column"),
        ("segql_fit('m', 't', {id: 'cust'})", "unknown id column 'cust'"),
        ("segql_fit('m', 't', {id: 'channel'})", "id column 'channel' is NULL in"),
        ("segql_fit('m', 't', {id: 'newsletter'})", "id column 'newsletter' is not unique"),
        ("segql_fit('m', 't', [1])", "segql_fit: options got [1]; accepted: a struct such as"),
        ("segql_fit('m', 't', '{\"id\": 1}')", "segql_fit: options got '{"),
        (f"segql_fit(1, 't', {OPTIONS})", "segql_fit: name got 1; accepted: 1 to 100 characters"),
        (f"segql_fit('', 't', {OPTIONS})", "name got ''; accepted: 1 to 100 characters"),
        (f"segql_fit(repeat('x', 101), 't', {OPTIONS})", "accepted: 1 to 100 characters"),
        (f"segql_fit('M', 't', {OPTIONS})", "name got 'M', but there is a model 'm'"),
        (f"segql_fit('m', 5, {OPTIONS})", "relation must be a table, a view or a SELECT, got 5"),
        (f"segql_fit('m', '', {OPTIONS})", "relation must be a table, a view or a SELECT, got ''"),
        (f"segql_fit('m', 'nope', {OPTIONS})", "relation 'nope' does not exist (there are: main.t"),
        (f"segql_fit('m', 'drop table t', {OPTIONS})", "expected a relation or one SELECT"),
        (f"segql_fit('m', 'from t; drop table t', {OPTIONS})", "expected a relation or one SELECT"),
        (f"segql_fit('m', 'from t limit 1', {OPTIONS})", "the relation has 1 rows; accepted: at"),
        ("segql_fit('m')", "Candidate macros:\n\tsegql_fit(name, relation, options := NULL)"),
        ("system.main.segql_fit('m')", "segql_fit got 1 arguments; accepted: segql_fit(name, rel"),
        ("segql_use_version('m', 2)", "model 'm': unknown version '2' (accepted: 1)"),
        ("segql_use_version('m', 'a')", "version got 'a'; accepted: a whole number of at least 1"),
        ("segql_use_version('m', 0)", "version got 0; accepted: a whole number of at least 1"),
        ("segql_use_version('m', true)", "version got True; accepted: a whole number of at least"),
        ("segql_use_version('nope', 1)", "unknown model 'nope' (accepted: m)"),
        ("segql_use_version(4, 1)", "unknown model '4' (accepted: m)"),
        ("segql_drop('nope')", "unknown model 'nope' (accepted: m)"),
        ("segql_drop(['m'])", "unknown model \"['m']\" (accepted: m)"),
        ("segql_drop('m', 1)", "version 1 is the current one of model 'm'; accepted: drop the w"),
        ("segql_drop('m', 7)", "model 'm': unknown version '7' (accepted: 1)"),
        ("segql_drop('m', 1.5)", "version got 1.5; accepted: a whole number of at least 1"),
    ],
)
def test_wrong_arguments(stored: duckdb.DuckDBPyConnection, call: str, message: str) -> None:
    assert message in refused(stored, f"select {call}")


@pytest.mark.parametrize(
    "call",
    [
        f"segql_fit(null, 't', {OPTIONS})",
        f"segql_fit('m', null, {OPTIONS})",
        "segql_fit(null, null)",
        "segql_use_version(null, 1)",
        "segql_use_version('m', null)",
        "segql_drop(null)",
        "segql_drop(null, 1)",
    ],
)
def test_null_gives_null(stored: duckdb.DuckDBPyConnection, call: str) -> None:
    before = registry_picture(stored)
    assert stored.execute(f"select {call}").fetchall() == [(None,)]
    assert registry_picture(stored) == before


def test_a_database_that_is_read_only(shop_file: Path) -> None:
    with duckdb.connect(str(shop_file), config=CONFIG) as con:
        load_frame(con, "t", shop_frame(100))
        segql.register(con)
        con.execute(f"select segql_fit('m', 't', {OPTIONS})").fetchall()
    with duckdb.connect(str(shop_file), read_only=True) as con:
        segql.register(con)
        for call in (
            f"segql_fit('m', 't', {OPTIONS})",
            f"segql_fit('n', 't', {OPTIONS})",
            "segql_use_version('m', 1)",
            "segql_drop('m')",
        ):
            assert "the database 'shop' is attached read-only" in refused(con, f"select {call}")
        assert con.execute("select segql_kmeans([[1.0], [2.0]], 2).k").fetchall() == [(2,)]
