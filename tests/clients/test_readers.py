"""Clients without Python read the file: the DuckDB command line, another process, ATTACH."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from macro_calls import calls, digest
from support import labels_of, load_frame, predictions, shop_frame

import segql
from segql.functions.shared_macros import LONG_TABLES, TABLE_MACROS, TableMacro

Ask = Callable[..., list[dict[str, Any]]]
#: Models of the other algorithms, with features that fit them.
NUMBERS = ["recency", "frequency", "monetary"]
OTHERS: dict[str, dict[str, Any]] = {
    "tree": {"algorithm": "hierarchical", "k": 4},
    "dense": {"algorithm": "dbscan", "features": NUMBERS},
    "wide": {"algorithm": "dbscan"},
    "densest": {"algorithm": "hdbscan", "features": NUMBERS, "min_samples": 5},
}
#: Long tables that only some algorithms fill.
PARTICULAR = {"dendrogram": "tree", "k_distances": "dense"}
CALLS = calls(list(LONG_TABLES))
OPEN_STORAGE = {"storage_compatibility_version": "v1.4.0"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Fit two versions of a model with PCA, and one with an awkward name; note the answers."""
    path = tmp_path_factory.mktemp("clients") / "shop.duckdb"
    answers: dict[str, Any] = {}
    with duckdb.connect(str(path), config=OPEN_STORAGE) as con:
        load_frame(con, "customer_features", shop_frame())
        con.execute("create schema marts; create view marts.\"New Customers\" as "
                    "from customer_features where recency > 30")  # fmt: skip
        segql.fit(con, "customer_features", id="customer_id", name="customers", k=3)
        segql.fit(con, "customer_features", id="customer_id", name="customers", k=(2, 5), pca=3)
        segql.fit(con, "customer_features", id="customer_id", name='it\'s "B"', k=2)
        for name, options in OTHERS.items():
            segql.fit(con, "customer_features", id="customer_id", name=name, **options)
            scored = segql.predict(con, name, "customer_features")
            answers[name, None] = labels_of(predictions(scored, "customer_id"))
        for name, version in (("customers", None), ("customers", 1), ('it\'s "B"', None)):
            scored = predictions(
                segql.predict(con, name, "customer_features", version=version), "customer_id"
            )
            answers[name, version] = labels_of(scored)
        answers["metrics"] = segql.load(con, "customers").metrics
        answers["k"] = segql.load(con, "customers").k
    return path, answers


@pytest.fixture(scope="module")
def ask(shop: tuple[Path, dict[str, Any]], cli: str) -> Ask:
    """Run SQL in the command line on the file opened read-only."""

    def run(statement: str, *, fails: bool = False) -> Any:
        done = subprocess.run(
            [cli, "-readonly", "-json", str(shop[0]), statement],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if fails:
            assert done.returncode != 0
            return done.stderr
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "[]")

    return run


@pytest.fixture(scope="module")
def expected(shop: tuple[Path, dict[str, Any]]) -> dict[str, tuple[int, str]]:
    """What this process reads."""
    with duckdb.connect(str(shop[0]), read_only=True) as con:
        found = {call: con.execute(digest(text)).fetchall()[0] for call, text in CALLS.items()}
    assert found["predict customers"][0] == len(shop_frame())
    return found


def test_the_command_line_is_a_1x_client(ask: Ask) -> None:
    assert ask("select version() as v")[0]["v"].startswith("v1.")


def test_no_udf_is_there(ask: Ask) -> None:
    found = ask("select function_name from duckdb_functions() where function_name like 'segql%'")
    assert found == []
    kinds = ask("select distinct function_type as t from duckdb_functions() "
                "where schema_name = 'segql'")  # fmt: skip
    assert {row["t"] for row in kinds} == {"macro", "table_macro"}
    with_python = ask("select segql_kmeans([[1.0]], 1)", fails=True)
    assert "segql_kmeans" in with_python


