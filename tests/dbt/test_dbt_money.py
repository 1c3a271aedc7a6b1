"""Value and budget in the marts: they add up, rest on the past, and fail alone."""

from __future__ import annotations

from pathlib import Path

import harness
import pytest

SEED = "segmentation.marketing_assumptions"


@pytest.fixture(scope="module")
def shop(demo: tuple[harness.Shop, harness.Result]) -> harness.Shop:
    return demo[0]


def test_every_segment_has_a_value_and_a_budget(shop: harness.Shop) -> None:
    for mart in ("segment_value", "segment_budget"):
        assert shop.rows(
            f"select segment_key, segment_name, customers, trust from marts.{mart} order by 1"
        ) == shop.rows(
            "select segment_key, segment_name, customers, trust from marts.segment_summary"
            " order by 1"
        )


def test_values_multiply(shop: harness.Shop) -> None:
    rows = shop.rows(
        "select customers * expected_orders * average_order_value, expected_revenue,"
        " expected_revenue_low, expected_revenue_high, margin, expected_profit,"
        " probability_to_buy, expected_orders from marts.segment_value"
    )

    for product, revenue, low, high, margin, profit, probability, orders in rows:
        # Where nobody ordered there is no order value.
        assert (product or 0) == pytest.approx(revenue)
        assert low < revenue < high or low == revenue == high == 0
        assert profit == pytest.approx(revenue * margin)
        assert 0 <= probability < 1
        assert orders >= probability


def test_values_are_what_happened(shop: harness.Shop) -> None:
    """Over the past customers themselves the means are near the period that followed."""
    happened = shop.rows(
        """
        select segment_key, count(*), avg(coalesce(orders, 0)), avg((coalesce(orders, 0) > 0)::int)
        from segmentation.past_customer_segments left join features.next_period using (customer_id)
        group by all
        """
    )
    expected = {
        key: values
        for key, *values in shop.rows(
            "select segment_key, past_customers, basis, avg(expected_orders),"
            " avg(probability_to_buy) from segmentation.past_customer_segments"
            " inner join (select distinct segment_key, rfm_segment, past_customers, basis,"
            " expected_orders, probability_to_buy from segmentation.customer_values)"
            " using (segment_key, rfm_segment) group by all"
        )
    }

    compared = 0
    for key, customers, orders, buyers in happened:
        if key in expected and customers > 200:
            assert expected[key][:2] == [customers, "segment"]
            assert expected[key][2] == pytest.approx(orders, rel=0.15)
            assert expected[key][3] == pytest.approx(buyers, rel=0.15)
            compared += 1
    assert compared >= 3


def test_the_budget_adds_up(shop: harness.Shop) -> None:
    [(cents, least, uniform, gained, evenly)] = shop.rows(
        "select sum(spend), min(spend), sum(uniform_spend), sum(incremental_profit),"
        " sum(uniform_profit) from marts.segment_budget"
    )
    assert float(cents) == 10000
    assert least >= 0
    assert uniform == pytest.approx(10000)
    assert gained >= evenly
    for low, base, high, spend, roi in shop.rows(
        "select incremental_profit_low, incremental_profit, incremental_profit_high,"
        " optimal_spend, roi from marts.segment_budget"
    ):
        assert low <= base <= high
        assert (roi is None) == (spend == 0)
        assert not spend or roi == pytest.approx(base / spend)
    free = shop.rows("select marginal_return from marts.segment_budget where binding = 'none'")
    assert free
    assert max(free)[0] == pytest.approx(min(free)[0], rel=1e-6)


def test_one_contact_of_everybody_pays_as_the_formula_says(
    shop: harness.Shop, tmp_path: Path
) -> None:
    """A budget that contacts all customers of the one segment with a cap once."""
    formula = """
        select
            customers * (contact_cost + least(1, value.probability_to_buy + uplift) * offer_cost),
            customers * (least(1, value.probability_to_buy + uplift) - value.probability_to_buy)
            * average_order_value * value.margin
        from marts.segment_value as value
        inner join segmentation.segment_assumptions using (segment_key)
        where segment_key = 'S1'
    """
    [(cost, gain)] = shop.rows(formula)
    only = shop.copy(tmp_path, non_product_pattern="SHIPPING")
    only.run_sql(
        f"insert into {SEED} select segment_key, 'cap_share', 0, 0, 0, 'assumed'"
        " from marts.segment_summary where segment_key <> 'S1'"
    )

    only.build(
        "--select", "segment_assumptions", "segment_value", "segment_budget",
        marketing_budget=round(cost, 2),
    )  # fmt: skip

    [(spend, profit)] = only.rows(
        "select spend, incremental_profit from marts.segment_budget where segment_key = 'S1'"
    )
    assert float(spend) == round(cost, 2)
    assert profit == pytest.approx(gain - cost, abs=0.02)
    assert only.value("select max(spend) from marts.segment_budget where segment_key <> 'S1'") == 0


