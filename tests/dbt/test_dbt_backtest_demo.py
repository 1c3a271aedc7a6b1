"""The backtest: measures by their definition, a model of the past only, too little history."""

from __future__ import annotations

from pathlib import Path

import harness
import numpy as np
import pytest

BACKTEST = "marts.segment_backtest"


@pytest.fixture(scope="session")
def shop(demo: tuple[harness.Shop, harness.Result]) -> harness.Shop:
    return demo[0]


def test_eta_squared_is_the_variance_between_segments(shop: harness.Shop) -> None:
    rows = shop.rows(
        """
        select segments.segment_key, coalesce(next_period.revenue, 0)
        from segmentation.backtest_segments as segments
        left join features.next_period as next_period using (customer_id)
        """
    )
    keys = np.array([row[0] for row in rows])
    spent = np.array([row[1] for row in rows])
    between = sum(
        (keys == key).sum() * (spent[keys == key].mean() - spent.mean()) ** 2
        for key in np.unique(keys)
    )

    [(found, segments, customers)] = shop.rows(
        f"select eta_squared, segments, customers from {BACKTEST} where segmentation = 'segments'"
    )

    assert found == pytest.approx(between / ((spent - spent.mean()) ** 2).sum(), abs=1e-6)
    assert (segments, customers) == (len(np.unique(keys)), len(rows))


def test_the_segments_and_recommendations_win_on_the_demo_shop(shop: harness.Shop) -> None:
    found = {
        row[0]: row[1:]
        for row in shop.rows(
            f"select segmentation, eta_squared, segments, hit_rate_at_10, popular_hit_rate_at_10"
            f" from {BACKTEST}"
        )
    }

    assert found["segments"][1] == found["rfm_quintiles"][1]
    assert found["segments"][0] > found["rfm_quintiles"][0]
    assert found["segments"][2] > found["everybody"][3]


def test_the_model_has_seen_the_past_only(shop: harness.Shop) -> None:
    [(as_of, rows)] = shop.rows(
        "select as_of_date, row_count from segql.models where model_name = 'customers_backtest'"
    )

    assert as_of == shop.value("select as_of_date from features.past_as_of")
    assert rows == shop.value("select count(*) from features.past_customer_features")


def test_too_little_history_fails_nothing(shop: harness.Shop, tmp_path: Path) -> None:
    mine = shop.copy(tmp_path)

    result = mine.dbt(
        "build", "--select", "past_as_of+", "--full-refresh", "--quiet", horizon_days=3000
    )  # fmt: skip

    assert result.code == 0, result.output
    statuses = mine.rows(f"select distinct status from {BACKTEST}")
    assert [row[0] for row in statuses] == ["too little history"]
    assert mine.value("select count(*) from marts.segment_value") > 1


def test_a_horizon_that_is_none_fails_only_what_looks_back(
    shop: harness.Shop, tmp_path: Path
) -> None:
    mine = shop.copy(tmp_path)

    result = mine.dbt("run", "--select", "past_as_of+", "segment_summary", horizon_days="soon")

    assert result.code != 0
    assert "past_as_of: horizon_days got 'soon'" in " ".join(result.output.split())
    assert "ERROR=1" in result.output
    assert mine.value("select count(*) from marts.segment_summary") > 1
