"""The dbt plugin without dbt around it: what it hands over, and what a failed fit leaves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from support import registry_picture, scratch_objects

import segql
from segql import dbt_plugin

TRAINING = '"memory"."main"."segments__segql_input"'


@pytest.fixture
def plugin(con: duckdb.DuckDBPyConnection) -> dbt_plugin.Plugin:
    """A configured plugin, and a committed training relation."""
    con.execute(
        f"create table {TRAINING} as select i as id, i % 7 * 1.5 as a, date '2025-01-31' as "
        "as_of_date from range(60) as r (i)"
    )
    made = dbt_plugin.Plugin("segql", {})
    made.configure_connection(con)
    return made


def store(plugin: dbt_plugin.Plugin, **config: Any) -> None:
    relation = SimpleNamespace(render=lambda: TRAINING)
    plugin.store(
        SimpleNamespace(relation=relation, config=config, location=None)  # type: ignore[arg-type]
    )


def training_relations(con: duckdb.DuckDBPyConnection) -> int:
    found = con.sql("select count(*) from duckdb_tables() where table_name like '%segql_input'")
    return int(found.fetchall()[0][0])


def test_a_fit_is_written_and_not_published(
    con: duckdb.DuckDBPyConnection, plugin: dbt_plugin.Plugin
) -> None:
    store(
        plugin, id="id", name="m", k=2, features={"a": None}, requested_by="policy: drift",
        eps="auto", min_samples=None, linkage="ward", refit={"max_age_days": 3}, tags=[],
    )  # fmt: skip
    found = con.sql(
        "select k, is_published, requested_by, as_of_date::varchar from segql.models"
    ).fetchall()
    assert found == [(2, False, "policy: drift", "2025-01-31")]
    assert training_relations(con) == 1


def test_every_option_reaches_the_fit(
    plugin: dbt_plugin.Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {
        "id": "id", "name": "m", "features": ["a"], "algorithm": "dbscan", "k": [2, 5], "pca": 2,
        "eps": 0.5, "min_samples": 5, "linkage": "complete", "seed": 7, "requested_by": "first run",
    }  # fmt: skip
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(dbt_plugin, "fit", lambda _con, relation, **options: seen.append(options))
    store(plugin, **given, schema="marts")
    assert seen == [given | {"publish": False}]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"k": 0}, "segql: k got 0"),
        ({"features": ["b"]}, "segql: unknown feature column 'b'"),
        ({"eps": 0.3}, "segql: eps got 0.3, but algorithm 'kmeans' has no eps"),
        ({"min_samples": 4}, "segql: min_samples got 4"),
        ({"linkage": "complete"}, "segql: linkage got 'complete'"),
    ],
)
def test_a_refused_fit_leaves_no_training_relation(
    con: duckdb.DuckDBPyConnection, plugin: dbt_plugin.Plugin, config: dict[str, Any], said: str
) -> None:
    before = registry_picture(con)
    with pytest.raises(dbt_plugin.DbtRuntimeError) as caught:
        store(plugin, **{"id": "id", "name": "m", "k": 2, "features": ["a"]} | config)
    assert caught.value.msg.startswith(said)
    assert training_relations(con) == 0
    assert registry_picture(con) == before
    assert scratch_objects(con) == []


@pytest.mark.parametrize("error", [duckdb.OutOfMemoryException, KeyboardInterrupt])
def test_any_failure_takes_the_training_relation_along(
    con: duckdb.DuckDBPyConnection,
    plugin: dbt_plugin.Plugin,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("full")

    monkeypatch.setattr(dbt_plugin, "fit", fail)
    with pytest.raises(error):
        store(plugin, id="id")
    assert training_relations(con) == 0


def test_a_drop_that_fails_does_not_hide_why(
    con: duckdb.DuckDBPyConnection, plugin: dbt_plugin.Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(cursor: duckdb.DuckDBPyConnection, *_: object, **__: object) -> None:
        cursor.close()
        raise segql.SegqlError("the reason")

    monkeypatch.setattr(dbt_plugin, "fit", fail)
    with pytest.raises(dbt_plugin.DbtRuntimeError, match="segql: the reason"):
        store(plugin, id="id")
    assert training_relations(con) == 1


def test_too_few_rows_are_told_to_who_wants_an_empty_relation(
    con: duckdb.DuckDBPyConnection, plugin: dbt_plugin.Plugin
) -> None:
    con.execute(f"delete from {TRAINING} where id > 0")
    config: dict[str, Any] = {"id": "id", "name": "m", "features": ["a"]}
    relation = SimpleNamespace(render=lambda: TRAINING)
    target: Any = SimpleNamespace(
        relation=relation, config=config | {"when_too_few": "empty"}, location=None
    )

    plugin.store(target)

    assert target.config["too_few"] == "the relation has 1 rows; accepted: at least 2"
    assert training_relations(con) == 1
    with pytest.raises(Exception, match="the relation has 1 rows"):
        store(plugin, **config)
    assert training_relations(con) == 0
