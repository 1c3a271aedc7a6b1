"""The past is rebuilt as it was, movement adds up, and nobody moves while all is frozen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import harness
import pytest

MARTS = [
    "segment_products", "customer_recommendations", "segment_value", "segment_budget",
    "segment_trust", "segment_backtest", "customer_segments", "rfm_segments", "segment_summary",
    "segment_profiles", "segment_recommendations", "data_quality", "rfm_cut_points",
    "segment_history", "segment_transitions",
]  # fmt: skip
HISTORY = "from marts.segment_history order by all"


@pytest.fixture(scope="session")
def shop(demo: tuple[harness.Shop, harness.Result]) -> harness.Shop:
    return demo[0]


@pytest.fixture(scope="module")
def rebuilt(shop: harness.Shop, tmp_path_factory: pytest.TempPathFactory) -> harness.Shop:
    """Rebuild four month ends by the documented command."""
    past = shop.copy(tmp_path_factory.mktemp("past"))
    result = past.dbt("run", "--select", "segment_history", "segment_transitions", history_months=4)
    assert result.code == 0, result.output
    return past


def test_past_month_ends(rebuilt: harness.Shop) -> None:
    assert [
        str(date)
        for (date,) in rebuilt.rows(
            "select distinct as_of_date from marts.segment_history order by 1"
        )
    ] == ["2025-08-31", "2025-09-30", "2025-10-31", "2025-11-30", "2025-12-31"]
    assert (
        rebuilt.value(
            "select count(*) - count(distinct (customer_id, as_of_date)) from marts.segment_history"
        )
        == 0
    )
    assert (
        rebuilt.value(
            "select count(*) from marts.segment_history"
            " where segment_key is null or rfm_segment is null"
            " or (segment_key = 'prospect') <> (model_version is null)"
        )
        == 0
    )


def test_past_is_what_a_run_would_have_seen(
    rebuilt: harness.Shop, shop: harness.Shop, tmp_path: Path
) -> None:
    """A warehouse that only holds what had happened by then gives the same segments."""
    then = shop.copy(tmp_path, as_of_date="2025-09-30", loaded_at="2025-09-30")
    then.run_sql(
        "delete from raw.order_lines where ordered_at >= date '2025-10-01'",
        "delete from raw.events where occurred_at >= date '2025-10-01'",
    )

    then.build()

    query = "from marts.segment_history where as_of_date = date '2025-09-30' order by customer_id"
    assert len(then.rows(query)) > 2000
    assert rebuilt.rows(query) == then.rows(query)


def test_again_changes_nothing_and_order_does_not_matter(
    rebuilt: harness.Shop, tmp_path: Path
) -> None:
    before = rebuilt.rows(HISTORY)
    again = rebuilt.copy(tmp_path)

    for arguments in ({"history_months": 4}, {}, {"history_months": 1}):
        result = again.dbt("run", "--select", "segment_history", "--full-refresh", **arguments)
        assert result.code == 0, result.output
        assert again.rows(HISTORY) == before


def test_months_before_the_first_order_are_said(rebuilt: harness.Shop, tmp_path: Path) -> None:
    again = rebuilt.copy(tmp_path)

    result = again.dbt("run", "--select", "segment_history", history_months=500)

    assert result.code == 0, result.output
    assert " of 500 month ends lie on or after the first order (" in result.output


def test_months_have_to_be_a_number(rebuilt: harness.Shop, tmp_path: Path) -> None:
    again = rebuilt.copy(tmp_path)

    result = again.dbt("run", "--select", "segment_history", history_months="a year")

    assert result.code != 0
    assert (
        "segment_history: history_months got 'a year'; accepted is a whole number from 0"
        in result.output
    )
    assert again.rows(HISTORY) == rebuilt.rows(HISTORY)


def test_transitions_add_up(rebuilt: harness.Shop) -> None:
    population = rebuilt.value(
        "select count(distinct customer_id) from marts.segment_history"
        " where as_of_date in ('2025-11-30', '2025-12-31')"
    )
    spent = rebuilt.rows(
        "select segmentation, sum(customers), round(sum(share), 9), round(sum(revenue), 2)"
        " from marts.segment_transitions group by 1 order by 1"
    )
    between = rebuilt.value(
        "select round(sum(if(as_of_date = '2025-12-31', monetary, -monetary)), 2)"
        " from marts.segment_history where as_of_date in ('2025-11-30', '2025-12-31')"
    )
    assert spent == [
        ("customer_segments", population, 1.0, between),
        ("rfm_segments", population, 1.0, between),
    ]
    for side, date in (("from", "2025-11-30"), ("to", "2025-12-31")):
        assert rebuilt.rows(
            f"select {side}_segment, sum(customers) from marts.segment_transitions where"
            f" segmentation = 'customer_segments' and {side}_segment not in ('entry', 'exit')"
            " group by 1 order by 1"
        ) == rebuilt.rows(
            "select segment_key, count(*) from marts.segment_history"
            f" where as_of_date = '{date}' group by 1 order by 1"
        )


def test_entries_and_exits_are_named(rebuilt: harness.Shop, tmp_path: Path) -> None:
    shop = rebuilt.copy(tmp_path)
    shop.run_sql(
        "delete from marts.segment_history where as_of_date = '2025-11-30'"
        " and customer_id in (select customer_id from marts.segment_history"
        " where as_of_date = '2025-11-30' order by 1 limit 7)",
        "delete from marts.segment_history where as_of_date = '2025-12-31'"
        " and customer_id in (select customer_id from marts.segment_history"
        " where as_of_date = '2025-12-31' order by 1 desc limit 5)",
    )

    newcomers = shop.value("select count(*) from raw.customers where registered_at >= '2025-12-01'")

    result = shop.dbt("run", "--select", "segment_transitions")

    assert result.code == 0, result.output
    assert shop.rows(
        "select segmentation, sum(customers) filter (from_segment = 'entry'),"
        " sum(customers) filter (to_segment = 'exit') from marts.segment_transitions"
        " group by 1 order by 1"
    ) == [("customer_segments", 7 + newcomers, 5), ("rfm_segments", 7 + newcomers, 5)]


def test_new_buyers_move_nobody(shop: harness.Shop, tmp_path: Path) -> None:
    """20 % new one-time buyers, model, cuts and as-of date held: nobody else changes segment."""
    grown = shop.copy(tmp_path, as_of_date="2025-12-31")
    customers = "select customer_id, segment_key from marts.customer_segments"
    scores = "select customer_id, rfm_segment from marts.rfm_segments"
    before = [dict(grown.rows(query)) for query in (customers, scores)]
    added = len(before[1]) // 5
    columns = grown.columns("raw.order_lines")
    assert {"customer_id", "order_id", "ordered_at", "unit_price"} <= set(columns)
    grown.run_sql(
        "insert into raw.order_lines by name select 'new' || number as customer_id,"
        " 'new' || number as order_id, timestamp '2025-12-01' + to_days((number % 30)::integer)"
        " as ordered_at, 'p' as product_id, 1 as quantity, 5.0 + number % 50 as unit_price"
        f" from range({added}) as numbers (number)"
    )

    grown.build()

    after = [dict(grown.rows(query)) for query in (customers, scores)]
    assert len(after[1]) == len(before[1]) + added
    for old, new in zip(before, after, strict=True):
        assert {key for key in old if new[key] != old[key]} == set()


def test_threads_and_reruns_give_the_same_marts(shop: harness.Shop, tmp_path: Path) -> None:
    digests = []
    for run in range(2):
        for threads in ("1", "4"):
            copy = harness.new_shop(tmp_path / f"{threads}-{run}")
            source = shop.database
            copy.run_sql(
                f"attach '{source}' as source (read_only)",
                *(
                    f"create table raw.{name} as from source.raw.{name}"
                    f" order by hash({name}, {run})"
                    for name in ("order_lines", "customers", "events", "products")
                ),
            )
            copy.build("--threads", threads, **shop.dbt_vars)
            digests.append(
                {k: v for k, v in copy.contents().items() if any(f'"{m}"' in k for m in MARTS)}
            )
    assert len(digests[0]) == len(MARTS)
    assert all(digest == digests[0] for digest in digests)


def test_function_resource_and_macro_agree(shop: harness.Shop, cli: str) -> None:
    """As a dbt function, and as the macro that a plain run leaves: from a client without Python."""
    query = (
        "select count(*) from features.customer_features as f join segmentation.kmeans_segments"
        " as s using (customer_id) where {}(recency, frequency, monetary, tenure)"
        " is distinct from s.segment_key"
    )
    for function in ("segmentation.customer_segment_key", "segql.customers_segment_key"):
        done = subprocess.run(
            [cli, "-readonly", "-noheader", "-list", str(shop.database), query.format(function)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout.strip() == "0", done.stderr


def test_function_without_all_features_says_so(shop: harness.Shop, tmp_path: Path) -> None:
    wider = shop.copy(
        tmp_path,
        segmentation_features={"recency": {}, "frequency": {}, "distinct_products": {}},
    )

    result = wider.dbt("build", "--full-refresh", "--select", "kmeans_segments",
                       "customer_segment_key")  # fmt: skip

    assert result.code == 0, result.output
    assert "function customer_segment_key has no argument for distinct_products" in result.output
    assert wider.value(
        "select segmentation.customer_segment_key(5, 3, 100, 400)"
        " = segql.customers_segment_key(recency := 5, frequency := 3)"
    )