@pytest.mark.parametrize("version", [None, 1])
def test_predict_and_scalar_macros(
    ask: Ask, shop: tuple[Path, dict[str, Any]], version: int | None
) -> None:
    argument = "" if version is None else f", version := {version}"
    rows = ask(
        f"from segql.predict('customers', 'customer_features'{argument}) order by customer_id"
    )
    assert [row["segment_id"] for row in rows] == shop[1]["customers", version]
    assert list(rows[0])[-5:] == [
        "segment_id", "segment_key", "distance", "next_segment_id", "confidence"
    ]  # fmt: skip
    if version is None:
        macro = ask(
            "select segql.customers_segment(recency, frequency, monetary, channel, newsletter) "
            "as s, segql.customers_segment_key(channel := channel, recency := recency, "
            "monetary := monetary, newsletter := newsletter, frequency := frequency) as k "
            "from customer_features order by customer_id"
        )
        assert [row["s"] for row in macro] == [row["segment_id"] for row in rows]
        assert [row["k"] for row in macro] == [row["segment_key"] for row in rows]
        counted = ask("select count(*) as n from segql.predict('customers', 'customer_features')")
        assert counted == [{"n": len(rows)}]


def test_arguments_default_to_null(ask: Ask) -> None:
    nothing, nulls = ask(
        "select segql.customers_segment() as a union all by name "
        "select segql.customers_segment(null, null, null, null, null) as a"
    )
    assert nothing == nulls
    assert nothing["a"] in range(1, 6)


def test_relations_of_other_schemas_and_odd_names(ask: Ask) -> None:
    rows = ask("""from segql.predict('customers', 'marts."New Customers"') limit 3""")
    assert len(rows) == 3


def test_a_model_with_quotes_in_its_name(ask: Ask, shop: tuple[Path, dict[str, Any]]) -> None:
    rows = ask("from segql.predict('it''s \"B\"', 'customer_features') order by customer_id")
    assert [row["segment_id"] for row in rows] == shop[1]['it\'s "B"', None]
    assert len(ask("from segql.segments('it''s \"B\"')")) == 2


@pytest.mark.parametrize("name", list(OTHERS))
def test_other_algorithms_score_without_python(
    ask: Ask, shop: tuple[Path, dict[str, Any]], name: str
) -> None:
    rows = ask(f"from segql.predict('{name}', 'customer_features') order by customer_id")
    assert [row["segment_id"] for row in rows] == shop[1][name, None]
    used = ask(f"from segql.feature_info('{name}') where used order by position")
    arguments = ", ".join(f'"{row["input"]}" := "{row["input"]}"' for row in used)
    scalar = ask(
        f"select segql.{name}_segment({arguments}) as s, "
        f"segql.{name}_segment_key({arguments}) as k from customer_features order by customer_id"
    )
    assert [row["s"] for row in scalar] == [row["segment_id"] for row in rows]
    assert [row["k"] for row in scalar] == [row["segment_key"] for row in rows]
    assert len({row["segment_key"] for row in rows}) > 1


def test_evaluate_gives_the_stored_figures(ask: Ask, shop: tuple[Path, dict[str, Any]]) -> None:
    [figures] = ask("from segql.evaluate('customers')")
    assert figures == pytest.approx(shop[1]["metrics"], rel=1e-12)
    assert ask("from segql.evaluate('customers', version := 1)") != [figures]


@pytest.mark.parametrize("table", LONG_TABLES)
def test_long_tables(ask: Ask, shop: tuple[Path, dict[str, Any]], table: str) -> None:
    if table in PARTICULAR:
        assert ask(f"from segql.{table}('customers')") == []
        assert len(ask(f"from segql.{table}('{PARTICULAR[table]}')")) > 3
        return
    current = ask(f"from segql.{table}('customers')")
    stored = ask(
        f"select * exclude (model_name, model_version) from segql.{table} "
        "where model_name = 'customers' and model_version = 2"
    )
    assert sorted(map(str, current)) == sorted(map(str, stored))
    assert current
    first = ask(f"from segql.{table}('customers', version := 1)")
    assert bool(first) == (not table.startswith("principal"))
    k = shop[1]["k"]
    expected = {
        "segments": k,
        "trials": 4,
        "feature_info": 5,
        "principal_component_info": 3,
        "diagnostics": 2,
    }
    if table in expected:
        assert len(current) == expected[table]


@pytest.mark.parametrize("call", CALLS)
def test_every_macro_from_the_command_line(
    ask: Ask, expected: dict[str, tuple[int, str]], call: str
) -> None:
    [found] = ask(digest(CALLS[call]))
    assert (found["n"], found["h"]) == expected[call]


def test_every_macro_is_called() -> None:
    called = {call.split()[0] for call in CALLS}
    assert called >= {macro.name for macro in TABLE_MACROS} | {"segment", "segment_key"}


