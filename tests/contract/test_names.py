"""Any name works: features, ids, tables, schemas, databases and models, through every macro."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import PREDICTIONS, labels_of, predictions

import segql

#: Names that a careless text would read as something else.
NAMES = [
    "plain", "with space", 'double "quoted"', "it's", "a.b", "a;b", "back\\slash", "select",
    "table", "order", "group", "Mixed Case", "größe", "名前", "🙂", "שם", "line\nbreak",
    "tab\there", "%s", "{{ x }}", "${x}", "--", "/* */", "1st", "x" * 60, "$1", "?", ":name",
    "null", "true", "values",
    # What the macros and their queries use themselves.
    "version", "model", "relation", "contamination", "segment_id", "segment_key", "distance",
    "next_segment_id", "confidence", "rows", "source", "layer", "predicted", "own", "following",
    "point", "segment", "segments", "members", "features", "mean", "c", "t", "m", "n", "u", "s",
    "is_anomaly", "normalized_distance", "centroid_id", "top_feature_attributions", "scored_rows",
    "version_geometry", "known_models",
]  # fmt: skip


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def make_table(
    con: duckdb.DuckDBPyConnection, table: str, id: str, features: list[str], size: int = 60
) -> None:
    """Store a table of these features: two groups, told apart by the first."""
    columns = ", ".join(
        f"(i % 2) * {10 if j == 0 else 1}.0 + (hash(i, {j}) % 100) / 50.0 as {quoted(name)}"
        for j, name in enumerate(features)
    )
    con.execute(
        f"create or replace table {table} as select i as {quoted(id)}, {columns} "
        f"from range({size}) as r (i)"
    )


def check_every_way(
    con: duckdb.DuckDBPyConnection, model: str, relation: str, id: str, features: list[str]
) -> None:
    """Compare every macro with Python's predict and evaluate."""
    expected = predictions(segql.predict(con, model, relation), id)
    name, table = literal(model), literal(relation)
    found = predictions(con.sql(f"from segql.predict({name}, {table})"), id)
    assert labels_of(found) == labels_of(expected)
    assert list(found) == list(expected)
    np.testing.assert_allclose(found["distance"], expected["distance"], rtol=1e-9, atol=1e-9)
    kept = [item for item in features if item.lower() not in PREDICTIONS]
    assert set(kept) <= set(found)
    figures = con.sql(f"from segql.evaluate({name}, {table})").fetchall()[0]
    python = segql.evaluate(con, model, relation)
    assert figures == pytest.approx(tuple(python.values()), rel=1e-9)
    arguments = ", ".join(f"{quoted(item)} := r.{quoted(item)}" for item in features)
    for suffix, column in (("segment", "segment_id"), ("segment_key", "segment_key")):
        macro = f"segql.{quoted(f'{model}_{suffix}')}({arguments})"
        rows = con.sql(f"select {macro} from {relation} as r order by r.{quoted(id)}").fetchall()
        assert [row[0] for row in rows] == expected[column].tolist()
    explained = con.sql(
        "select segment_id, list_sort(list_transform(top_feature_attributions, "
        f"lambda _sq_a: _sq_a.feature)) from segql.explain({name}, {table})"
    ).fetchall()
    assert {tuple(row[1]) for row in explained} == {tuple(sorted(features))}
    anomalies = con.sql(
        f"select count(*) filter (is_anomaly) from segql.detect_anomalies({name}, {table}, 0.1)"
    ).fetchall()
    assert anomalies == [(len(expected) // 10,)]
    used = con.sql(f"select input from segql.feature_info({name}) where used").fetchall()
    assert {row[0] for row in used} == set(features)


@pytest.fixture
def session(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Register segql."""
    segql.register(con)
    return con


def fit_both_ways(
    con: duckdb.DuckDBPyConnection, model: str, relation: str, id: str, features: list[str]
) -> None:
    """Fit from Python, and find from SQL that nothing has changed."""
    segql.fit(con, relation, id=id, name=model, k=2, features=features)
    listed = ", ".join(literal(item) for item in features)
    [(is_new,)] = con.execute(
        f"select segql_fit({literal(model)}, {literal(relation)}, "
        f"{{id: {literal(id)}, k: 2, features: [{listed}]}}).is_new"
    ).fetchall()
    assert is_new is False


@pytest.mark.parametrize("name", NAMES)
def test_a_feature_of_this_name(session: duckdb.DuckDBPyConnection, name: str) -> None:
    make_table(session, "t", "the id", [name, "other"])
    fit_both_ways(session, "m", "t", "the id", [name, "other"])
    check_every_way(session, "m", "t", "the id", [name, "other"])


def test_features_of_all_these_names_at_once(session: duckdb.DuckDBPyConnection) -> None:
    make_table(session, "t", "the id", NAMES)
    fit_both_ways(session, "m", "t", "the id", NAMES)
    check_every_way(session, "m", "t", "the id", NAMES)


@pytest.mark.parametrize("name", [item for item in NAMES if item.lower() not in PREDICTIONS])
def test_an_id_and_a_table_and_a_model_of_this_name(
    session: duckdb.DuckDBPyConnection, name: str
) -> None:
    make_table(session, quoted(name), name, ["a", "b"])
    fit_both_ways(session, name, quoted(name), name, ["a", "b"])
    check_every_way(session, name, quoted(name), name, ["a", "b"])
    assert segql.load(session, name).name == name
    session.execute(f"select segql_drop({literal(name)})").fetchall()
    assert segql.models(session).empty


@pytest.mark.parametrize("name", ["with space", "a.b", 'double "quoted"', "select", "größe", "a;b"])
def test_a_schema_and_a_database_of_this_name(
    session: duckdb.DuckDBPyConnection, name: str
) -> None:
    session.execute(f"attach ':memory:' as {quoted(name)}")
    session.execute(f"create schema {quoted(name)}.{quoted(name)}")
    relation = f"{quoted(name)}.{quoted(name)}.{quoted(name)}"
    make_table(session, relation, "id", ["a", "b"])
    fit_both_ways(session, "m", relation, "id", ["a", "b"])
    check_every_way(session, "m", relation, "id", ["a", "b"])
    session.execute(f"use {quoted(name)}")
    fit_both_ways(session, "m", relation, "id", ["a", "b"])
    check_every_way(session, "m", relation, "id", ["a", "b"])


@pytest.mark.parametrize("name", [*PREDICTIONS, "Segment_ID"])
def test_an_id_of_a_predictions_name_is_refused(
    session: duckdb.DuckDBPyConnection, name: str
) -> None:
    make_table(session, "t", name, ["a", "b"])
    with pytest.raises(segql.SegqlError, match="the name of a prediction column"):
        segql.fit(session, "t", id=name, name="m", k=2, features=["a", "b"])
    assert segql.models(session).empty


def test_names_that_differ_in_case_only(session: duckdb.DuckDBPyConnection) -> None:
    make_table(session, "t", "id", ["Spend", "visits"])
    fit_both_ways(session, "m", "t", "ID", ["SPEND", "Visits"])
    with pytest.raises(segql.SegqlError, match="differ in case only"):
        segql.fit(session, "t", id="id", name="M", k=2, features=["Spend"])


letters = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=12
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(feature=letters, id=letters, model=letters)
def test_generated_names(feature: str, id: str, model: str) -> None:
    lowered = {feature.lower(), id.lower(), "other"}
    if len(lowered) < 3 or feature.lower().startswith("_sq_") or not model.strip():
        return
    with duckdb.connect() as con:
        try:
            make_table(con, "t", id, [feature, "other"])
        except duckdb.Error:
            return
        if id.lower() in PREDICTIONS or con.table("t").columns != [id, feature, "other"]:
            return
        segql.fit(con, "t", id=id, name=model, k=2, features=[feature, "other"])
        check_every_way(con, model, "t", id, [feature, "other"])


def test_odd_options_of_features(session: duckdb.DuckDBPyConnection) -> None:
    """Categories are values, and quoted like any text."""
    odd = ["a'b", 'a"b', "a;drop table t", "", " ", "名", "\\", "other", "null"]
    session.execute("create table t (id integer, c varchar, v double)")
    for number in range(90):
        session.execute(
            "insert into t values (?, ?, ?)", [number, odd[number % 9], float(number % 2)]
        )
    features: dict[str, Any] = {"c": {"encode": "onehot"}, "v": {}}
    segql.fit(session, "t", id="id", name="m", k=3, features=features)
    check_every_way(session, "m", "t", "id", ["c", "v"])
