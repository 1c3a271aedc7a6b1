"""Databases that earlier versions wrote: today's code reads, changes and publishes them."""

from __future__ import annotations

import hashlib
import json
import lzma
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from make_databases import COMMITS, LARGEST, database_file
from support import registry_picture, rounded
from typer.testing import CliRunner

import segql
from segql.cli import app
from segql.functions.shared_macros import LONG_TABLES, SCHEMA_VERSION

Rows = list[dict[str, Any]]
Ask = Callable[..., Rows]
#: Schema versions since which there are several algorithms, and the loadings of a category's
#: levels are a list.
ALGORITHMS, LEVELS_IN_A_LIST = 3, 4
VERSIONS = sorted(COMMITS)
LABELS = "customer_id, segment_id, segment_key, distance, next_segment_id, confidence"


@pytest.fixture(params=VERSIONS, ids=lambda number: f"schema {number}")
def schema(request: pytest.FixtureRequest) -> int:
    """Schema version of the registry in the database."""
    return int(request.param)


@pytest.fixture
def old(schema: int, tmp_path: Path) -> Path:
    """A database that the code of that time has written."""
    path = tmp_path / "old.duckdb"
    path.write_bytes(lzma.decompress(database_file(schema).read_bytes()))
    return path


@pytest.fixture
def ask(cli: str) -> Ask:
    """Ask a DuckDB command line, which has no Python."""

    def run(path: Path, statement: str) -> Rows:
        done = subprocess.run(
            [cli, "-readonly", "-json", str(path), statement],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{statement}: {done.stderr}"
        return json.loads(done.stdout or "[]")  # type: ignore[no-any-return]

    return run


def models_of(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """Models and versions that the old code has fitted."""
    return con.execute("select distinct model, version from labels order by all").fetchall()


def stored_labels(con: duckdb.DuckDBPyConnection, name: str, version: int) -> list[Any]:
    """What the old code predicted."""
    return rounded(
        con.execute(
            f"select {LABELS} from labels where model = ? and version = ? order by 1",
            [name, version],
        ).fetchall()
    )  # type: ignore[no-any-return]


def labels(relation: duckdb.DuckDBPyRelation) -> list[Any]:
    return rounded(relation.project(LABELS).order("customer_id").fetchall())  # type: ignore[no-any-return]


def answers(ask: Ask, path: Path, calls: list[str]) -> list[str]:
    """Rows of each query as the old code kept them: JSON objects in the order of their text."""
    parts = [
        f"select {place} as place, coalesce(to_json(list(t order by t::varchar))::varchar, '[]') "
        f"as answer from ({call}) as t"
        for place, call in enumerate(calls)
    ]
    rows = ask(path, " union all ".join(parts) + " order by place")
    return [row["answer"] for row in rows]


def of_columns(rows: Rows, columns: list[str]) -> list[Any]:
    """Rows with these columns only, in any order: a later version may have more."""
    return sorted((rounded([row[column] for column in columns]) for row in rows), key=repr)


def row_per_level(row: dict[str, Any]) -> Rows:
    """Loadings of a category as earlier versions had them: a row for each of its levels."""
    levels = row["categorical_value"]
    if levels is None:
        return [row]
    return [
        row
        | {"feature": f"{row['feature']}={level['category']}", "numerical_value": level["value"]}
        for level in levels
    ]


def scored_by_macros(ask: Ask, path: Path, name: str, version: int | None) -> list[Any]:
    last = "" if version is None else f", version := {version}"
    rows = ask(path, f"select {LABELS} from segql.predict('{name}', 'shop'{last}) order by 1")
    return rounded([tuple(row.values()) for row in rows])  # type: ignore[no-any-return]


def test_each_earlier_schema_has_a_small_database() -> None:
    """A schema that has just changed needs the database of the one before."""
    assert list(range(1, SCHEMA_VERSION)) == [item for item in VERSIONS if item < SCHEMA_VERSION]
    assert all(database_file(item).stat().st_size <= LARGEST for item in VERSIONS)


def test_the_database_is_of_its_version(old: Path, schema: int) -> None:
    with duckdb.connect(str(old), read_only=True) as con:
        info = con.execute("select schema_version from segql.registry_info").fetchall()
        assert info == [(schema,)]
        expected = [("customers", 1), ("customers", 2)]
        if schema >= ALGORITHMS:
            expected += [("dense", 1), ("tree", 1)]
        assert models_of(con) == expected
        shapes = con.execute(
            "select model, version, count(*), count(distinct segment_key) from labels "
            "group by all order by all"
        ).fetchall()
        sizes = {("dense", 1): 4}
        assert shapes == [(*key, 24, sizes.get(key, 3)) for key in expected]
        assert con.execute("select count(*) from answers").fetchall()[0][0] > 20


def test_a_client_without_python_answers_as_before(old: Path, ask: Ask) -> None:
    kept = ask(old, "select call, answer from answers")
    for row, answer in zip(kept, answers(ask, old, [row["call"] for row in kept]), strict=True):
        if row["answer"].startswith("["):
            assert rounded(json.loads(answer)) == rounded(json.loads(row["answer"])), row["call"]
        else:
            assert hashlib.md5(answer.encode()).hexdigest() == row["answer"], row["call"]


def test_todays_code_reads_it_and_changes_nothing(old: Path, ask: Ask) -> None:
    with duckdb.connect(str(old), read_only=True) as con:
        before = registry_picture(con)
        listed = segql.models(con)
        assert sorted(zip(listed["model_name"], listed["model_version"], strict=True)) == models_of(
            con
        )
        for name, version in models_of(con):
            model = segql.load(con, name, version=version)
            expected = stored_labels(con, name, version)
            assert labels(segql.predict(con, name, "shop", version=version)) == expected
            counted = segql.evaluate(con, name, "shop", version=version)
            assert counted["n"] == 24
            assert rounded(counted) == rounded(model.metrics)
            form = "tables" if name == "dense" else "query"
            assert "CASE" in model.sql(dialect="postgres", form=form)
            verdicts = segql.trust(con, name, version=version)["segment_key"]
            assert set(verdicts) == {row[2] for row in expected}
        assert registry_picture(con) == before


def test_a_refit_migrates_it(old: Path, schema: int, ask: Ask) -> None:
    calls = [row["call"] for row in ask(old, "from answers where call like '%version :=%'")]
    before = answers(ask, old, calls)
    with duckdb.connect(str(old)) as con:
        model = segql.fit(
            con, "shop", id="customer_id", name="customers", k=(2, 3), pca=2,
            features=["recency", "frequency", "monetary", "channel"],
        )  # fmt: skip
        assert model.version == 3
        expected = {key: stored_labels(con, *key) for key in models_of(con)}
        # The same rows and options: the same segments, under the keys that they had.
        scored = labels(segql.predict(con, "customers", "shop"))
        assert [row[2] for row in scored] == [row[2] for row in expected["customers", 2]]
        info = con.execute("select schema_version from segql.registry_info").fetchall()
        assert info == [(SCHEMA_VERSION,)]
    for (name, version), wanted in expected.items():
        assert scored_by_macros(ask, old, name, version) == wanted
        last = f"version := {version}"
        answered = answers(
            ask,
            old,
            [
                *(f"from segql.{table}('{name}', {last})" for table in (*LONG_TABLES, "trust")),
                f"from segql.evaluate('{name}', 'shop', {last})",
                f"from segql.explain('{name}', 'shop', {last})",
                f"from segql.detect_anomalies('{name}', 'shop', 0.1, {last})",
            ],
        )
        assert [len(json.loads(item)) for item in answered[-2:]] == [24, 24]
        assert json.loads(answered[0]), "segments"
    for call, earlier, now in zip(calls, before, answers(ask, old, calls), strict=True):
        was, now_is = json.loads(earlier), json.loads(now)
        if "principal_components(" in call and schema < LEVELS_IN_A_LIST:
            now_is = [item for row in now_is for item in row_per_level(row)]
        columns = list(was[0]) if was else []
        assert of_columns(now_is, columns) == of_columns(was, columns), call


def test_an_earlier_version_is_made_current(old: Path, ask: Ask) -> None:
    with duckdb.connect(str(old)) as con:
        assert segql.use_version(con, "customers", 1).version == 1
        expected = stored_labels(con, "customers", 1)
    assert scored_by_macros(ask, old, "customers", None) == expected
    scalar = ask(
        old,
        "select segql.customers_segment_key(recency := recency, frequency := frequency, "
        "monetary := monetary) as segment_key from shop order by customer_id",
    )
    assert [row["segment_key"] for row in scalar] == [row[2] for row in expected]
    current = ask(
        old, "select model_version from segql.models where is_current and model_name = 'customers'"
    )
    assert current == [{"model_version": 1}]


def test_a_dropped_version_gives_its_keys_to_nobody(old: Path) -> None:
    with duckdb.connect(str(old)) as con:
        used = {row[2] for row in stored_labels(con, "customers", 1)}
        assert segql.drop(con, "customers", 1) == [1]
        segql.fit(con, "shop", id="customer_id", name="customers", k=6, features=["monetary"])
        fresh = {row[2] for row in labels(segql.predict(con, "customers", "shop"))}
        assert not (fresh & (used - {row[2] for row in stored_labels(con, "customers", 2)}))


def test_it_is_published(old: Path, ask: Ask, tmp_path: Path) -> None:
    with duckdb.connect(str(old)) as con:
        con.execute("create schema marts; create table marts.shop as from shop")
        expected = {key: stored_labels(con, *key) for key in models_of(con)}
    before = old.read_bytes()
    with duckdb.connect(str(old), read_only=True) as con:
        segql.publish(con, tmp_path / "serve.duckdb")
    assert old.read_bytes() == before
    for (name, version), wanted in expected.items():
        call = f"from segql.predict('{name}', 'marts.shop', version := {version})"
        rows = ask(tmp_path / "serve.duckdb", f"select {LABELS} {call} order by 1")
        assert rounded([tuple(row.values()) for row in rows]) == wanted


def test_the_command_line_lists_it(old: Path) -> None:
    done = CliRunner().invoke(app, ["models", "--json", "--database", str(old)])
    assert done.exit_code == 0, done.output
    with duckdb.connect(str(old), read_only=True) as con:
        known = models_of(con)
    listed = {
        (row["model_name"], row["model_version"])
        for row in map(json.loads, done.stdout.splitlines())
    }
    assert listed == set(known)
