"""Complete Journey 2.0 (84.51°): demographics, products and events beside the order lines."""

from __future__ import annotations

from collections.abc import Callable

import harness
import pytest


@pytest.fixture
def shop(build: Callable[[str], harness.Shop]) -> harness.Shop:
    return build("complete_journey")


def test_lines_and_households(shop: harness.Shop) -> None:
    assert shop.value("select sum(order_lines) from marts.data_quality where not is_flag") == 75_000
    assert shop.value("select count(*) from marts.customer_segments") == 2_377
    assert shop.value("select count(*) from staging.stg_customers") == 801
    assert shop.value("select count(age) from features.customer_features") == 801


def test_products_meet_order_lines(shop: harness.Shop) -> None:
    # The products' ids are doubles in the file, those of the order lines are not.
    unmatched = shop.value(
        "select count(*) from staging.stg_order_lines as lines"
        " anti join staging.stg_products as products using (product_id)"
    )

    assert unmatched < 0.02 * 75_000


def test_behaviour_features(shop: harness.Shop) -> None:
    redeemed = shop.value("select count(*) from raw.events where event_type = 'coupon redemption'")

    assert redeemed == 2_102
    columns = shop.columns("features.customer_features")
    assert columns[-2:] == ["campaign_events", "coupon_redemption_events"]
    assert (
        0
        < shop.value("select sum(coupon_redemption_events) from features.customer_features")
        <= redeemed
    )
