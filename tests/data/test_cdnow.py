"""CDNOW (Fader & Hardie): a shop without customers, events or product names."""

from __future__ import annotations

from collections.abc import Callable

import harness
import pytest


@pytest.fixture
def shop(build: Callable[[str], harness.Shop]) -> harness.Shop:
    return build("cdnow")


def test_facts_of_the_file(shop: harness.Shop) -> None:
    quality = dict(shop.rows("select reason, order_lines from marts.data_quality"))

    assert (
        sum(shop.rows("select sum(order_lines) from marts.data_quality where not is_flag")[0])
        == 69_659
    )
    assert quality["duplicate line"] == 255
    assert quality["price not positive"] == 80
    assert shop.value("select count(*) from marts.customer_segments") == 23_570
    assert shop.value("select sum(monetary) from features.customer_features") == pytest.approx(
        2_500_315.63, abs=0.01
    )


def test_one_time_buyers_share_a_frequency_score(shop: harness.Shop) -> None:
    assert shop.rows("select distinct f_score from marts.rfm_segments where frequency = 1") == [
        (1,)
    ]
    assert shop.value("select method from segql.rfm_cuts where dimension = 'frequency'").startswith(
        "fixed"
    )
