"""The segql command: each command does what Python does, as text and as JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import load_frame, rounded, shop_frame
from typer.testing import CliRunner

import segql
from segql.cli import app

CONFIG = {"storage_compatibility_version": "v1.4.0"}
COMMANDS = ["fit", "predict", "evaluate", "models", "use-version", "export", "export-audience",
            "drop", "forget", "shell", "backtest", "publish", "report", "fit-dbt"]  # fmt: skip
K3 = ["--id", "customer_id", "--k", "3", "--features", "recency,monetary, frequency"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A warehouse, in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGQL_DATABASE", raising=False)
    with duckdb.connect("warehouse.duckdb", config=CONFIG) as con:
        load_frame(con, "t", shop_frame(200))
        con.execute('create schema "my s"; create view new_customers as from t limit 30')
    return tmp_path / "warehouse.duckdb"


@pytest.fixture
def model(shop: Path) -> segql.Model:
    """Two versions of a model, the second one current."""
    with duckdb.connect(str(shop)) as con:
        for k in (2, 3):
            stored = segql.fit(
                con, "t", id="customer_id", name="m", k=k,
                features=["recency", "monetary", "frequency"],
            )  # fmt: skip
    return stored


def run(*arguments: str, code: int = 0, typed: str | None = None) -> str:
    """Run a command that ends with a code; what it printed. Errors are printed elsewhere."""
    result = CliRunner().invoke(app, list(arguments), input=typed)
    assert result.exit_code == code, (result.output, result.exception)
    if code == 0:
        assert result.stderr == "" or typed is not None
    return result.stdout


def rows(query: str, database: str = "warehouse.duckdb") -> list[tuple[Any, ...]]:
    with duckdb.connect(database, read_only=True) as con:
        return con.execute(query).fetchall()


def parsed(*arguments: str) -> Any:
    """The one JSON value that a command prints."""
    text = run(*arguments, "--json")
    assert text.count("\n") == 1
    return json.loads(text, parse_constant=pytest.fail)


# -- help --------------------------------------------------------------------------------------


def test_help_lists_every_command() -> None:
    text = run("--help")
    listed = re.findall(r"^  ([a-z-]+)  +\S", text.split("Commands:")[1], re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    assert "segql fit" not in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_examples(command: str) -> None:
    text = run(command, "--help")
    assert re.search(rf"^ +(\S.*\| )?segql {command}\b", text.split("Example")[1], re.MULTILINE)


def test_without_a_command_there_is_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "segql.cli"], capture_output=True, text=True, check=False
    )
    assert "Commands:" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def examples() -> list[str]:
    """Every example of every help page; the others need a shop of tests/dbt or tests/spark."""
    lines = []
    for command in [name for name in COMMANDS if name not in ("backtest", "report", "fit-dbt")]:
        text = run(command, "--help").split("Example")[1].split("Options:")[0]
        lines += [line.strip() for line in text.splitlines() if "segql " in line]
    return lines


SHOP_OF_THE_HELP = """
create schema features; create schema crm; create schema marts;
create table features.customer_features as from shop;
create table customers as select customer_id as id, monetary as spend, recency, frequency from shop;
create table t as select customer_id as id, monetary as spend, recency from shop limit 150;
create table new_customers as from shop limit 20;
create table crm.clients as from shop limit 30;
create table marts.customer_segments as select 'C' || lpad(n::varchar, 8, '0') as customer_id,
    'S' || 1 + n % 2 as segment_key, ['Recent big spenders', 'Others'][1 + n % 2] as segment_name,
    from range(300) as numbers (n);
create table marts.rfm_segments as select customer_id, 'Lost' as rfm_segment, 7 as monetary,
    'f' as gender, 'A1' as postcode from marts.customer_segments;
