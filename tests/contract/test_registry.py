"""The registry's tables: an older one is brought up to date, a newer one is refused."""

from __future__ import annotations

import inspect
import json
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support import load_frame, registry_picture, scratch_objects

import segql
from segql import schema
from segql.functions.shared_macros import SCHEMA_VERSION
from segql.training import PARTICULAR

OPEN_STORAGE = {"storage_compatibility_version": "v1.4.0"}
#: Columns that an older registry may lack, in front of others and at the end.
LACKING = {
    "models": ["options", "elbow", "as_of_date", "segment_sql", "segment_key_sql"],
    "segments": ["silhouette"],
    "trials": ["gap_low", "is_elbow"],
    "training_info": ["cluster_info"],
}


def make_rows(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table t as select i as id, i % 7 * 1.5 as a, (i * i % 11)::double as b "
        "from range(60) as r (i)"
    )


def make_old(con: duckdb.DuckDBPyConnection, version: str = "1") -> None:
    """Turn a registry into one of an older segql."""
    for table, columns in LACKING.items():
        for column in columns:
            con.execute(f"alter table segql.{table} drop column {column}")
    con.execute("drop table segql.principal_components; drop table segql.feature_bins")
    con.execute("drop macro table segql.trials; drop macro table segql.feature_bins")
    con.execute(f"update segql.registry_info set schema_version = {version}")


def columns_of(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str, str]]:
    return set(
        con.execute(
            "select table_name, column_name, data_type from duckdb_columns() "
            "where schema_name = 'segql' and database_name = current_database()"
        ).fetchall()
    )


def fit(con: duckdb.DuckDBPyConnection, k: int, **options: object) -> segql.Model:
    return segql.fit(con, "t", id="id", name="m", k=k, features=["a", "b"], **options)


@pytest.mark.parametrize("joined", [False, True])
def test_the_next_fit_migrates_an_older_registry(shop_file: Path, joined: bool) -> None:
    with duckdb.connect(str(shop_file), config=OPEN_STORAGE) as con:
        make_rows(con)
        fit(con, 3)
        whole = columns_of(con)
        before = con.sql("from segql.predict('m', 't') order by id").fetchall()
        make_old(con)
    with duckdb.connect(str(shop_file)) as con:
        segql.register(con)
        if joined:
            con.begin()
        assert fit(con, 4).version == 2
        if joined:
            con.commit()
        assert columns_of(con) == whole
        assert con.sql("select schema_version from segql.registry_info").fetchall() == [
            (SCHEMA_VERSION,)
        ]
        again = con.sql("from segql.predict('m', 't', version := 1) order by id").fetchall()
        assert again == before
        assert segql.load(con, "m", version=1).k == 3
        tried = "select count(*), count(gap_low) from segql.trials('m', version := {})"
        assert con.sql(tried.format(1)).fetchall() == [(1, 0)]
        assert con.sql(tried.format(2)).fetchall()[0][0] == 1
        assert con.sql("select count(*) from segql.principal_components('m')").fetchall() == [(0,)]
        assert scratch_objects(con) == []
    with duckdb.connect(str(shop_file), read_only=True) as con:
        assert (
            con.sql("from segql.predict('m', 't', version := 1) order by id").fetchall() == before
        )


def test_an_older_registry_is_read_as_it_is(shop_file: Path) -> None:
    with duckdb.connect(str(shop_file), config=OPEN_STORAGE) as con:
        make_rows(con)
        metrics = fit(con, 3).metrics
        con.execute("alter table segql.segments drop column stability")
        for table in ("diagnostics", "dendrogram", "k_distances", "cells"):
            con.execute(f"drop table segql.{table}")
        con.execute("update segql.registry_info set schema_version = 2")
    with duckdb.connect(str(shop_file), read_only=True) as con:
        old = segql.load(con, "m")
        assert old.diagnostics == {}
        assert [segment.stability for segment in old.segments] == [None] * 3
        assert segql.evaluate(con, "m", "t") == pytest.approx(metrics)
        assert len(segql.predict(con, "m", "t").fetchall()) == 60


def test_a_registry_without_a_version_is_older(con: duckdb.DuckDBPyConnection) -> None:
    make_rows(con)
    fit(con, 3)
    make_old(con)
    con.execute("drop table segql.registry_info")
    assert fit(con, 4).version == 2
    assert con.sql("select schema_version from segql.registry_info").fetchall() == [
        (SCHEMA_VERSION,)
    ]


def test_a_migration_is_rolled_back_with_its_transaction(con: duckdb.DuckDBPyConnection) -> None:
    make_rows(con)
    fit(con, 3)
    make_old(con)
    before = registry_picture(con)
    con.begin()
    fit(con, 4)
    con.rollback()
    assert registry_picture(con) == before
    assert fit(con, 4).version == 2


