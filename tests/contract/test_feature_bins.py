"""segql.feature_bins: how the features of a named fit were distributed, held against SQL counts."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from support import load_frame, scratch_objects, store_numbers

import segql
from segql import coreset


def bins(con: duckdb.DuckDBPyConnection, feature: str) -> list[dict[str, Any]]:
    relation = con.sql(
        f"from segql.feature_bins('m') where feature = '{feature}' order by feature, bin"
    )
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def check_number(
    con: duckdb.DuckDBPyConnection, feature: str, within: float = 1e-12
) -> list[dict[str, Any]]:
    """Count the rows of every bin in SQL."""
    found = bins(con, feature)
    assert [item["bin"] for item in found] == list(range(1, len(found) + 1))
    assert [item["kind"] for item in found] == ["number"] * (len(found) - 1) + ["missing"]
    assert len(found) <= 11
    assert sum(item["share"] for item in found) == pytest.approx(1, abs=1e-12)
    value = f'"{feature}"::double'
    missing = f"not coalesce(abs({value}) <= 1e100, false)"
    for item in found:
        inside = missing
        if item["kind"] == "number":
            low = "true" if item["lower"] is None else f"{value} > {item['lower']!r}::double"
            high = "true" if item["upper"] is None else f"{value} <= {item['upper']!r}::double"
            inside = f"not {missing} and {low} and {high}"
        [(share,)] = con.sql(f"select avg(({inside})::int) from t").fetchall()
        assert item["share"] == pytest.approx(share, abs=within)
        assert item["category"] is None
    return found


def test_bins_of_every_kind_of_column(con: duckdb.DuckDBPyConnection) -> None:
    rng = np.random.default_rng(3)
    size = 2000
    frame = pd.DataFrame(
        {
            "id": np.arange(size),
            "spread": rng.normal(0, 1, size),
            "mostly": np.where(rng.random(size) < 0.7, 1.0, rng.uniform(0, 9, size).round(2)),
            "count": rng.poisson(2, size),
            "flag": rng.random(size) < 0.2,
            "plan": rng.choice(["a", "b", "c's"], size, p=[0.5, 0.3, 0.2]),
            "city": rng.choice([f"town {i:02d}" for i in range(40)], size),
            "grade": rng.choice(["low", "mid", "high"], size),
        }
    )
    load_frame(con, "t", frame)
    con.execute(
        "update t set spread = case id % 4 when 0 then null when 1 then 'nan' when 2 then '-inf' "
        "else 1e101 end where id % 50 < 4; update t set plan = null where id % 9 = 0; "
        "update t set grade = null where id % 11 = 0"
    )
    segql.fit(con, "t", id="id", name="m", k=3, features={
        "spread": {}, "mostly": {"transform": "yeo_johnson"}, "count": {}, "flag": {},
        "plan": {"impute": "mode"}, "city": {"encode": "frequency"},
        "grade": {"encode": {"ordinal": ["low", "mid", "high"]}, "impute": "median"},
    })  # fmt: skip
    assert check_number(con, "spread")[-1]["share"] == 0.08
    mostly = check_number(con, "mostly")
    [(ones,)] = con.sql("select avg((mostly = 1)::int) from t").fetchall()
    assert any(item["share"] == pytest.approx(ones) for item in mostly)
    assert len(mostly) >= 4
    check_number(con, "count")
    flag = bins(con, "flag")
    assert [(item["lower"], item["upper"]) for item in flag] == [(None, 0), (0, None), (None, None)]
    [(held,)] = con.sql("select avg(flag::int) from t").fetchall()
    assert flag[1]["share"] == pytest.approx(held)
    for feature, top in (("plan", 3), ("city", 20), ("grade", 3)):
        found = bins(con, feature)
        expected = con.sql(
            f"select {feature}, count(*) / 2000 from t where {feature} is not null "
            f"group by all order by 2 desc, 1 limit {top}"
        ).fetchall()
        assert [(item["category"], item["share"]) for item in found[:-2]] == expected
        [(missing,)] = con.sql(f"select avg(({feature} is null)::int) from t").fetchall()
        assert [item["kind"] for item in found] == ["category"] * top + ["other", "missing"]
        assert found[-1]["share"] == pytest.approx(missing)
        assert sum(item["share"] for item in found) == pytest.approx(1)
    assert bins(con, "plan")[-1]["share"] > 0.1  # what the mode stands in for is missing


def test_missing_shares_are_exact_where_rows_cannot_be_scored(
    con: duckdb.DuckDBPyConnection,
) -> None:
    con.execute(
        "create table t as select i as id, case when i % 4 > 0 then i % 97 end as a, "
        "case when i % 5 > 0 then (i * i % 101)::double end as b from range(3000) as r (i)"
    )
    model = segql.fit(con, "t", id="id", name="m", k=3,
                      features={"a": {"impute": "none"}, "b": {"impute": "none"}})  # fmt: skip
    assert model.info["unscorable_count"] == 1200
    assert model.info["coreset_rows"] == 1800
    assert check_number(con, "a")[-1]["share"] == 0.25
    assert check_number(con, "b")[-1]["share"] == 0.2


def test_bins_of_a_sample_stand_for_all_rows(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weighted, the same in any row order, and with their share of rows that cannot be scored."""
    monkeypatch.setattr(coreset, "SIZE", 8_000)
    rng = np.random.default_rng(8)
    size = 60_000
    columns: dict[str, Any] = {
        "a": np.exp(rng.normal(0, 1.5, size)),
        "b": np.where(rng.random(size) < 0.6, 0.0, rng.normal(5, 2, size)),
    }
    hidden = rng.random(size) < 0.15
    found = []
    for order, threads in ((np.arange(size), 1), (rng.permutation(size), 3)):
        con.execute(f"set threads = {threads}")
        store_numbers(con, "given", {
            "label": order.astype(float).tolist(),
            "a": [None if gone else value
                  for gone, value in zip(hidden[order], columns["a"][order].tolist(), strict=True)],
            "b": columns["b"][order].tolist(),
        })  # fmt: skip
        con.execute("create or replace table t as select label::bigint as id, a, b, "
                    "'g' || label::bigint % 7 as g from given")  # fmt: skip
        model = segql.fit(con, "t", id="id", name="m", k=3,
                          features={"a": {"impute": "none", "transform": "none"}, "b": {}, "g": {}},
                          )  # fmt: skip
        assert not model.info["is_exact"]
        check_number(con, "a", within=0.02)
        check_number(con, "b", within=0.02)
        found.append(con.sql("from segql.feature_bins('m') order by feature, bin").fetchall())
        assert scratch_objects(con) == []
        con.execute("drop schema segql cascade")
    assert found[0] == found[1]
    levels = [row for row in found[0] if row[0] == "g"]
    assert [row[-1] for row in levels[:-2]] == pytest.approx([1 / 7] * 7, abs=0.02)


