"""Any shop's tables can be mapped: odd names, files, text columns, sources that are absent."""

from __future__ import annotations

from pathlib import Path

import duckdb
import harness
import pytest

ODD_LINES = '''
create table "my.shop"."order ""lines""" as
select
    customer_id as "Kunde (Nr.)",
    order_id as "order",
    strftime(ordered_at, '%d/%m/%Y %H:%M') as "größe ""am""",
    product_id as "select",
    quantity::varchar as "Anz'ahl",
    unit_price::decimal(12, 2) as "price.each"
from {lines}
'''

ODD_VARS = {
    "order_lines": {
        "relation": '"my.shop"."order ""lines"""',
        "customer": "Kunde (Nr.)",
        "order": "order",
        "timestamp": 'größe "am"',
        "timestamp_format": "%d/%m/%Y %H:%M",
        "product": "select",
        "quantity": "Anz'ahl",
        "price": "price.each",
    }
}


@pytest.fixture
def features(small_shop: harness.Shop) -> list[tuple]:
    return small_shop.rows("from features.rfm_features order by customer_id")


def test_odd_names(small_shop: harness.Shop, features: list[tuple], tmp_path: Path) -> None:
    shop = harness.new_shop(tmp_path, 'create schema "my.shop"', **ODD_VARS)
    attach = f"attach '{small_shop.database}' as other (read_only)"
    shop.run_sql(f"{attach}; {ODD_LINES.format(lines='other.raw.order_lines')}")

    result = shop.build("--select", "+rfm_features")

    assert "there is no raw.customers" in shop.dbt("run", "--select", "stg_customers").output
    assert result.code == 0
    assert shop.rows("from features.rfm_features order by customer_id") == features


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files(
    ending: str, small_shop: harness.Shop, features: list[tuple], tmp_path: Path
) -> None:
    file = tmp_path / f"the shop's lines.{ending}"
    with duckdb.connect(str(small_shop.database), read_only=True) as connection:
        lines = connection.sql("from raw.order_lines")
        (lines.write_csv if ending == "csv" else lines.write_parquet)(str(file))
    shop = harness.new_shop(tmp_path / "shop", order_lines={"relation": str(file)})

    shop.build("--select", "+rfm_features")

    assert shop.rows("from features.rfm_features order by customer_id") == features


@pytest.mark.parametrize(
    "relation", ["shop.raw.order_lines", '"SHOP"."raw"."order_lines"', "lines"]
)
def test_relation_names(
    relation: str, small_shop: harness.Shop, features: list[tuple], tmp_path: Path
) -> None:
    shop = small_shop.copy(tmp_path, order_lines={"relation": relation})
    shop.run_sql("create view main.lines as from raw.order_lines", "drop schema features cascade")

    shop.build("--select", "+rfm_features")

    assert shop.rows("from features.rfm_features order by customer_id") == features