def test_a_newer_registry_is_refused(con: duckdb.DuckDBPyConnection) -> None:
    make_rows(con)
    fit(con, 3)
    con.execute("update segql.registry_info set schema_version = 99")
    before = registry_picture(con)
    for call in (
        lambda: fit(con, 4),
        lambda: segql.fit(con, "t", id="id", name="other", k=2, features=["a"]),
        lambda: segql.load(con, "m"),
        lambda: segql.predict(con, "m", "t"),
        lambda: segql.evaluate(con, "m"),
        lambda: segql.models(con),
    ):
        with pytest.raises(segql.SegqlError) as caught:
            call()
        assert str(caught.value) == (
            "the registry of database 'memory' has schema version 99, which a newer segql has "
            f"written; accepted: up to {SCHEMA_VERSION} (upgrade segql)"
        )
    assert registry_picture(con) == before
    assert segql.fit(con, "t", id="id", k=2, features=["a"]).k == 2


def test_the_tables_are_those_that_are_declared(con: duckdb.DuckDBPyConnection) -> None:
    make_rows(con)
    fit(con, 3)
    assert {table for table, _, _ in columns_of(con)} == set(schema.TABLES)


# -- what a version says about itself --------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ('"As_Of_Date"', "date '2025-03-01' + (i % 3)::int", date(2025, 3, 3)),
        ("as_of_date", "timestamp '2025-03-01 23:30:00' + interval (i % 3) day", date(2025, 3, 3)),
        ("AS_OF_DATE", "timestamptz '2025-03-02 12:00:00+00'", date(2025, 3, 2)),
        ("as_of_date", "null::date", None),
        ("as_of_date", "'2025-03-02'", None),
        ("as_of_date", "[date '2025-03-02']", None),
        ("as_of_day", "date '2025-03-02'", None),
    ],
    ids=["date", "timestamp", "with time zone", "only NULL", "text", "list", "another name"],
)
@pytest.mark.parametrize("stored", [True, False])
def test_the_latest_as_of_date_is_stored(
    con: duckdb.DuckDBPyConnection, column: str, values: str, expected: date | None, stored: bool
) -> None:
    make_rows(con)
    con.execute(
        f"create {'table' if stored else 'view'} dated as select *, {values} as {column} "
        "from (select *, id as i from t)"
    )
    con.execute("set timezone = 'UTC'")
    model = segql.fit(con, "dated", id="id", name="m", k=3, features=["a", "b"])
    assert model.info["as_of_date"] == expected
    assert con.sql("select as_of_date from segql.models").fetchall() == [(expected,)]
    assert sum("as_of_date" in text.lower() for text in model.statements) <= 1 + (not stored)


def test_stored_options_are_those_of_the_algorithm(con: duckdb.DuckDBPyConnection) -> None:
    make_rows(con)
    asked = {"eps": "auto", "min_samples": None, "linkage": "ward"}
    parameters = inspect.signature(segql.fit).parameters
    assert {name: parameters[name].default for name in asked} == asked == PARTICULAR
    fit(con, 3)
    fit(con, 3, **asked)
    stored = [json.loads(row[0]) for row in con.sql("select options from segql.models").fetchall()]
    assert stored[0] == stored[1]
    assert set(stored[0]) == {"id", "features", "algorithm", "k", "pca", "seed"}


def test_scalar_expressions_stand_alone(con: duckdb.DuckDBPyConnection) -> None:
    """What another CREATE MACRO inlines: the text of the scalar macros, over bare columns."""
    con.execute(
        'create table t as select i as id, case when i % 9 > 0 then i % 7 * 1.5 end as "A b", '
        "i % 3 = 0 as flag, 'g''' || i % 3 as grp from range(90) as r (i)"
    )
    segql.fit(con, "t", id="id", name="m", k=3, features=["A b", "flag", "grp"], pca=2)
    [(segment, key)] = con.sql("select segment_sql, segment_key_sql from segql.models").fetchall()
    for suffix, text in (("segment", segment), ("segment_key", key)):
        [(body,)] = con.execute(
            "select macro_definition from duckdb_functions() where function_name = ?",
            [f"m_{suffix}"],
        ).fetchall()
        con.execute(f'create macro own("A b", flag, grp) as ({text})')
        [(own,)] = con.sql(
            "select macro_definition from duckdb_functions() where function_name = 'own'"
        ).fetchall()
        assert own == body
        con.execute("drop macro own")
    with duckdb.connect() as other:
        load_frame(other, "t", con.sql("from t").df())
        found = other.sql(f"select {segment}, {key} from t order by id").fetchall()
    expected = "select segment_id, segment_key from segql.predict('m', 't') order by id"
    assert found == con.sql(expected).fetchall()
    assert {row[1] for row in found} == {"S1", "S2", "S3"}
