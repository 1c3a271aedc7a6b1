"""The marts of the demo shop: complete, described, equal on every run."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import harness
import pytest
from sklearn.metrics import adjusted_rand_score

REASONS = [
    "no customer",
    "cancellation or return",
    "price not positive",
    "order after the load date",
    "used",
]
MARTS = {
    "customer_segments": [
        "customer_id", "segment_id", "segment_key", "segment_name", "distance",
        "next_segment_id", "confidence", "model_version", "as_of_date",
    ],
    "rfm_segments": [
        "customer_id", "recency", "frequency", "monetary", "r_score", "f_score", "m_score",
        "rfm_code", "rfm_segment", "cuts_version", "as_of_date",
    ],
    "segment_summary": [
        "segment_key", "segment_name", "customers", "share", "orders", "revenue",
        "revenue_share", "average_order_value", "days_since_last_order", "rule",
        "rule_coverage", "rule_precision", "trust",
    ],
    "segment_profiles": [
        "segment_key", "segment_name", "feature", "level", "customers", "mean", "overall_mean",
        "index_100", "z_score", "place", "is_clustered_on", "relevance", "eta_squared",
        "feature_rank", "trust",
    ],
    "segment_recommendations": [
        "segmentation", "segment_key", "segment_name", "archetype", "customers", "action",
        "offer_style", "channel", "timing", "intervals", "median_interval_days",
        "contact_after_days", "timing_basis", "customers_due", "measure", "trust",
    ],
    "segment_trust": [
        "segment_key", "segment_name", "customers", "share", "fitted_share", "share_drift",
        "jaccard", "verdict", "is_trusted", "silhouette", "reason", "model_version",
        "prefers_one", "noise_share", "previous_version", "ari_to_previous", "refit_moved",
        "bootstraps", "bootstrap_rows", "sample_rows", "input_rows", "caps",
    ],
    "segment_readiness": ["kind", "name", "value", "bound", "is_met", "reason"],
    "data_quality": ["source", "reason", "is_flag", "order_lines", "amount"],
    "rfm_cut_points": [
        "version", "is_current", "dimension", "score", "from_value", "to_value", "method",
        "as_of_date", "customers",
    ],
    "segment_history": [
        "customer_id", "as_of_date", "segment_key", "rfm_segment", "monetary", "model_version",
        "cuts_version",
    ],
    "segment_transitions": [
        "segmentation", "from_date", "to_date", "from_segment", "to_segment", "customers", "share",
        "share_of_from_segment", "revenue",
    ],
    "segment_products": [
        "segment_key", "segment_name", "rank", "note", "product_id", "product_name", "category",
        "buyers", "segment_buyers", "share", "overall_share", "index_100", "p_value", "q_value",
        "is_distinctive", "trust",
    ],
    "customer_recommendations": [
        "customer_id", "rank", "product_id", "product_name", "category", "source", "reason",
        "score",
    ],
    "segment_value": [
        "segment_key", "segment_name", "customers", "horizon_days", "probability_to_buy",
        "expected_orders", "average_order_value", "margin", "margin_basis", "expected_revenue",
        "expected_revenue_low", "expected_revenue_high", "expected_profit", "expected_profit_low",
        "expected_profit_high", "past_customers", "basis", "trust",
    ],
    "campaign_uplift": [
        "segment_key", "segment_name", "campaigns", "last_ends_on", "treated", "treated_buyers",
        "treated_rate", "holdout", "holdout_buyers", "holdout_rate", "uplift", "uplift_low",
        "uplift_high", "trust",
    ],
    "segment_budget": [
        "segment_key", "segment_name", "customers", "probability_to_buy", "average_order_value",
        "margin", "uplift", "uplift_basis", "value_basis", "break_even_uplift", "spend",
        "optimal_spend", "floor", "cap", "binding", "marginal_return", "worthwhile_spend",
        "incremental_profit_low", "incremental_profit", "incremental_profit_high", "roi",
        "uniform_spend", "uniform_profit", "trust",
    ],
    "segment_backtest": [
        "segmentation", "status", "past_date", "next_until", "horizon_days", "past_days",
        "customers", "segments", "next_revenue", "eta_squared", "eta_squared_log",
        "top_revenue_share", "lift", "gini", "customer_gini", "buyers", "all_buyers",
        "hit_rate_at_10", "precision_at_10", "popular_hit_rate_at_10", "popular_precision_at_10",
        "model_version", "verdict",
    ],
}  # fmt: skip


@pytest.fixture(scope="session")
def shop(demo: tuple[harness.Shop, harness.Result]) -> harness.Shop:
    return demo[0]


@pytest.mark.parametrize("mart", MARTS)
def test_columns(mart: str, shop: harness.Shop) -> None:
    assert shop.columns(f"marts.{mart}") == MARTS[mart]


def test_data_quality(shop: harness.Shop) -> None:
    rows = shop.rows("select reason, order_lines from marts.data_quality where not is_flag")

    assert [reason for reason, _ in rows] == REASONS
    assert all(lines > 0 for _, lines in rows)
    assert sum(lines for _, lines in rows) == shop.value("select count(*) from raw.order_lines")
    assert shop.rows("select reason from marts.data_quality where is_flag") == [
        ("duplicate line",),
        ("non-product code",),
    ]
    repeats = "select count(*) - count(distinct hash(lines)) from raw.order_lines as lines"
    assert shop.value(
        "select order_lines from marts.data_quality where reason = 'duplicate line'"
    ) == shop.value(repeats)


def test_dropped_lines_leave_used(shop: harness.Shop, tmp_path: Path) -> None:
    query = (
        "select sum(order_lines) from marts.data_quality where not is_flag",
        "select sum(order_lines) from marts.data_quality"
        " where not is_flag and (reason = 'used' or reason like '%dropped')",
        "select order_lines from marts.data_quality where reason = 'used'",
    )
    before = [shop.value(text) for text in query]
    dropping = shop.copy(tmp_path, non_product_pattern="SHIPPING")

    dropping.build(
        "--select", "+data_quality", drop_duplicate_lines=True, drop_non_product_lines=True
    )

    after = [dropping.value(text) for text in query]
    assert after[:2] == before[:2]
    assert after[2] < before[2]
    assert (
        dropping.value(
            "select count(*) from features.order_line_reasons"
            " where reason = 'used' and (is_duplicate or product_id = 'SHIPPING')"
        )
        == 0
    )


def test_prospects_are_kept(shop: harness.Shop) -> None:
    prospects = shop.value(
        "select count(*) from marts.customer_segments where segment_key = 'prospect'"
    )

    # Never bought, or only lines that are not used.
    assert prospects >= shop.value("select count(*) from raw.customers where planted_group is null")
    assert prospects == shop.value(
        "select count(*) from raw.customers"
        " anti join features.customer_features using (customer_id)"
    )
    assert shop.value("select count(*) from marts.customer_segments") == shop.value(
        "select count(*) from raw.customers"
    )
    assert shop.rows(
        "select segment_name, orders, revenue from marts.segment_summary"
        " where segment_key = 'prospect'"
    ) == [("Prospects", 0, 0.0)]


def test_second_run_changes_nothing(shop: harness.Shop, tmp_path: Path) -> None:
    again = shop.copy(tmp_path, non_product_pattern="SHIPPING")
    before = again.contents()

    again.build()

    assert again.contents() == before


def test_rows_and_threads_do_not_matter(shop: harness.Shop, tmp_path: Path) -> None:
    again = shop.copy(tmp_path, non_product_pattern="SHIPPING")
    query = "select * exclude (model_version) from marts.customer_segments order by customer_id"
    money = "from marts.segment_value", "from marts.segment_budget"
    before = again.rows(query)
    worth = [again.rows(text) for text in money]
    again.run_sql(
        *(
            f"create or replace table raw.{table} as from raw.{table} as t order by hash(t)"
            for table in ("order_lines", "customers", "events")
        )
    )

    again.build("--full-refresh", "--threads", "1")

    assert again.rows(query) == before
    assert [again.rows(text) for text in money] == worth
    versions = "select distinct model_version from segmentation.kmeans_segments"
    assert again.rows(versions) == [(2,)]


def test_planted_groups_are_found(shop: harness.Shop, tmp_path: Path) -> None:
    five = shop.copy(tmp_path)
    five.build("--select", "kmeans_segments", "--full-refresh", k=5)

    pairs = five.rows(
        "select customers.planted_group, segments.segment_id from segmentation.kmeans_segments"
        " as segments inner join raw.customers as customers using (customer_id)"
    )

    assert adjusted_rand_score(*zip(*pairs, strict=True)) >= 0.85


def test_no_feature_reads_the_planted_group(shop: harness.Shop) -> None:
    assert (
        shop.rows(
            "select table_schema, table_name from information_schema.columns where column_name in"
            " ('planted_group', 'email', 'full_name') and table_schema <> 'raw'"
        )
        == []
    )


def test_names_are_unique_and_readable(shop: harness.Shop) -> None:
    names = [name for (name,) in shop.rows("select segment_name from marts.segment_summary")]

    assert len(set(names)) == len(names)
    assert all(name[0].isupper() and len(name) <= 80 for name in names)


def test_shop_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    text = (harness.ROOT / "datasets" / "demo" / "load.sql").read_text(encoding="utf-8")

    def digest(seed: int, threads: int) -> list[tuple]:
        with duckdb.connect(config={"threads": threads}) as connection:
            connection.execute(
                f"set variable customers = 500; set variable seed = {seed}; create schema raw"
            )
            connection.execute(text)
            return [
                connection.execute(
                    f"select count(*), sum(hash(t)::hugeint) from raw.{table} as t"
                ).fetchone()
                for table in ("customers", "products", "order_lines", "events")
            ]

    assert digest(1, 1) == digest(1, 2)
    assert digest(1, 1) != digest(2, 1)


def test_every_model_column_and_macro_is_described(
    small_shop: harness.Shop, tmp_path: Path
) -> None:
    shop = small_shop.copy(tmp_path)
    parsed = shop.dbt("parse", "--show-all-deprecations", "--no-partial-parse")
    assert parsed.code == 0, parsed.output
    assert "eprecat" not in parsed.output
    manifest = json.loads((tmp_path / "target" / "manifest.json").read_text(encoding="utf-8"))

    undescribed = [
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed") and not node["description"]
    ]
    undescribed += [
        macro["name"]
        for macro in manifest["macros"].values()
        if macro["package_name"] == "segql"
        and not macro["description"]
        and "__" not in macro["name"]
        and not macro["name"].startswith("materialization_")
    ]
    for mart, columns in MARTS.items():
        node = manifest["nodes"][f"model.segql_reference.{mart}"]
        assert node["config"]["contract"]["enforced"]
        undescribed += [c for c in columns if not node["columns"][c]["description"]]
    assert undescribed == []
