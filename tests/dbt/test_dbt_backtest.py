"""The backtest: measures against numpy, nothing seen of the period, and what can be missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pytest
from support import load_bench

OUTCOMES = """
create table main.outcomes as
select
    customer, 'S' || customer % 4 as tribe, 'all' as everybody,
    (hash(customer, 1) % 900 + 500 * (customer % 4))::double as spent_before,
    case
        when hash(customer, 2) % 3 = 0 then 0
        when customer % 97 = 0 then -12.25
        else (hash(customer, 3) % 100000) / 100.0 * (1 + customer % 4)
    end::double as spent_after
from range(1000) as customers (customer)
"""
CALL = (
    "segql.backtest('main.outcomes', {'ours': 'tribe', 'none': 'everybody'},"
    " revenue='spent_after', past_revenue='spent_before')"
)


@pytest.fixture(scope="module")
def shop(small_shop: harness.Shop) -> harness.Shop:
    return small_shop


def gini(values: np.ndarray[Any, Any]) -> float:
    """Compute the mean absolute difference of all pairs over twice the mean."""
    return float(np.abs(values[:, None] - values).mean() / 2 / values.mean())


def test_measures_are_those_of_numpy(tmp_path: Path) -> None:
    bench = load_bench("products")
    with bench.connect(tmp_path) as con:
        con.execute(OUTCOMES)
    query = bench.project(tmp_path, measures=CALL)["measures"]
    with bench.connect(tmp_path) as con:
        found = con.execute(query).fetchall()
        names = [column[0] for column in con.description]
        tribes, before, after = (
            np.array(column)
            for column in zip(
                *con.execute(
                    "select tribe, spent_before, spent_after from main.outcomes"
                ).fetchall(),
                strict=True,
            )
        )
        con.execute(
            "create or replace table main.outcomes as from main.outcomes as o order by hash(o)"
        )
        con.execute("set threads = 1")
        assert sorted(con.execute(query).fetchall()) == sorted(found)
    rows = {row[0]: dict(zip(names, row, strict=True)) for row in found}

    spent = np.maximum(after, 0)
    means = {tribe: spent[tribes == tribe].mean() for tribe in set(tribes)}
    best = sorted(means, key=lambda tribe: before[tribes == tribe].mean())[-1]
    top = after[tribes == best].sum() * 200 / (tribes == best).sum() / after.sum()

    def between(values: np.ndarray[Any, Any]) -> float:
        parts = [values[tribes == tribe] for tribe in means]
        squares = sum(len(part) * (part.mean() - values.mean()) ** 2 for part in parts)
        return float(squares / ((values - values.mean()) ** 2).sum())

    ours = rows["ours"]
    assert (ours["customers"], ours["segments"]) == (1000, 4)
    assert ours["next_revenue"] == pytest.approx(after.sum())
    assert ours["eta_squared"] == pytest.approx(between(after), abs=1e-8)
    assert ours["eta_squared_log"] == pytest.approx(between(np.log1p(spent)), abs=1e-8)
    assert ours["top_revenue_share"] == pytest.approx(top, abs=1e-8)
    assert ours["lift"] == pytest.approx(5 * top, abs=1e-8)
    assert ours["gini"] == pytest.approx(gini(np.array([means[t] for t in tribes])), abs=1e-8)
    assert ours["customer_gini"] == pytest.approx(gini(spent), abs=1e-8)
    nothing = rows["none"]
    assert [nothing[name] for name in ("segments", "eta_squared", "lift", "gini")] == [1, 0, 1, 0]


def test_segmentations_must_be_columns(tmp_path: Path) -> None:
    bench = load_bench("products")
    with bench.connect(tmp_path) as con:
        con.execute(OUTCOMES)

    with pytest.raises(SystemExit, match=r"no column 'tribes' .* it has tribe"):
        bench.project(tmp_path, measures=CALL.replace("'tribe'", "'tribes'"))
    with pytest.raises(SystemExit, match="segmentations got 'tribe'; accepted is a mapping"):
        bench.project(tmp_path, measures="segql.backtest('main.outcomes', 'tribe')")


def test_a_short_history_says_how_short(shop: harness.Shop) -> None:
    """Sixty customers over half a year, and 90 days ahead."""
    rows = shop.rows("select segmentation, status, customers, verdict from marts.segment_backtest")
    [(days, has_history)] = shop.rows("select past_days + 1, has_history from features.past_as_of")

    assert [row[0] for row in rows] == ["segments", "rfm_quintiles", "rfm_segments", "everybody"]
    if not has_history:
        assert {row[1:3] for row in rows} == {("too little history", 0)}
        assert f"there are {days}" in rows[0][3]


def horizon(shop: harness.Shop, folder: Path, days: int, **dbt_vars: Any) -> harness.Shop:
    """Backtest a copy of the shop."""
    copy = shop.copy(folder)
    copy.build("--select", "+tag:backtest", horizon_days=days, **dbt_vars)
    return copy


@pytest.fixture(scope="module")
def month(shop: harness.Shop, tmp_path_factory: pytest.TempPathFactory) -> harness.Shop:
    return horizon(shop, tmp_path_factory.mktemp("month"), 30)


def test_the_model_has_not_seen_the_period(month: harness.Shop) -> None:
    """Its version is of the past date, and refits when that moves back, not when it moves on."""
    dates = (
        "select model_version, as_of_date::varchar from segql.models"
        " where model_name = 'customers_backtest' and is_current"
    )
    [(version, fitted)] = month.rows(dates)
    past = month.value("select as_of_date::varchar from features.past_as_of")
    assert fitted == past

    folder = month.database.parent
    later = horizon(month, folder / "later", 20)
    assert later.rows(dates) == [(version, fitted)]
    earlier = horizon(month, folder / "earlier", 40)
    [(refitted, date)] = earlier.rows(dates)
    assert refitted == version + 1
    assert date == earlier.value("select as_of_date::varchar from features.past_as_of") < past


def test_every_customer_of_the_past_is_counted(month: harness.Shop) -> None:
    [(customers, revenue)] = month.rows(
        "select count(*), sum(coalesce(revenue, 0)) from features.past_customer_features"
        " left join features.next_period using (customer_id)"
    )
    rows = month.rows("select status, customers, next_revenue from marts.segment_backtest")

    assert len(rows) == 4
    assert all(row == ("measured", customers, pytest.approx(revenue)) for row in rows)
    [(ours, rfm)] = month.rows(
        "select count(distinct segment_key), count(distinct rfm_group)"
        " from segmentation.backtest_outcomes"
    )
    assert ours == rfm == 3


def test_hits_are_at_most_of_so_many_buyers(month: harness.Shop, tmp_path: Path) -> None:
    [(buyers, everyone)] = month.rows(
        "select buyers, all_buyers from marts.segment_backtest where segmentation = 'segments'"
    )
    assert buyers == everyone > 5

    fewer = month.copy(tmp_path)
    fewer.build("--select", "backtest_hits+", horizon_days=30, backtest_buyers=5)

    assert fewer.rows(
        "select buyers, all_buyers from marts.segment_backtest where segmentation = 'segments'"
    ) == [(5, everyone)]


def test_one_segment_explains_nothing(shop: harness.Shop, tmp_path: Path) -> None:
    single = horizon(shop, tmp_path, 30, k=1)

    [(status, share, verdict)] = single.rows(
        "select status, eta_squared, verdict from marts.segment_backtest"
        " where segmentation = 'segments'"
    )
    assert (status, share) == ("one segment", 0)
    assert verdict.startswith("There is one segment only")


def test_without_products_the_rest_is_measured(shop: harness.Shop, tmp_path: Path) -> None:
    bare = shop.copy(tmp_path)
    bare.run_sql("update raw.order_lines set product_id = null")

    bare.build("--select", "+tag:backtest", horizon_days=30)

    rows = bare.rows(
        "select status, hit_rate_at_10, verdict from marts.segment_backtest"
        " where segmentation = 'segments'"
    )
    assert rows[0][:2] == ("measured", None)
    assert "no product that a customer could have bought anew" in rows[0][2]


def test_customers_that_are_all_alike_leave_no_segments(tmp_path: Path) -> None:
    """Everybody bought once, on the same day, for the same amount; later they differ."""
    alike = harness.new_shop(
        tmp_path,
        "create table raw.order_lines as select 'c' || c as customer_id, 'o' || c as order_id,"
        " timestamp '2025-01-01' as ordered_at, 'p' as product_id, 1 as quantity, 5e0 as unit_price"
        " from range(30) as t (c) union all select 'c' || c, 'n' || c,"
        " timestamp '2025-03-01' + to_days(c::integer), 'p', 1, c::double"
        " from range(1, 30) as t (c)",
        k=2,
    )

    result = alike.build("--select", "+tag:backtest", horizon_days=40)

    assert "customers_backtest is not fitted: all rows are equal" in result.output
    assert alike.rows("select distinct status from marts.segment_backtest") == [("no segments",)]


def command(shop: harness.Shop, *options: str) -> harness.Result:
    """Run segql backtest on the shop."""
    arguments = [sys.executable, "-m", "segql.cli", "backtest", "--database", str(shop.database)]
    arguments += ["--project-dir", str(harness.PROJECT), "--vars", json.dumps(shop.dbt_vars)]
    return harness.run([*arguments, *options], shop.database.parent)


def test_the_command_leaves_the_warehouse_alone(shop: harness.Shop) -> None:
    before = shop.contents()

    said = command(shop, "--horizon", "30")
    as_json = command(shop, "--cut", "2025-05-31", "--json")

    assert said.code == as_json.code == 0, said.output + as_json.output
    assert "segments explain" in said.output
    rows = [json.loads(line) for line in as_json.output.splitlines()]
    assert [row["segmentation"] for row in rows] == [
        "segments", "rfm_quintiles", "rfm_segments", "everybody",
    ]  # fmt: skip
    assert rows[0]["past_date"] == "2025-05-31"
    assert shop.contents() == before
    assert not list(shop.database.parent.glob(".backtest-*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--horizon", "0"], "horizon got '0'; accepted is a whole number of days from 1"),
        (["--horizon", "1.5"], "horizon got '1.5'; accepted is a whole number of days from 1"),
        (["--horizon", "9" * 20], "accepted is a whole number of days from 1 to 36525"),
        (
            ["--cut", "9999-12-31", "--horizon", "9"],
            "cut got '9999-12-31' with a horizon of 9 days",
        ),
        (["--cut", "soon"], "cut got 'soon'; accepted is a date such as 2025-09-30"),
        (["--cut", "2030-01-01"], "accepted is a date whose period ends by the last known day"),
        (["--project-dir", "/"], "which has no dbt_project.yml"),
        (["--horizon", "170"], "Too little history for a backtest of 170 days"),
    ],
)
def test_the_command_refuses_in_one_line(shop: harness.Shop, options: list[str], said: str) -> None:
    result = command(shop, *options)

    assert result.code == 1
    assert said in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not list(shop.database.parent.glob(".backtest-*"))


def test_the_command_needs_dbt(monkeypatch: pytest.MonkeyPatch) -> None:
    from segql import backtest_command
    from segql.errors import SegqlError

    monkeypatch.setattr(backtest_command.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(SegqlError, match="dbt is not installed; accepted: pip install"):
        backtest_command._checked_project(harness.PROJECT)
