"""A registry of schema version 3 is brought up: old versions answer every macro, old names go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import registry_picture, rounded

import segql
from segql.functions.shared_macros import LONG_TABLES, SCHEMA_VERSION

CONFIG = {"storage_compatibility_version": "v1.4.0"}
MODELS = {"m": (1, 2), 'd "x"': (1,)}


def make_models(con: duckdb.DuckDBPyConnection) -> None:
    """Two versions of a model, the first one with PCA and a category, and a density model."""
    con.execute(
        "create table t as select i as id, i % 7 * 1.5 as a, (i * i % 11)::double as b, "
        "'g' || i % 3 as g from range(60) as r (i)"
    )
    segql.fit(con, "t", id="id", name="m", k=3, features=["a", "b", "g"], pca=2)
    segql.fit(con, "t", id="id", name="m", k=4, features=["a", "b"])
    segql.fit(
        con, "t", id="id", name='d "x"', algorithm="dbscan", features=["a", "b"],
        eps=0.5, min_samples=3,
    )  # fmt: skip


def make_version_3(con: duckdb.DuckDBPyConnection) -> None:
    """Turn a registry into what schema version 3 was: other macros, no types, no geometry."""
    macros = con.execute(
        "select function_name, function_type from duckdb_functions() where schema_name = 'segql'"
    ).fetchall()
    for name, kind in macros:
        if kind == "table_macro":
            con.execute(f"drop macro table segql.{quoted(name)}")
    con.execute("drop macro segql.use_the_database_first")
    con.execute("drop type segql.known_models; drop type segql.known_versions")
    con.execute("drop table segql.geometry")
    model = """replace(model, '"', '""')"""
    con.execute(
        "create macro segql.predict(model, relation, version := null) as table "
        f"""select * from query('from segql."' || {model} || '_predict' || """
        "coalesce('_v' || version::varchar, '') || '\"(''' || replace(relation, '''', '''''') "
        "|| ''')')"
    )
    figures = "t.n, t.inertia, t.silhouette"
    selects = {"evaluate": f"select {figures} from segql.models as t"} | {
        name: f"select t.* exclude (model_name, model_version) from segql.{name} as t"
        for name in LONG_TABLES
    }
    for name, select in selects.items():
        con.execute(
            f"create macro segql.{name}(model, version := null) as table "
            f"""select * from query('{select} join segql."' || {model} || '_version"(' || """
            "coalesce(version::varchar, 'null') || ') as v "
            "on t.model_name = v.model_name and t.model_version = v.model_version')"
        )
    for name, versions in MODELS.items():
        con.execute(
            f"create macro segql.{quoted(name + '_version')}(version) as table "
            "select m.model_name, m.model_version from segql.models as m "
            f"where m.model_name = '{name}' and "
            "case when version is null then m.is_current else m.model_version = version end"
        )
        for version in versions:
            [(score,)] = con.execute(
                "select score_sql from segql.models where model_name = ? and model_version = ?",
                [name, version],
            ).fetchall()
            score = score.replace("segql_input", "query_table(relation)")
            for suffix in ("_predict", f"_predict_v{version}"):
                macro = f"segql.{quoted(name + suffix)}(relation)"
                con.execute(f"create or replace macro {macro} as table {score}")
    # A row per level of a category, where there is now one with a list.
    con.execute(
        "create temp table levels as select * exclude (categorical_value, item) "
        "replace (feature || '=' || item.category as feature, item.value as numerical_value) from "
        "(select *, unnest(categorical_value) as item from segql.principal_components); "
        "delete from segql.principal_components where numerical_value is null; "
        "alter table segql.principal_components drop column categorical_value; "
        "insert into segql.principal_components from levels; drop table levels"
    )
    con.execute("alter table segql.registry_info drop column mark")
    con.execute("update segql.registry_info set schema_version = 3")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def macro_names(con: duckdb.DuckDBPyConnection) -> list[str]:
    return [
        row[0]
        for row in con.execute(
            "select function_name from duckdb_functions() where schema_name = 'segql' order by 1"
        ).fetchall()
    ]


def answers(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """What every shared macro says of every version."""
    found = {}
    for name, versions in MODELS.items():
        for version in (None, *versions):
            last = "" if version is None else f", version := {version}"
            calls = [f"{table}('{name}'{last})" for table in LONG_TABLES]
            calls += [f"evaluate('{name}'{last})"]
            calls += [f"{table}('{name}', 't'{last})" for table in ("predict", "evaluate")]
            calls += [f"explain('{name}', 't'{last})"]
            calls += [f"detect_anomalies('{name}', 't', 0.1{last})"]
            for call in calls:
                found[call] = sorted(con.execute(f"from segql.{call}").fetchall(), key=repr)
    # The sums of evaluate are in the order of DuckDB's groups.
    return {
        call: rounded(rows) if call.startswith("evaluate") else rows for call, rows in found.items()
    }


def test_the_recreated_registry_is_that_of_version_3(con: duckdb.DuckDBPyConnection) -> None:
    """Names as the commit before schema version 4 left them, and its answers."""
    make_models(con)
    now = con.execute("from segql.predict('m', 't', version := 1) order by id").fetchall()
    make_version_3(con)
    assert macro_names(con) == sorted(
        ["predict", "evaluate", *LONG_TABLES]
        + ["m_predict", "m_predict_v1", "m_predict_v2", "m_version", "m_segment", "m_segment_key"]
        + [f'd "x"_{suffix}' for suffix in
           ("predict", "predict_v1", "version", "segment", "segment_key")]
    )  # fmt: skip
    old = con.execute("from segql.predict('m', 't', version := 1) order by id").fetchall()
    assert old == now
    assert len(con.execute("from segql.segments('m', version := 1)").fetchall()) == 3
    listed = "select feature from segql.principal_components('m', version := 1) order by all"
    assert [row[0] for row in con.execute(listed).fetchall()] == [
        name for name in ("a", "b", "g=g0", "g=g1", "g=g2") for _ in range(2)
    ]
    assert segql.load(con, "m", version=1).k == 3


CHANGES: dict[str, Callable[[duckdb.DuckDBPyConnection], Any]] = {
    "fit": lambda con: segql.fit(con, "t", id="id", name="new", k=2, features=["a"]),
    "use_version": lambda con: segql.use_version(con, "m", 2),
    "drop": lambda con: segql.drop(con, "new"),
    "from SQL": lambda con: con.execute("select segql_use_version('m', 2)").fetchall(),
}


@pytest.mark.parametrize(
    ("change", "joined"),
    [("fit", False), ("fit", True), ("use_version", False), ("drop", True), ("from SQL", False)],
)
def test_the_next_change_migrates(shop_file: Path, change: str, joined: bool) -> None:
    with duckdb.connect(str(shop_file), config=CONFIG) as con:
        segql.register(con)
        make_models(con)
        expected, wanted = answers(con), macro_names(con)
        types = con.execute("describe segql.principal_components").fetchall()
        if change == "drop":
            segql.fit(con, "t", id="id", name="new", k=2, features=["a"])
        make_version_3(con)
    with duckdb.connect(str(shop_file)) as con:
        segql.register(con)
        if joined:
            before = registry_picture(con)
            con.begin()
            CHANGES[change](con)
            con.rollback()
            assert registry_picture(con) == before
            con.begin()
        CHANGES[change](con)
        if joined:
            con.commit()
        assert con.execute("select schema_version from segql.registry_info").fetchall() == [
            (SCHEMA_VERSION,)
        ]
        assert con.execute("describe segql.principal_components").fetchall() == types
    with duckdb.connect(str(shop_file), read_only=True) as con:
        assert answers(con) == expected
        assert [name for name in macro_names(con) if not name.startswith("new_")] == wanted
        with pytest.raises(duckdb.Error, match=r"model 'm' has no version 3 \(known: 1, 2\)"):
            con.execute("from segql.predict('m', 't', version := 3)")
        with pytest.raises(duckdb.Error, match="unknown model 'nope'"):
            con.execute("from segql.segments('nope')")


def make_version_4(con: duckdb.DuckDBPyConnection) -> None:
    """Turn a registry into what schema version 4 was: nothing of trust."""
    con.execute("drop macro table segql.trust; alter table segql.segments drop column jaccard")
    for column in ("previous_version", "ari_to_previous", "caps"):
        con.execute(f"alter table segql.models drop column {column}")
    con.execute("delete from segql.diagnostics where starts_with(diagnostic, 'bootstrap')")
    con.execute("update segql.registry_info set schema_version = 4")


def test_what_version_4_did_not_measure(con: duckdb.DuckDBPyConnection) -> None:
    make_models(con)
    expected = {
        call: rows for call, rows in answers(con).items() if not call.startswith(("segm", "diag"))
    }
    make_version_4(con)
    before = registry_picture(con)
    old = segql.trust(con, "m", version=1)
    assert set(old["verdict"]) == {"not measured"}
    assert old["is_trusted"].isna().all()
    assert old["reason"][0].endswith("a refit measures it.")
    model = segql.load(con, 'd "x"')
    assert [item.jaccard for item in model.segments] == [None] * len(model.segments)
    assert "eps" in model.diagnostics
    assert registry_picture(con) == before
    segql.fit(con, "t", id="id", name="new", k=2, features=["a"])
    assert {call: rows for call, rows in answers(con).items() if call in expected} == expected
    for version in (1, 2):
        rows = con.execute(f"from segql.trust('m', version := {version})").df()
        assert set(rows["verdict"]) == {"not measured"}
    geometry = "select count(*) from segql.geometry where model_name = 'm' and model_version = 2"
    assert con.execute(geometry).fetchall() == [(4,)]
    segql.fit(con, "t", id="id", name="m", k=4, features=["a", "b"])
    [(measured, previous)] = con.execute(
        "select count(jaccard), max(previous_version) from segql.trust('m')"
    ).fetchall()
    assert (measured, previous) == (4, 2)


def test_reading_migrates_nothing(con: duckdb.DuckDBPyConnection) -> None:
    make_models(con)
    make_version_3(con)
    before = registry_picture(con)
    assert [segql.load(con, "m", version=version).k for version in (1, 2)] == [3, 4]
    assert len(segql.predict(con, "m", "t").fetchall()) == 60
    assert segql.evaluate(con, "m", "t", version=1)["n"] == 60
    assert len(segql.models(con)) == 3
    assert registry_picture(con) == before


def test_a_version_that_an_older_segql_has_not_published(con: duckdb.DuckDBPyConnection) -> None:
    """It has no macros to bring up, and goes with the next fit of its name."""
    make_models(con)
    segql.fit(con, "t", id="id", name="m", k=2, features=["a"], publish=False)
    make_version_3(con)
    expected = "select count(*) from segql.models where not is_published"
    assert segql.fit(con, "t", id="id", name="new", k=2, features=["a"]).version == 1
    assert con.execute(expected).fetchall() == [(1,)]
    assert not [name for name in macro_names(con) if name.endswith("_v3")]
    assert segql.fit(con, "t", id="id", name="m", k=2, features=["a"]).version == 3
    assert con.execute(expected).fetchall() == [(0,)]


def test_an_old_registry_is_published_in_todays_form(tmp_path: Path) -> None:
    """From a file that is open read-only, which stays as it was."""
    path = tmp_path / "old.duckdb"
    with duckdb.connect(str(path), config=CONFIG) as con:
        make_models(con)
        con.execute("create schema marts; create table marts.t as "
                    "select id as customer_id, a, b, g from t")  # fmt: skip
        queries = [f"from segql.trust('m', version := {number}) order by all" for number in (1, 2)]
        expected = [con.execute(query).fetchall() for query in queries]
        scored = {name: labels(con, name) for name in MODELS}
        make_version_3(con)
    before = path.read_bytes()
    with duckdb.connect(str(path), read_only=True) as con:
        segql.publish(con, tmp_path / "serve.duckdb")
    assert path.read_bytes() == before
    with duckdb.connect(str(tmp_path / "serve.duckdb"), read_only=True) as con:
        assert [con.execute(query).fetchall() for query in queries] == expected
        con.execute("create temp table t as select customer_id as id, a, b, g from marts.t")
        assert {name: labels(con, name) for name in MODELS} == scored
        assert con.execute("select schema_version from segql.registry_info").fetchall() == [
            (SCHEMA_VERSION,)
        ]


def labels(con: duckdb.DuckDBPyConnection, name: str) -> list[Any]:
    macro = "'" + name.replace("'", "''") + "'"
    return con.execute(
        f"select id, segment_id, segment_key from segql.predict({macro}, 't') order by id"
    ).fetchall()
