"""UCI Online Retail (doi 10.24432/C5BW33): published facts of the file, found in the marts."""

from __future__ import annotations

from collections.abc import Callable

import harness
import pytest

Build = Callable[[str], harness.Shop]


@pytest.fixture
def shop(build: Build) -> harness.Shop:
    return build("online_retail")


def test_data_quality(shop: harness.Shop) -> None:
    reasons = shop.rows("select reason, order_lines from marts.data_quality where not is_flag")

    assert sum(lines for _, lines in reasons) == 541_909
    assert dict(reasons)["no customer"] == 135_080
    assert dict(reasons)["used"] == 397_884
    assert list(dict(reasons)) == [
        "no customer",
        "cancellation or return",
        "price not positive",
        "order after the load date",
        "used",
    ]
    flags = dict(shop.rows("select reason, order_lines from marts.data_quality where is_flag"))
    assert flags["duplicate line"] == 5_268
    amount = shop.value("select amount from marts.data_quality where reason = 'used'")
    assert amount == pytest.approx(8_911_407.90, abs=0.01)


def test_customers(shop: harness.Shop) -> None:
    assert shop.value("select count(*) from features.customer_features") == 4_338
    assert shop.value("select count(*) from marts.rfm_segments") == 4_338
    # 4,372 customers in the file: the others only ever cancelled.
    assert shop.value("select count(*) from marts.customer_segments") == 4_372
    assert str(shop.value("select max(as_of_date) from marts.customer_segments")) == "2011-12-09"


def test_cancellations_reduce_monetary(shop: harness.Shop) -> None:
    # Customer 16446 bought 80,995 paper crafts (and two brushes) and cancelled the crafts.
    gross, net = shop.rows(
        "select average_order_value * frequency, monetary from features.customer_features"
        " where customer_id = '16446'"
    )[0]
    assert gross == pytest.approx(168_472.50)
    assert net == pytest.approx(2.90)
    total = shop.value("select sum(monetary) from features.customer_features")
    assert total < 8_911_407.90


def test_readable_segments(shop: harness.Shop) -> None:
    summary = shop.rows("select segment_key, segment_name, share from marts.segment_summary")

    assert 3 <= len(summary) <= 11
    assert sum(share for _, _, share in summary) == pytest.approx(1)
    assert len({name for _, name, _ in summary}) == len(summary)