"""


def test_examples_run(tmp_path: Path) -> None:
    """As they are printed, in a shell, one after another."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), config=CONFIG) as con:
        load_frame(con, "shop", shop_frame(300))
        con.execute(SHOP_OF_THE_HELP)
        for k in (2, 3, 4):
            segql.fit(con, "customers", id="id", name="old", k=k, features=["spend", "recency"])
    command = tmp_path / "segql"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m segql.cli "$@"\n')
    command.chmod(0o755)
    found = examples()
    assert len(found) >= 25
    for line in found:
        # A model of three versions for what speaks of the first and the third.
        text = re.sub(r"(use-version|drop) customers", r"\1 old", line)
        typed = "y\n" if " drop " in line else "select 1;"
        done = subprocess.run(
            ["sh", "-c", f"PATH=.:$PATH; {text}"], cwd=tmp_path,
            capture_output=True, text=True, check=False, input=typed,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert done.stdout or ">" in line or "shell" in line, line
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as con:
        names = set(segql.models(con)["model_name"])
        assert {"customers", "vip", "trees", "mine", "m"} <= names
        assert "old" not in names
        assert con.execute("select customer_id from marts.customer_segments where customer_id in "
                           "('C00000041', 'C00000042')").fetchall() == [("C00000041",)]  # fmt: skip
        assert con.execute("select count(*) from marts.scored").fetchall() == [(30,)]
    assert (tmp_path / "scored.parquet").exists()
    assert rows("select distinct postcode from marts.rfm_segments",
                str(tmp_path / "serve.duckdb")) == [("A1",)]  # fmt: skip
    assert "SELECT" in (tmp_path / "score.sql").read_text()


# -- commands ----------------------------------------------------------------------------------


def test_fit(shop: Path) -> None:
    told = parsed("fit", "m", "t", *K3)
    with duckdb.connect(str(shop)) as con:
        stored = segql.load(con, "m")
        same = segql.fit(
            con, "t", id="customer_id", k=3, features=["recency", "monetary", "frequency"]
        )
    assert stored.state() == same.state()
    assert told == {
        "model_name": "m", "model_version": 1, "is_new": True, "algorithm": "kmeans", "k": 3,
        "reason": stored.reason, "metrics": stored.metrics,
        "segments": [vars(segment) for segment in stored.segments],
    }  # fmt: skip
    assert parsed("fit", "m", "t", *K3) == told | {"is_new": False}
    assert parsed("fit", "m", "t", *K3, "--refit")["model_version"] == 2
    text = run("fit", "m", "t", *K3)
    assert text.startswith("'m' version 2 was learned from these rows with these options and stays")
    text = run("fit", "m", "t", "--id", "customer_id", "--k", "2")
    assert text.startswith("segql: features of m\n  + recency")
    assert "'m' version 3 is now the current one: k = 2 was asked for\n  S" in text
    assert rows("select distinct requested_by from segql.models") == [("command line",)]


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (["--k", "2-4", "--seed", "7"], {"k": (2, 4), "seed": 7}),
        (["--pca", "0.9"], {"pca": 0.9}),
        (["--pca", "2", "--k", "3"], {"pca": 2, "k": 3}),
        (["--k", "height=20.5", "--algorithm", "hierarchical", "--linkage", "average"],
         {"k": {"height": 20.5}, "algorithm": "hierarchical", "linkage": "average"}),
        (["--algorithm", "dbscan", "--eps", "0.7", "--min-samples", "5"],
         {"algorithm": "dbscan", "eps": 0.7, "min_samples": 5}),
        (["--features", '{"monetary": {"transform": "log1p"}}', "--k", "2"],
         {"features": {"monetary": {"transform": "log1p"}}, "k": 2}),
        (["--features", '["monetary"]', "--k", "2"], {"features": ["monetary"], "k": 2}),
    ],
)  # fmt: skip
def test_options_of_fit(shop: Path, options: list[str], arguments: dict[str, Any]) -> None:
    told = parsed("fit", "m", "from t where true", "--id", "customer_id", *options)
    with duckdb.connect(str(shop)) as con:
        same = segql.fit(con, "t", id="customer_id", **arguments)
    assert told["metrics"] == same.metrics
    assert told["k"] == same.k


