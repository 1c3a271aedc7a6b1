"""Scores are tie-safe, point the right way, and stay when others move."""

from __future__ import annotations

from pathlib import Path

import harness

SCORES = "select customer_id, rfm_code, rfm_segment from marts.rfm_segments order by customer_id"

# 70 of 100 customers ordered once, on three days.
TIED_SHOP = """
create table raw.order_lines as
select
    'c' || lpad(customer::varchar, 3, '0') as customer_id,
    customer || '-' || place as order_id,
    timestamp '2025-06-30' - to_days(if(customer < 70, 30 * (customer % 3), customer - place))
        as ordered_at,
    'p' as product_id,
    1 as quantity,
    (10 + customer % 7 + place)::double as unit_price
from range(100) as customers (customer), range(9) as places (place)
where place = 0 or (customer >= 70 and place <= customer % 9)
"""


def tied_shop(folder: Path, order: str = "all") -> harness.Shop:
    return harness.new_shop(
        folder,
        TIED_SHOP,
        f"create or replace table raw.order_lines as from raw.order_lines order by {order}",
    )


def score(shop: harness.Shop, *command: str, **dbt_vars: object) -> list[tuple]:
    shop.build("--select", "+rfm_segments", *command, **dbt_vars)
    return shop.rows(SCORES)


def test_equal_customers_share_scores_in_any_order(tmp_path: Path) -> None:
    first = tied_shop(tmp_path / "first")
    scores = score(first)

    assert scores == score(tied_shop(tmp_path / "second", "hash(order_id)"))
    for value, name in [("recency", "r"), ("frequency", "f"), ("monetary", "m")]:
        assert (
            first.value(
                "select max(scores) from (select count(distinct"
                f" {name}_score) as scores from marts.rfm_segments group by {value})"
            )
            == 1
        )
    assert first.rows(
        "select distinct frequency, f_score from marts.rfm_segments order by all"
    ) == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (6, 5), (7, 5), (8, 5), (9, 5)]
    assert first.value("select method from segql.rfm_cuts where dimension = 'frequency'") == (
        "fixed: 1, 2, 3, 4-5, 6+"
    )


def test_best_is_555_and_worst_is_111(tmp_path: Path) -> None:
    shop = tied_shop(tmp_path)
    shop.run_sql(
        "insert into raw.order_lines select 'best', 'b' || place, timestamp '2025-06-30', 'p', 1,"
        " 1000 from range(20) as places (place)",
        "insert into raw.order_lines values ('worst', 'w', '2024-01-01', 'p', 1, 0.01)",
    )

    scores = dict((customer, code) for customer, code, _ in score(shop))

    assert scores["best"] == "555"
    assert scores["worst"] == "111"


def test_cuts_are_kept_until_a_full_refresh(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)
    before = shop.rows(SCORES)
    cuts = shop.rows("from segql.rfm_cuts order by all")
    shop.run_sql(
        "insert into raw.order_lines select 'n' || number, 'n' || number,"
        " timestamp '2025-06-29 12:00:00', 'p', 1, 2 from range(30) as numbers (number)"
    )

    after = score(shop)
    assert shop.rows("from segql.rfm_cuts order by all") == cuts
    assert [row for row in after if row[0].startswith("c")] == before

    score(shop, "--full-refresh")
    assert shop.rows("from segql.rfm_cuts where version = 1 order by all") == cuts
    assert shop.rows("select version, count(*) from segql.rfm_cuts group by all order by all") == [
        (1, 3),
        (2, 3),
    ]
    assert shop.rows("select distinct cuts_version from marts.rfm_segments") == [(2,)]


def test_cuts_can_be_given(tmp_path: Path) -> None:
    shop = tied_shop(tmp_path)

    score(shop, rfm_monetary_cuts=[11, 12, 13, 14.5])
    later = shop.build("--select", "rfm_cuts", rfm_monetary_cuts=[1, 2, 3, 4])

    assert "rfm_monetary_cuts is not the stored cut points, which are kept" in later.output

    assert shop.rows(
        "select cut_1, cut_4, method from segql.rfm_cuts where dimension = 'monetary'"
    ) == [(11.0, 14.5, "given in vars")]
    assert shop.rows(
        "select distinct monetary, m_score from marts.rfm_segments"
        " where frequency = 1 and monetary < 17 order by all"
    ) == [(10.0, 1), (11.0, 1), (12.0, 2), (13.0, 3), (14.0, 4), (15.0, 5), (16.0, 5)]