@pytest.mark.parametrize(
    "query",
    [
        "from segql.{0}('customer'{1})",
        "select count(*) from segql.{0}('customer'{1})",
        "explain select count(*) from segql.{0}('customer'{1})",
        "select count(*) from segql.{0}('customers'{1}, version := 9)",
        "select count(*) from segql.{0}(null{1})",
    ],
)
@pytest.mark.parametrize("macro", TABLE_MACROS, ids=lambda macro: macro.name)
def test_an_unknown_model_fails_when_bound_and_the_known_ones_are_named(
    ask: Ask, query: str, macro: TableMacro
) -> None:
    arguments = ", 'customer_features'" if "relation" in macro.parameters else ""
    arguments += ", 0.1" if "contamination" in macro.parameters else ""
    said = ask(query.format(macro.name, arguments), fails=True)
    if "version" in query:
        assert "model 'customers' has no version 9 (known: 1, 2)" in said
    else:
        name = "NULL" if "null" in query else "'customer'"
        known = """customers, dense, densest, it's "B", tree, wide"""
        assert f"unknown model {name} (known: {known})" in said


def test_another_process_reads(
    shop: tuple[Path, dict[str, Any]], expected: dict[str, tuple[int, str]]
) -> None:
    """A Python of its own without segql on the connection, the file read-only."""
    code = (
        "import duckdb, sys, json\n"
        f"con = duckdb.connect({str(shop[0])!r}, read_only=True)\n"
        "found = [con.sql(text).fetchall()[0] for text in json.load(sys.stdin)]\n"
        "assert 'segql' not in sys.modules\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps([digest(text) for text in CALLS.values()]),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = [tuple(row) for row in json.loads(done.stdout)]
    assert dict(zip(CALLS, found, strict=True)) == expected


@pytest.mark.parametrize("use", ["use other.main", "use other"])
def test_through_attach(
    shop: tuple[Path, dict[str, Any]], expected: dict[str, tuple[int, str]], use: str
) -> None:
    with duckdb.connect() as con:
        con.execute(f"attach '{shop[0]}' as other (read_only)")
        con.execute(use)
        for call, statement in CALLS.items():
            assert con.execute(digest(statement)).fetchall() == [expected[call]], call
        with pytest.raises(duckdb.Error, match="known: customers, dense"):
            con.execute("select count(*) from segql.predict('nope', 'customer_features')")
        assert con.execute("select segql.customers_segment()").fetchall()[0][0] in range(1, 6)
        python = predictions(segql.predict(con, "customers", "customer_features"), "customer_id")
        assert labels_of(python) == shop[1]["customers", None]


def test_scalar_macros_through_attach_without_use(shop: tuple[Path, dict[str, Any]]) -> None:
    """One expression each: nothing inside them depends on the current database."""
    with duckdb.connect() as con:
        con.execute(f"attach '{shop[0]}' as other (read_only)")
        found = con.execute(
            "select other.segql.customers_segment(recency, frequency, monetary, channel, "
            "newsletter) from other.main.customer_features order by customer_id"
        ).fetchall()
        assert [row[0] for row in found] == shop[1]["customers", None]


def test_inlined_query_answers_without_the_registry(
    shop: tuple[Path, dict[str, Any]],
) -> None:
    """score_sql, which dbt inlines, over any relation called segql_input."""
    with duckdb.connect(str(shop[0]), read_only=True) as con:
        [text] = con.execute(
            "select score_sql from segql.models where model_name = 'customers' and is_current"
        ).fetchone()
    with duckdb.connect() as con:
        load_frame(con, "segql_input", shop_frame())
        rows = con.sql(text).df().sort_values("customer_id")
        assert labels_of(rows) == shop[1]["customers", None]


def test_a_file_of_the_command_lines_own_default(cli: str, tmp_path: Path) -> None:
    """DuckDB 1.x writes an older storage version than the one that this project recommends."""
    path = tmp_path / "own.duckdb"
    create = (
        "create table t as select i as id, i % 7 as a, i % 3 = 0 as b, 'x' || (i % 4) as c "
        "from range(200) as r (i)"
    )
    subprocess.run([cli, str(path), create], check=True, timeout=60)
    with duckdb.connect(str(path)) as con:
        segql.fit(con, "t", id="id", name="m", k=3, features=["a", "b", "c"])
        expected = labels_of(predictions(segql.predict(con, "m", "t")))
    done = subprocess.run(
        [cli, "-readonly", "-json", str(path),
         "select segql.m_segment(a, b, c) as s from t order by id"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert [row["s"] for row in json.loads(done.stdout)] == expected