def test_campaigns_replace_the_assumed_uplift(shop: harness.Shop, tmp_path: Path) -> None:
    measured = shop.copy(tmp_path, non_product_pattern="SHIPPING")
    measured.run_sql(
        "insert into marts.campaign_results values"
        " ('may', 'S1', 400, 60, 100, 10, '2025-05-31'), ('may', 'S2', 400, 40, 100, 10, null),"
        " ('june', 'S1', 400, 60, 100, 10, '2025-06-30')"
    )

    measured.build("--select", "campaign_uplift", "segment_budget")

    assert measured.rows(
        "select segment_key, campaigns, last_ends_on::varchar, round(uplift, 9)"
        " from marts.campaign_uplift"
    ) == [("S1", 2, "2025-06-30", 0.05), ("S2", 1, None, 0.0)]
    basis = dict(measured.rows("select segment_key, uplift_basis from marts.segment_budget"))
    assert {key for key, word in basis.items() if word == "measured"} == {"S1", "S2"}
    assert measured.rows(
        "select segment_key, spend, binding from marts.segment_budget where segment_key = 'S2'"
    ) == [("S2", 0, "floor")]


def test_without_history_the_budget_is_split_by_what_is_assumed(
    shop: harness.Shop, tmp_path: Path
) -> None:
    young = shop.copy(tmp_path, non_product_pattern="SHIPPING", horizon_days=10_000)

    young.build("--select", "past_as_of+", "--exclude", "resource_type:unit_test")

    assert young.rows(
        "select distinct basis, past_customers, expected_revenue, probability_to_buy"
        " from marts.segment_value"
    ) == [("no history", 0, None, None)]
    assert young.rows("select distinct value_basis from marts.segment_budget") == [("assumed",)]
    assert young.value("select sum(spend) from marts.segment_budget") == 10000


@pytest.mark.parametrize(
    ("statement", "dbt_vars", "failing", "message"),
    [
        (
            f"update {SEED} set base = 1.4, high = 1.5 where assumption = 'margin'",
            {},
            "segment_assumptions",
            "marketing_assumptions: margin of all got base 1.4; accepted is a number from 0 to 1",
        ),
        (
            "insert into marts.campaign_results values ('may', 'S77', 10, 1, 10, 1, null)",
            {},
            "campaign_uplift",
            "campaign_results: campaign 'may' and segment 'S77': unknown segment; accepted are",
        ),
        (
            f"insert into {SEED} values ('all', 'cap_per_customer', 0.01, 0.01, 0.01, 'assumed')",
            {},
            "segment_budget",
            "budget_allocation: the caps sum to ",
        ),
        *(
            (
                "select 1",
                {"marketing_budget": budget},
                "segment_budget",
                f"segment_budget: marketing_budget got '{budget}'; accepted is a number from 0.01",
            )
            for budget in (0, "plenty")
        ),
    ],
)
def test_bad_input_fails_alone(
    shop: harness.Shop,
    tmp_path: Path,
    statement: str,
    dbt_vars: dict[str, object],
    failing: str,
    message: str,
) -> None:
    """Only the model that reads it fails, and what needs it is skipped."""
    bad = shop.copy(tmp_path, non_product_pattern="SHIPPING")
    bad.run_sql(statement)

    result = bad.dbt(
        "run", "--select", "customer_values", "segment_assumptions", "campaign_uplift",
        "segment_value", "segment_budget", "segment_recommendations", **dbt_vars,
    )  # fmt: skip

    assert result.code == 1
    assert message in result.output
    assert f"Failure in model {failing} " in result.output
    skipped = {"segment_assumptions": 2, "campaign_uplift": 1, "segment_budget": 0}[failing]
    # The hook that may publish is one of them.
    assert f"PASS={6 - skipped} WARN=0 ERROR=1 SKIP={skipped}" in result.output
    assert "Traceback" not in result.output
