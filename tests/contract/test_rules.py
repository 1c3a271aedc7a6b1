"""Plain rules of segments: short, counted exactly, and the same from SQL and Python."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from support import blobs, load_frame, shop_frame, store_numbers

import segql
from segql.clusterers.rules import CONDITIONS, Condition, find_rules
from segql.engines import DuckDBEngine

#: Files that DuckDB 1.4 and later open.
OPEN_STORAGE = {"storage_compatibility_version": "v1.4.0"}
NUMBERS = ["recency", "frequency", "monetary"]
MODELS: dict[str, dict[str, Any]] = {
    "plain": {"k": 4},
    "projected": {"k": 3, "pca": 3},
    "tree": {"algorithm": "hierarchical", "k": 4},
    "cells": {"algorithm": "dbscan", "features": NUMBERS},
    "nested": {"algorithm": "hdbscan", "features": NUMBERS, "min_samples": 5},
}


@pytest.mark.parametrize("name", list(MODELS))
def test_the_exported_case_gives_the_reported_figures(shop_file: Path, cli: str, name: str) -> None:
    with duckdb.connect(str(shop_file), config=OPEN_STORAGE) as con:
        load_frame(con, "customer_features", shop_frame())
        model = segql.fit(con, "customer_features", id="customer_id", name=name, **MODELS[name])
        stored = con.execute(
            'select segment_key, matched, correct, coverage, "precision", conditions '
            f"from segql.rules('{name}') where rule is not null order by place"
        ).fetchall()
        assert [rule.place for rule in model.rules] == list(range(1, len(stored) + 1))
        assert [vars(rule) for rule in segql.load(con, name).rules] == [
            vars(rule) for rule in model.rules
        ]
        text = segql.load(con, name).sql(form="rules")
    assert stored
    statement = (
        f"with told as (select p.segment_key as own, {text} as told "
        f"from segql.predict('{name}', 'customer_features') as p) "
        "select told, count(*) as matched, count(*) filter (own = told) as correct from told "
        "where told is not null group by all order by all"
    )
    done = subprocess.run(
        [cli, "-readonly", "-csv", "-noheader", str(shop_file), statement],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [line.split(",") for line in done.stdout.splitlines()]
    assert sorted((key, int(matched), int(correct)) for key, matched, correct in found) == sorted(
        row[:3] for row in stored if row[1]
    )
    sizes = {segment.segment_key: segment.customers for segment in model.segments}
    for key, matched, correct, coverage, precision, conditions in stored:
        assert coverage == pytest.approx(correct / sizes[key])
        assert precision == pytest.approx(correct / max(matched, 1))
        assert 1 <= conditions <= CONDITIONS


@pytest.mark.parametrize("seed", range(4))
def test_planted_groups_are_told_by_short_rules(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    values = blobs(seed, 3000, 3, 4, 0.7)
    store_numbers(con, "t", {f"f{i}": values[:, i].tolist() for i in range(3)})
    model = segql.fit(con, "t", id="id", k=4, features=["f0", "f1", "f2"])
    assert len(model.rules) == 4
    right = sum(rule.correct for rule in model.rules)
    assert right / sum(rule.matched for rule in model.rules) >= 0.85
    assert min(rule.coverage for rule in model.rules) >= 0.6


def test_rules_do_not_depend_on_the_order_of_the_rows(con: duckdb.DuckDBPyConnection) -> None:
    load_frame(con, "t", shop_frame(2000))
    con.execute("create table shuffled as from t order by hash(customer_id)")
    seen = []
    for threads, table in ((1, "t"), (4, "shuffled")):
        con.execute(f"set threads = {threads}")
        seen.append(segql.fit(con, table, id="customer_id", k=4).rules)
    assert seen[0] == seen[1]


def test_rules_read_as_people_say_them(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table t as select i as id, (i % 2 = 0) as member, 'a''b' || i % 2 as \"the kind\", "
        "(i % 2) * 1000 + i % 7 as spend from range(400) as r (i)"
    )
    for features, words in (
        ({"member": {}}, {"member", "not member"}),
        ({"the kind": {"encode": "onehot"}}, {"the kind is a'b0", "the kind is a'b1"}),
        ({"spend": {}}, {"spend ≤ 6", "spend > 6"}),
    ):
        model = segql.fit(con, "t", id="id", k=2, features=features)
        assert {rule.rule for rule in model.rules} == words
        assert all(rule.coverage == rule.precision == 1.0 for rule in model.rules)


def test_missing_numbers_match_no_bound(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table t as select i as id, case when i % 10 = 0 then null "
        "when i % 10 = 1 then 'nan'::double else (i % 2) * 100.0 + i % 3 end as a, "
        "(i % 2) * 50.0 as b from range(400) as r (i)"
    )
    model = segql.fit(con, "t", id="id", name="m", k=2, features=["a", "b"])
    text = model.sql(form="rules")
    counted = con.execute(
        f"select count(*) from (select {text} as told from t) where told is not null"
    ).fetchall()
    assert counted == [(sum(rule.matched for rule in model.rules),)]


def test_one_segment_needs_no_rule(con: duckdb.DuckDBPyConnection) -> None:
    load_frame(con, "t", shop_frame(300))
    model = segql.fit(con, "t", id="customer_id", name="m", k=1, features=NUMBERS)
    assert model.rules == []
    assert con.execute("select rule, coverage from segql.rules('m')").fetchall() == [(None, 0.0)]
    with pytest.raises(segql.SegqlError, match="has no rules"):
        model.sql(form="rules")


def test_rules_in_another_dialect(con: duckdb.DuckDBPyConnection) -> None:
    load_frame(con, "t", shop_frame(500))
    model = segql.fit(con, "t", id="customer_id", k=3, features=NUMBERS)
    assert "CAST(`" in model.sql(dialect="bigquery", form="rules")


def test_the_search_looks_past_a_greedy_first_split() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((4000, 2))
    # The corner where exactly one coordinate is high: no single split finds it.
    labels = (((x[:, 0] > 0.5) & (x[:, 1] > 0.5)).astype(int)) - 0
    conditions = [Condition(f, op, 0.5) for f in (0, 1) for op in ("<=", ">")]
    holds = np.array([x[:, c.feature] > 0.5 if c.operator == ">" else x[:, c.feature] <= 0.5
                      for c in conditions])  # fmt: skip
    _, rule = find_rules(holds, conditions, labels, np.ones(4000), 2)
    assert rule is not None
    assert {(c.feature, c.operator) for c in rule.conditions} == {(0, ">"), (1, ">")}
    assert (rule.coverage, rule.precision) == (1.0, 1.0)


def test_segments_that_no_plain_rule_tells_apart_have_none(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """A column whose cut points, to three digits, all lie outside it."""
    con.execute(
        "create table t as select i as id, 1e8 + (i % 7) / 10.0 as a from range(300) as r (i)"
    )
    model = segql.fit(con, "t", id="id", name="m", k=3, features=["a"])
    assert model.rules == []
    assert con.execute("select count(rule) from segql.rules('m')").fetchall() == [(0,)]


def test_both_ways_to_count_say_the_same(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a table that is not its own coreset: found on the coreset, counted on all rows."""
    con.execute(
        "create table t as select i as id, case when i % 97 <> 0 then ln(1 + hash(i) % 1000) end "
        "as a, hash(i, 2) % 5 + i % 3 * 10 as b, ['x', 'y', null][1 + i % 3] as c "
        "from range(90000) as r (i)"
    )
    together = segql.fit(con, "t", id="id", name="m", k=4)
    monkeypatch.setattr(DuckDBEngine, "likes_long_queries", False)
    apart = segql.fit(con, "t", id="id", k=4)
    assert not together.info["is_exact"]
    assert [vars(rule) for rule in together.rules] == [vars(rule) for rule in apart.rules]
    assert together.metrics == apart.metrics
    scans = [sum('"t"' in text for text in model.statements) for model in (together, apart)]
    assert scans[1] == scans[0] + 1
    assert len(together.rules) == 4
    text = together.rules_case().sql(dialect="duckdb")
    counted = con.execute(
        f"select {text} as told, count(*), count(*) filter (told = p.segment_key) "
        "from segql.predict('m', 't') as p where told is not null group by all"
    ).fetchall()
    keys = {item.segment_id: item.segment_key for item in together.segments}
    assert sorted(counted) == sorted(
        (keys[rule.segment_id], rule.matched, rule.correct) for rule in together.rules
    )
    assert min(rule.precision for rule in together.rules) >= 0.9