def test_predict(model: segql.Model) -> None:
    expected = rows("from segql.predict('m', 'new_customers')")
    lines = run("predict", "m", "new_customers", "--json").splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == expected
    older = run("predict", "m", "new_customers", "--version", "1", "--json").splitlines()
    assert {json.loads(line)["segment_id"] for line in older} == {1, 2}
    text = run("predict", "m", "select * from new_customers limit 3")
    for name, _ in rows("select column_name, 1 from (describe t)"):
        assert name in text
    assert "segment_key" in text
    for kind in ("csv", "parquet", "JSON"):
        Path(f"o'ut.{kind}").write_text("old")
        told = run("predict", "m", "new_customers", "--to", f"o'ut.{kind}")
        assert told == f"o'ut.{kind}: 30 rows\n"
        found = duckdb.sql(f"from read_{kind.lower()}{'_auto' * (kind == 'JSON')}('o''ut.{kind}')")
        assert rounded(found.fetchall()) == rounded([list(row) for row in expected])
    assert not [item for item in Path().iterdir() if item.name.startswith(".")]
    assert parsed("predict", "m", "t", "--to", "a.csv") == {"to": "a.csv", "rows": 200}


@pytest.mark.parametrize(
    ("table", "quoted"),
    [
        ("scored", "scored"),
        ("main.scored", "main.scored"),
        ('"my s"."T x"', '"my s"."T x"'),
        ("the scored", '"the scored"'),
        ('a"b', '"a""b"'),
        ("f (x)", '"f (x)"'),
        ("warehouse.main.Scored", "scored"),
        ("select", '"select"'),
        ("t", "t"),
    ],
)
def test_predict_to_a_table(model: segql.Model, table: str, quoted: str) -> None:
    assert run("predict", "m", "t", "--table", table) == f"{table}: 200 rows\n"
    told = parsed("predict", "m", "new_customers", "--table", table)
    assert told == {"table": table, "rows": 30}
    found = f"select count(*), count(segment_key), count(customer_id) from {quoted}"
    assert rows(found) == [(30, 30, 30)]


def test_evaluate(model: segql.Model) -> None:
    assert parsed("evaluate", "m") == model.metrics
    with duckdb.connect("warehouse.duckdb", read_only=True) as con:
        measured = segql.evaluate(con, "m", "new_customers", version=1)
    assert parsed("evaluate", "m", "new_customers", "--version", "1") == pytest.approx(measured)
    text = run("evaluate", "m")
    assert re.findall(r"^(\w+) +\S+$", text, re.MULTILINE) == list(model.metrics)


def test_models(model: segql.Model) -> None:
    run("fit", "other", "t", *K3)
    told = [json.loads(line) for line in run("models", "--json").splitlines()]
    with duckdb.connect("warehouse.duckdb", read_only=True) as con:
        frame = segql.models(con)
    assert [list(row) for row in told] == [list(frame.columns)] * 3
    for name in ("model_name", "model_version", "is_current", "k", "n", "silhouette", "reason"):
        assert [row[name] for row in told] == frame[name].tolist()
    assert [json.loads(line)["model_version"] for line in
            run("models", "m", "--json").splitlines()] == [2, 1]  # fmt: skip
    text = run("models")
    for word in ("model_name", "is_current", "silhouette", " k ", "other"):
        assert word in text


def test_models_of_a_database_without_any(shop: Path) -> None:
    assert run("models", "--json") == ""
    assert "0 rows" in run("models")


def test_use_version_and_drop(model: segql.Model) -> None:
    assert run("use-version", "m", "1") == "'m' version 1 is now the current one\n"
    assert rows("select model_version from segql.models where is_current") == [(1,)]
    assert parsed("use-version", "m", "2") == {"model_name": "m", "model_version": 2}
    text = run("drop", "m", "--version", "1", "--yes")
    assert text == "'m': dropped version 1\n"
    assert parsed("drop", "m", "-y") == {"model_name": "m", "model_versions": [2]}
    assert run("models", "--json") == ""


def test_export(model: segql.Model) -> None:
    assert run("export", "m") == model.sql() + "\n"
    told = parsed("export", "m", "--dialect", "snowflake", "--form", "expression")
    assert told == {
        "model_name": "m", "dialect": "snowflake", "form": "expression",
        "sql": model.sql(dialect="snowflake", form="expression"),
    }  # fmt: skip
    assert run("export", "m", "--version", "1") != model.sql() + "\n"


def test_the_database_is_named_three_ways(
    model: segql.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = str(tmp_path / "warehouse.duckdb")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    run("models", code=1)
    expected = run("models", "-d", named, "--json")
    assert run("models", "--database", named, "--json") == expected
    monkeypatch.setenv("SEGQL_DATABASE", named)
    assert run("models", "--json") == expected
    run("models", "-d", "nowhere.duckdb", code=1)
