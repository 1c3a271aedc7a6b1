"""What sets segments apart: columns not clustered on, the mix of texts, what matters most."""

from __future__ import annotations

from pathlib import Path

import harness
import numpy as np
import pytest

PROFILES = "marts.segment_profiles"


@pytest.fixture(scope="session")
def shop(demo: tuple[harness.Shop, harness.Result]) -> harness.Shop:
    return demo[0]


def eta_squared(values: np.ndarray, keys: np.ndarray) -> float:
    """Compute the share of variance between groups by its definition."""
    between = sum(
        (keys == key).sum() * (values[keys == key].mean() - values.mean()) ** 2
        for key in np.unique(keys)
    )
    return float(between / ((values - values.mean()) ** 2).sum())


def test_the_model_and_the_others(shop: harness.Shop) -> None:
    learned_from = shop.rows(
        f"select distinct feature from {PROFILES} where is_clustered_on order by 1"
    )
    assert learned_from == [("frequency",), ("monetary",), ("recency",), ("tenure",)]
    others = {
        row[0] for row in shop.rows(f"select feature from {PROFILES} where not is_clustered_on")
    }
    assert {"age", "income", "gender", "region", "views_90_days"} <= others
    assert shop.value(
        f"select sum(relevance) from (select distinct feature, relevance from {PROFILES})"
    ) == pytest.approx(1)


@pytest.mark.parametrize("feature", ["monetary", "age", "conversion_90_days"])
def test_importance_is_the_variance_between_segments(shop: harness.Shop, feature: str) -> None:
    rows = shop.rows(
        f"select {feature}, segment_key from features.customer_features"
        f" inner join segmentation.kmeans_segments using (customer_id) where {feature} is not null"
    )

    expected = eta_squared(
        np.array([float(row[0]) for row in rows]), np.array([row[1] for row in rows])
    )

    [(found,)] = shop.rows(
        f"select distinct eta_squared from {PROFILES} where feature = '{feature}'"
    )
    assert found == pytest.approx(expected, abs=1e-6)
    # What is constant comes last, without a share.
    ranks = shop.rows(
        f"select distinct feature_rank, coalesce(round(eta_squared, 9), 0) from {PROFILES}"
        " order by feature_rank"
    )
    assert [rank for rank, _ in ranks] == list(range(1, len(ranks) + 1))
    assert [share for _, share in ranks] == sorted((share for _, share in ranks), reverse=True)


def test_the_mix_of_a_text(shop: harness.Shop) -> None:
    expected = shop.rows(
        """
        select
            segment_key,
            coalesce(region, 'missing') as level,
            count(*) / any_value(customers)
        from features.customer_features
        inner join segmentation.kmeans_segments using (customer_id)
        inner join marts.segment_summary using (segment_key)
        group by segment_key, region order by all
        """
    )

    found = shop.rows(
        f"select segment_key, level, mean from {PROFILES} where feature = 'region' order by all"
    )
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert [row[2] for row in found] == pytest.approx([row[2] for row in expected])


def test_rare_levels_do_not_show(shop: harness.Shop, tmp_path: Path) -> None:
    mine = shop.copy(tmp_path)
    mine.run_sql(
        "update features.customer_features set region = 'Village ' || customer_id"
        " where customer_id in (select customer_id from features.customer_features limit 30)",
    )

    assert mine.dbt("run", "--select", "segment_feature_profiles+1", "--quiet").code == 0

    levels = {row[0] for row in mine.rows(f"select level from {PROFILES} where feature = 'region'")}
    assert levels == {"North", "South", "East", "West", "missing", "other"}
