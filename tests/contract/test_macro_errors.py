"""What the persisted macros refuse, by name, and what they leave NULL: no Python takes part."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Any

import duckdb
import pytest

import segql
from segql.functions.shared_macros import TABLE_MACROS, TableMacro

OVER_ROWS = [macro for macro in TABLE_MACROS if "relation" in " ".join(macro.parameters)]
#: Model 'm' of version 2 would be met by version '1 or true' if names and numbers were joined.
LURES = ("or true m", "union all select 1 m", "2 m")


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    """Fit models, beside relations that are wrong in one way each; no test changes them."""
    with duckdb.connect() as con:
        con.execute(
            """
            create table t as select i as id, i % 7 * 1.5 as a, (i * i % 11)::double as b
                from range(60) as r (i);
            create table less as select id, a from t;
            create table anonymous as select a, b from t;
            create view nobody as from t where false;
            create table gaps as select id, case id % 4 when 0 then null when 1 then 'nan'::double
                when 2 then 'inf'::double else a end as a, b from t;
            create view hopeless as select * replace (null::double as a) from t;
            """
        )
        for name in ("m", *LURES):
            segql.fit(con, "t", id="id", name=name, k=2, features=["a", "b"])
        segql.fit(con, "t", id="id", name="m", k=3, features=["a", "b"])
        segql.fit(
            con, "t", id="id", name="strict", k=2, features={"a": {"impute": "none"}, "b": {}}
        )
        yield con


def call(macro: TableMacro, version: str = "", **arguments: str) -> str:
    """A call that is fine, but for the arguments that are given."""
    fine = {"model": "'m'", "relation": "'t'", "contamination": "0.1"} | arguments
    taken = [item.split(" := ")[0] for item in macro.parameters]
    listed = [fine[item] for item in taken if item in fine]
    return f"from segql.{macro.name}({', '.join([*listed, *([version] if version else [])])})"


def refused(con: duckdb.DuckDBPyConnection, statement: str) -> str:
    """What is said when a statement is bound, whether its rows are looked at or not."""
    said = []
    for text in (statement, f"select count(*) as n {statement}"):
        with pytest.raises(duckdb.Error) as caught:
            con.execute(text).fetchall()
        said.append(str(caught.value).split("\n\nLINE ")[0])
    assert said[0] == said[1]
    assert "INTERNAL" not in said[0]
    return said[0]


@pytest.mark.parametrize("macro", OVER_ROWS, ids=lambda macro: macro.name)
@pytest.mark.parametrize(
    ("relation", "message"),
    [
        ("'less'", 'does not have a column named "b"'),
        ("'nowhere'", "Table with name nowhere does not exist"),
        ("'main.nowhere'", "Table with name nowhere does not exist"),
        ("'other.t'", "does not exist"),
        ("'select * from t'", "Table with name select * from t does not exist"),
        ("'t, less'", "Table with name t, less does not exist"),
        ("'t; drop table t'", "Table with name t; drop table t does not exist"),
        ("''", "Zero-length identifier"),
        ("5", "Table with name 5 does not exist"),
        ("['t', 'less']", "Table with name [t, less] does not exist"),
    ],
)
def test_relations_that_cannot_be_scored(
    shop: duckdb.DuckDBPyConnection, macro: TableMacro, relation: str, message: str
) -> None:
    assert message in refused(shop, call(macro, relation=relation))


@pytest.mark.parametrize("macro", OVER_ROWS, ids=lambda macro: macro.name)
def test_no_relation(shop: duckdb.DuckDBPyConnection, macro: TableMacro) -> None:
    if macro.name == "evaluate":
        stored = shop.execute("from segql.evaluate('m')").fetchall()
        assert shop.execute(call(macro, relation="null")).fetchall() == stored
        return
    said = refused(shop, call(macro, relation="null"))
    assert "relation got NULL; accepted: the name of a table or view" in said


def test_only_anomalies_need_the_id(shop: duckdb.DuckDBPyConnection) -> None:
    for macro in OVER_ROWS:
        statement = call(macro, relation="'anonymous'")
        if macro.name == "detect_anomalies":
            assert 'does not have a column named "id"' in refused(shop, statement)
        else:
            assert shop.execute(statement).fetchall()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("null", "NULL"), ("'x'", "x"), ("-1", "-1"), ("2", "2"), ("1.0001", "1.0001"),
        ("'nan'::double", "nan"), ("'inf'::double", "inf"), ("true", "true"), ("[0.1]", "[0.1]"),
        ("date '2025-01-01'", "2025-01-01"), ("{x: 1}", "{'x': 1}"), ("''", ""),
        ("'0.1 or true'", "0.1 or true"),
    ],
)  # fmt: skip
def test_contamination_that_is_no_share(
    shop: duckdb.DuckDBPyConnection, given: str, shown: str
) -> None:
    said = refused(shop, f"from segql.detect_anomalies('m', 't', {given})")
    assert f"contamination got {shown}; accepted: a share from 0 to 1" in said


@pytest.mark.parametrize("given", ["0.1", "'0.1'", "0.1::float", "0.1::decimal(3, 2)", "1e-1"])
def test_contamination_that_is_a_share(shop: duckdb.DuckDBPyConnection, given: str) -> None:
    counted = "select count(*) filter (is_anomaly) from segql.detect_anomalies('m', 't', {})"
    assert shop.execute(counted.format(given)).fetchall() == [(6,)]


@pytest.mark.parametrize("macro", TABLE_MACROS, ids=lambda macro: macro.name)
@pytest.mark.parametrize(
    ("model", "shown"),
    [("'M'", "'M'"), ("''", "''"), ("null", "NULL"), ("5", "'5'"), ("['m']", "'[m]'")],
)
def test_models_that_are_not_there(
    shop: duckdb.DuckDBPyConnection, macro: TableMacro, model: str, shown: str
) -> None:
    known = ", ".join(sorted(["m", "strict", *LURES]))
    assert f"unknown model {shown} (known: {known})" in refused(shop, call(macro, model=model))


@pytest.mark.parametrize("macro", TABLE_MACROS, ids=lambda macro: macro.name)
@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ("'abc'", "abc"), ("0", "0"), ("-1", "-1"), ("1.5", "1.5"), ("3", "3"), ("true", "true"),
        ("[1]", "[1]"), ("''", ""), ("'01'", "01"), ("' 1'", " 1"), ("1e300", "1e+300"),
        # With the model's name after it each is a version and the name of a model.
        ("'1 or true'", "1 or true"), ("'1 2'", "1 2"),
        ("'1 union all select 1'", "1 union all select 1"),
    ],
)  # fmt: skip
def test_versions_that_are_not_there(
    shop: duckdb.DuckDBPyConnection, macro: TableMacro, version: str, shown: str
) -> None:
    said = refused(shop, call(macro, f"version := {version}"))
    assert f"model 'm' has no version {shown} (known: 1, 2)" in said


@pytest.mark.parametrize("macro", TABLE_MACROS, ids=lambda macro: macro.name)
def test_versions_that_are_there(shop: duckdb.DuckDBPyConnection, macro: TableMacro) -> None:
    def answer(version: str) -> list[str]:
        return sorted(map(str, shop.execute(call(macro, version)).fetchall()))

    assert answer("version := null") == answer("version := 2") == answer("") == answer("'2'")
    if macro.name in ("predict", "evaluate", "segments", "centroids"):
        assert answer("version := 1") != answer("")


@pytest.mark.parametrize("macro", TABLE_MACROS, ids=lambda macro: macro.name)
def test_wrong_numbers_and_names_of_arguments(
    shop: duckdb.DuckDBPyConnection, macro: TableMacro
) -> None:
    fine = call(macro).removesuffix(")")
    required = [item for item in macro.parameters if ":=" not in item]
    for statement in (
        f"from segql.{macro.name}()",
        f"from segql.{macro.name}({', '.join(['null'] * (len(required) - 1))})",
        f"from segql.{macro.name}({', '.join(['null'] * (len(macro.parameters) + 1))})",
        f"{fine}, verson := 1)",
    ):
        said = refused(shop, statement)
        assert "Candidate macros" in said
        # Names that are words of SQL are quoted there, and defaults in capitals.
        assert f"({', '.join(macro.parameters)})".lower() in said.lower()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("1, 2, 3", "m_segment(a := NULL, b := NULL)"),
        ("zz := 3", "m_segment(a := NULL, b := NULL)"),
        ("a := 'x'", "Could not convert string 'x' to DOUBLE"),
        ("a := [1]", "DOUBLE"),
    ],
)
def test_wrong_arguments_of_scalar_macros(
    shop: duckdb.DuckDBPyConnection, arguments: str, message: str
) -> None:
    for suffix in ("segment", "segment_key"):
        with pytest.raises(duckdb.Error) as caught:
            shop.execute(f"select segql.m_{suffix}({arguments})").fetchall()
        assert message.replace("m_segment", f"m_{suffix}") in str(caught.value)


def test_without_a_model(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table t as select i as id, i % 7 as a from range(60) as r (i)")
    segql.fit(con, "t", id="id", name="m", k=2, features=["a"])
    segql.drop(con, "m")
    for macro in TABLE_MACROS:
        assert "unknown model 'm' (known: none)" in refused(con, call(macro))


# -- rows without an answer ------------------------------------------------------------------


def test_no_rows(shop: duckdb.DuckDBPyConnection) -> None:
    for macro in OVER_ROWS:
        rows = shop.execute(call(macro, relation="'nobody'")).fetchall()
        if macro.name == "evaluate":
            assert rows == [tuple(segql.evaluate(shop, "m", "nobody").values())]
        else:
            assert rows == []


def test_rows_that_cannot_be_scored_are_null_and_counted_nowhere(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    scorable = 15
    scored = shop.execute(
        "select id, segment_id, segment_key, distance, next_segment_id, confidence, "
        "segql.strict_segment(a, b), segql.strict_segment_key(a, b) "
        "from segql.predict('strict', 'gaps') order by id"
    ).fetchall()
    for number, *answers in scored:
        assert {value is None for value in answers} == {number % 4 != 3}
    figures = shop.execute("from segql.evaluate('strict', 'gaps')").fetchall()[0]
    assert figures == pytest.approx(tuple(segql.evaluate(shop, "strict", "gaps").values()), 1e-9)
    assert figures[0] == scorable
    found = shop.execute(
        "select id, is_anomaly, normalized_distance, centroid_id "
        "from segql.detect_anomalies('strict', 'gaps', 0.2) order by id"
    ).fetchall()
    assert sum(bool(row[1]) for row in found) == 3
    for number, *answers in found:
        assert {value is None for value in answers} == {number % 4 != 3}
    explained = shop.execute(
        "select id, top_feature_attributions from segql.explain('strict', 'gaps') order by id"
    ).fetchall()
    for number, parts in explained:
        assert (parts is None) == (number % 4 != 3)


def test_no_row_can_be_scored(shop: duckdb.DuckDBPyConnection) -> None:
    figures = shop.execute("from segql.evaluate('strict', 'hopeless')").fetchall()[0]
    assert figures == tuple(segql.evaluate(shop, "strict", "hopeless").values())
    assert figures[0] == 0
    found: Any = shop.execute(
        "select count(*), count(is_anomaly), count(centroid_id) "
        "from segql.detect_anomalies('strict', 'hopeless', 1)"
    ).fetchall()
    assert found == [(60, 0, 0)]


# -- how many anomalies ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [100, 1000])
@pytest.mark.parametrize("share", ["0", "0.01", "0.07", "0.1", "0.29", "0.5", "0.57", "1"])
def test_the_share_is_exact_and_ties_go_by_id(
    con: duckdb.DuckDBPyConnection, size: int, share: str
) -> None:
    """Five distances only, so that a share ends within rows that are equally far."""
    con.execute(
        "create table t as select i as id, case when hash(i) % 5 = 0 then hash(i, 1) % 4 else 0 end"
        f"::double as a from range({size}) as r (i) order by hash(i, 2)"
    )
    segql.fit(con, "t", id="id", name="m", k=2, features=["a"])
    for threads in (1, 4):
        con.execute(f"set threads = {threads}")
        rows = con.execute(
            "select id, is_anomaly, normalized_distance "
            f"from segql.detect_anomalies('m', 't', {share})"
        ).fetchall()
        marked = {number for number, is_anomaly, _ in rows if is_anomaly}
        assert len(marked) == floor(Fraction(share) * size)
        farthest = sorted(rows, key=lambda row: (-row[2], row[0]))[: len(marked)]
        assert marked == {row[0] for row in farthest}