def test_bins_cost_no_pass_over_the_rows(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table t as select i as id, i % 97 as a, 'g' || i % 3 as g from range(900) as r (i)"
    )
    passes = []
    for name in (None, "m"):
        model = segql.fit(con, "t", id="id", name=name, k=3, features=["a", "g"])
        passes.append(sum('"t"' in statement for statement in model.statements))
        assert bool(model.bins) == (name is not None)
    assert passes[0] == passes[1]


def test_versions_have_bins_of_their_own(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table t as select i as id, i % 97 as a from range(900) as r (i)")
    segql.fit(con, "t", id="id", name="m", k=3, features=["a"])
    con.execute("insert into t select i, 1000 from range(1000, 1100) as r (i)")
    segql.fit(con, "t", id="id", name="m", k=3, features=["a"])
    segql.fit(con, "t", id="id", name="m", k=4, features=["a"], publish=False)
    segql.fit(con, "t", id="id", name="m", k=2, features=["a"])
    held = con.sql(
        "select model_version, count(*), round(sum(share), 9) from segql.feature_bins "
        "group by all order by all"
    ).fetchall()
    assert held == [(1, 11, 1), (2, 11, 1), (3, 11, 1)]
    [(upper,)] = con.sql("select max(upper) from segql.feature_bins('m', version := 1)").fetchall()
    assert upper < 97
    check_number(con, "a")
