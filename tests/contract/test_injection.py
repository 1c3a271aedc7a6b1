"""Text that tries to be SQL: through every door it is a name, or an error, and nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import registry_picture, scratch_objects
from typer.testing import CliRunner

import segql
from segql.cli import app
from segql.functions.shared_macros import TABLE_MACROS

ATTACKS = [
    "'); drop table t; --",
    '"; drop table t; --',
    "t; drop table t",
    "t where 1 = 1; drop table t; --",
    "'''); delete from segql.models; --",
    "x' || (select count(*) from t) || '",
    "' or '1' = '1",
    '"") ; drop table t; --',
    "m_scored\"('t'); drop table t; --",
    "1; drop table t",
    "1) or true --",
    "null) union all select * from t --",
    "\\'; drop table t; --",
    "’; drop table t; --",
    "{{ drop('t') }}",
    "$$; drop table t; $$",
    "/*", "*/ drop table t /*",
    "%(x)s", "a\nb; drop table t;",
    "t) as x, (delete from t",
    "pragma drop_table('t')",
    "copy t to '/tmp/leak'",
    "\x00",
]  # fmt: skip


@pytest.fixture
def shop(shop_file: Path) -> Any:
    """Fit a model in a file."""
    with duckdb.connect(str(shop_file)) as con:
        con.execute("create table t as select i as id, i % 7 * 1.5 as a, i % 2 as b "
                    "from range(80) as r (i)")  # fmt: skip
        con.execute("create table precious as select 1 as x")
        segql.fit(con, "t", id="id", name="m", k=2, features=["a", "b"])
        segql.register(con)
        yield con


def picture(con: duckdb.DuckDBPyConnection) -> Any:
    tables = con.execute("select schema_name, table_name from duckdb_tables() order by all")
    # A checkpoint prints a macro's numbers in another way.
    known = registry_picture(con)
    known["macros"] = [row[0] for row in known["macros"]]
    return known, tables.fetchall(), con.execute("from t order by id").fetchall()


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def drop_others(con: duckdb.DuckDBPyConnection) -> None:
    """Drop what was stored under a name that is an attack."""
    for name in segql.models(con)["model_name"].unique():
        if name != "m":
            segql.drop(con, name)


def said(call: Callable[[], object]) -> str:
    """Run what may fail with a clear error only."""
    try:
        call()
    except (segql.SegqlError, duckdb.Error) as error:
        return str(error)
    return "nothing"


def fetch(con: duckdb.DuckDBPyConnection, statement: str) -> object:
    return con.execute(statement).fetchall()


def check_harmless(con: duckdb.DuckDBPyConnection, calls: list[Callable[[], object]]) -> None:
    before = picture(con)
    for call in calls:
        text = said(call)
        assert text.strip()
        assert "Traceback" not in text
        assert "INTERNAL" not in text
    drop_others(con)
    assert picture(con) == before
    assert scratch_objects(con) == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_python(shop: duckdb.DuckDBPyConnection, attack: str) -> None:
    fits: list[dict[str, Any]] = [
        {"relation": attack}, {"id": attack}, {"name": attack}, {"features": [attack]},
        {"features": {"a": {attack: 1}}}, {"features": {"a": {"impute": attack}}},
        {"features": attack}, {"algorithm": attack}, {"k": attack}, {"pca": attack},
        {"seed": attack}, {"eps": attack, "algorithm": "dbscan"},
        {"linkage": attack, "algorithm": "hierarchical"},
    ]  # fmt: skip
    given: dict[str, Any] = {"relation": "t", "id": "id", "k": 2, "features": ["a", "b"]}
    calls: list[Callable[[], object]] = [
        *(partial(segql.fit, shop, **given | options) for options in fits),
        lambda: segql.predict(shop, attack, "t").fetchall(),
        lambda: segql.predict(shop, "m", attack).fetchall(),
        lambda: segql.predict(shop, "m", "t", version=attack).fetchall(),
        lambda: segql.evaluate(shop, "m", attack),
        lambda: segql.evaluate(shop, attack),
        lambda: segql.load(shop, attack),
        lambda: segql.load(shop, "m", version=attack),
        lambda: segql.drop(shop, attack),
        lambda: segql.drop(shop, "m", attack),
        lambda: segql.use_version(shop, attack, 1),
        lambda: segql.use_version(shop, "m", attack),
        lambda: segql.forget(shop, attack),
        lambda: segql.forget(shop, "x", id_columns=[attack], schemas=[attack]),
        lambda: segql.load(shop, "m").sql(dialect=attack),
        lambda: segql.load(shop, "m").sql(form=attack),
        lambda: segql.load(shop, "m").sql(relation=attack),
    ]
    check_harmless(shop, calls)


@pytest.mark.parametrize("attack", ATTACKS)
def test_session_functions(shop: duckdb.DuckDBPyConnection, attack: str) -> None:
    text = literal(attack)
    calls = (
        f"segql_fit({text}, 't', {{id: 'id', k: 2}})",
        f"segql_fit('x', {text}, {{id: 'id', k: 2}})",
        f"segql_fit('x', 't', {{id: {text}, k: 2}})",
        f"segql_fit('x', 't', {{id: 'id', k: {text}}})",
        f"segql_fit('x', 't', {{id: 'id', features: [{text}]}})",
        f"segql_fit('x', 't', {{id: 'id', features: {text}}})",
        f"segql_fit('x', 't', {{id: 'id', algorithm: {text}}})",
        f"segql_fit('x', 't', {text})",
        f"segql_drop({text})",
        f"segql_drop('m', {text})",
        f"segql_use_version({text}, 1)",
        f"segql_use_version('m', {text})",
        f"segql_kmeans([[1.0], [2.0]], {text})",
        f"segql_hierarchical([[1.0], [2.0]], 1, {{linkage: {text}}})",
        f"segql_silhouette([[1.0], [2.0]], [1, 2], {{metric: {text}}})",
        f"segql_dbscan([[1.0], [2.0]], {text}, 2)",
        f"segql_onehot([{text}, 'x'])",
    )
    check_harmless(shop, [partial(fetch, shop, f"select {call}") for call in calls])


@pytest.mark.parametrize("attack", ATTACKS)
def test_macros(shop: duckdb.DuckDBPyConnection, attack: str) -> None:
    """On the file and without Python, as a BI tool would that lets people type a name."""
    text = literal(attack)
    before = picture(shop)
    for macro in TABLE_MACROS:
        takes = [item for item in macro.parameters if ":=" not in item]
        fine = {"model": "'m'", "relation": "'t'", "contamination": "0.1"}
        for at in takes:
            arguments = ", ".join(text if item == at else fine[item] for item in takes)
            statement = f"select count(*) from segql.{macro.name}({arguments})"
            with pytest.raises(duckdb.Error):
                shop.execute(statement).fetchall()
        arguments = ", ".join(fine[item] for item in takes)
        statement = f"select count(*) from segql.{macro.name}({arguments}, version := {text})"
        with pytest.raises(duckdb.Error, match="has no version"):
            shop.execute(statement).fetchall()
    with pytest.raises(duckdb.Error):
        shop.execute(f"from segql.evaluate('m', {text})").fetchall()
    shop.execute(f"select segql.m_segment(a := try_cast({text} as double))").fetchall()
    assert picture(shop) == before


@pytest.mark.parametrize("attack", [item for item in ATTACKS if "\x00" not in item])
def test_command_line(shop: duckdb.DuckDBPyConnection, shop_file: Path, attack: str) -> None:
    before = picture(shop)
    shop.close()
    for command in (
        ["fit", "x", attack, "--id", "id"],
        ["fit", "x", "t", "--id", attack],
        ["fit", "x", "t", "--id", "id", "--features", attack],
        ["fit", "x", "t", "--id", "id", "--k", attack],
        ["predict", "--", attack, "t"],
        ["predict", "--", "m", attack],
        ["evaluate", "--", "m", attack],
        ["evaluate", "--", attack],
        ["models", "--", attack],
        ["export", "m", "--dialect", attack],
        ["drop", "--yes", "--", attack],
        ["use-version", "--", attack, "1"],
        ["forget", "--yes", "--", attack],
    ):
        done = CliRunner().invoke(app, [command[0], "--database", str(shop_file), *command[1:]])
        assert done.exit_code in (0, 1, 2), done.output
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    with duckdb.connect(str(shop_file)) as con:
        drop_others(con)
        assert picture(con) == before