def test_ids_of_text_files_stay_text(tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_text(
        "customer_id,order_id,ordered_at,product_id,quantity,unit_price\n"
        "007,1,2025-01-01,0042,1,2.50\n08,2,2025-01-02,0042,1,2.50\n"
    )
    shop = harness.new_shop(tmp_path / "shop", order_lines={"relation": str(file)})

    assert shop.dbt("run", "--select", "stg_order_lines").code == 0

    assert shop.rows("select customer_id, product_id from staging.stg_order_lines") == [
        ("007", "0042"),
        ("08", "0042"),
    ]


def test_dates_of_text_files_in_their_own_notation(tmp_path: Path) -> None:
    """DuckDB finds out how they are written, and must not forget it on the way."""
    file = tmp_path / "lines.csv"
    rows = [f"{who},{who}{day},{day:02d}.12.2025,p,1,{day}" for who in "abc" for day in (5, 13, 28)]
    file.write_text("\n".join(["who,bill,day,what,n,each", *rows, ""]), encoding="utf-8")
    lines = {
        "relation": str(file), "customer": "who", "order": "bill", "timestamp": "day",
        "product": "what", "quantity": "n", "price": "each",
    }  # fmt: skip
    shop = harness.new_shop(tmp_path, order_lines=lines)
    shop.build("--select", "+rfm_features")
    assert shop.rows(
        "select customer_id, recency, frequency, monetary, tenure from features.rfm_features"
        " order by customer_id"
    ) == [(who, 0, 3, 46.0, 23) for who in "abc"]


def test_values_are_cleaned_by_stated_rules(tmp_path: Path) -> None:
    shop = harness.new_shop(
        tmp_path,
        "create table raw.order_lines as from (values"
        " (1.0::double, 'a', '2025-01-01 10:00:00+02', 25671.0::double, ' 3 ', 'nan'::double),"
        " ('nan'::double, ' ', null, null, '', 'inf'::double),"
        " (2.5::double, 'b', '2025-01-02', 1e300::double, '1e2', 4::double)"
        ") as lines (customer_id, order_id, ordered_at, product_id, quantity, unit_price)",
    )

    result = shop.dbt("run", "--select", "stg_order_lines")

    assert result.code == 0, result.output
    assert shop.rows(
        "select customer_id, order_id, ordered_at::varchar, product_id, quantity, unit_price"
        " from staging.stg_order_lines"
    ) == [
        ("1", "a", "2025-01-01 08:00:00", "25671", 3.0, None),
        (None, None, None, None, None, None),
        ("2.5", "b", "2025-01-02 00:00:00", "1e+300", 100.0, 4.0),
    ]


def test_absent_sources_drop_their_features(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)
    assert shop.columns("features.customer_features")[-2:] == ["age", "gender"]
    shop.run_sql("drop table raw.customers")

    result = shop.build()

    assert "segql: there is no raw.customers, so its features are left out" in result.output
    assert shop.columns("features.customer_features")[-1] == "distinct_products"
    assert shop.value("select count(*) from features.prospects") == 0


def test_events_and_demographics(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(
        tmp_path,
        as_of_date="2025-06-30",
        customers={"customer": "customer_id", "demographics": {"Alter": "age", "age": "born"}},
    )
    shop.run_sql(
        "alter table raw.customers add column born double default 'inf'",
        "create table raw.events as from (values"
        " ('c001', timestamp '2025-06-30 23:00:00', 'E-Mail öffnen'),"
        " ('c001', timestamp '2025-06-01 23:00:00', 'view'),"
        " ('c001', timestamp '2025-01-01 23:00:00', 'view'),"
        " ('c001', timestamp '2025-07-01 00:00:00', 'view'),"
        " (null, timestamp '2025-06-01 23:00:00', 'view')"
        ") as events (customer_id, occurred_at, event_type)",
    )

    shop.build("--select", "+customer_features")

    totals = '"events", active_days, days_since_last_event, sessions'
    totals += ", events_30_days, views_30_days, views_90_days, events_365_days"
    totals += ', "e_mail_öffnen_events", view_events'
    assert shop.rows(
        f"select {totals} from features.behavior_features"
        " where customer_id in ('c001', 'c002') order by customer_id"
    ) == [(3, 3, 0, 3, 2, 1, 1, 3, 1, 2), (0, 0, None, 0, 0, 0, 0, 0, 0, 0)]
    windows = [
        f"{measure}_{days}_days"
        for days in (30, 90, 365)
        for measure in ("events", "active_days", "sessions", "views", "carts", "conversion",
                        "campaign_responses", "campaign_response_rate")
    ]  # fmt: skip
    assert shop.columns("features.customer_features")[9:] == [
        "Alter", "age", "events", "active_days", "days_since_last_event", "sessions",
        *windows, "e_mail_öffnen_events", "view_events",
    ]  # fmt: skip
    assert shop.value("select count(age) from features.customer_features") == 0


def test_birth_date_becomes_age(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path, as_of_date="2025-06-30")
    shop.run_sql(
        "create or replace table raw.customers as select 'c001' as customer_id,"
        " date '1990-07-01' as birth_date",
    )

    shop.build("--select", "+customer_features")

    assert shop.value("select age from features.customer_features where customer_id = 'c001'") == 34


def test_events_can_be_switched_off(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)

    result = shop.dbt("run", "--select", "stg_customers", customers=None)

    assert "segql: customers is switched off" in result.output
    assert shop.value("select count(*) from staging.stg_customers") == 0


def test_rows_left_out_are_counted(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)
    shop.run_sql(
        "insert into raw.customers values (null, 30, 'f'), (null, 31, 'm')",
        "create table raw.products as"
        " from (values (1.0, 'b', 'x'), (1.0, 'a', 'x'), (2.0, 'c', 'y'))"
        " as products (product_id, product_name, category)",
    )

    result = shop.dbt("run", "--select", "staging")

    assert "segql: 2 rows of raw.customers have no customer id and are left out" in result.output
    assert "segql: 1 rows of raw.products repeat a product id" in result.output
    assert shop.rows("select product_id, product_name from staging.stg_products order by all") == [
        ("1", "a"),
        ("2", "c"),
    ]


def test_an_as_of_date_beyond_the_load_keeps_later_orders_out(
    small_shop: harness.Shop, tmp_path: Path
) -> None:
    shop = small_shop.copy(tmp_path, as_of_date="2025-12-31", loaded_at="2025-06-15")

    shop.build("--select", "+data_quality")

    late = shop.value("select count(*) from raw.order_lines where ordered_at > '2025-06-16'")
    assert late > 0
    assert late == shop.value(
        "select order_lines from marts.data_quality where reason = 'order after the load date'"
    )
