"""What to do for each segment of both segmentations, and when; a playbook that has faults."""

from __future__ import annotations

from pathlib import Path

import harness
import pytest

SELECTED = ("run", "--select", "segment_recommendations", "--quiet")
ROW = "'do', 'offer', 'channel', 'measure'"


@pytest.fixture(scope="session")
def shop(demo: tuple[harness.Shop, harness.Result]) -> harness.Shop:
    return demo[0]


@pytest.fixture
def mine(shop: harness.Shop, tmp_path: Path) -> harness.Shop:
    """Copy the demo shop, to edit its playbook as a user edits the seed."""
    return shop.copy(tmp_path)


def test_each_segment_has_an_action(shop: harness.Shop) -> None:
    rows = shop.rows(
        "select segmentation, count(*), count(action), count(timing), sum(customers)"
        " from marts.segment_recommendations group by segmentation order by segmentation"
    )

    learned, buyers = (
        shop.value(f"select count(*) from marts.{mart}")
        for mart in ("customer_segments", "rfm_segments")
    )
    segments = shop.value("select count(*) from marts.segment_summary")
    assert rows == [
        ("customer_segments", segments, segments, segments, learned),
        ("rfm_segments", 11, 11, 11, buyers),
    ]


@pytest.mark.parametrize(
    ("mart", "column"), [("customer_segments", "segment_key"), ("rfm_segments", "rfm_segment")]
)
def test_timing_is_the_segments_own(shop: harness.Shop, mart: str, column: str) -> None:
    # The order lines themselves, with duckdb's own quantiles.
    expected = shop.rows(
        f"""
        with order_days as (
            select distinct customer_id, ordered_on
            from features.order_line_reasons where reason = 'used'
        ),
        intervals as (
            select
                customer_id,
                ordered_on - lag(ordered_on) over (
                    partition by customer_id order by ordered_on
                ) as days
            from order_days
        )
        select
            {column}, count(days), quantile_disc(days, 0.5), quantile_disc(days, 0.75)
        from intervals inner join marts.{mart} using (customer_id)
        where days is not null
        group by {column} having count(*) >= 20 order by {column}
        """
    )

    assert len(expected) >= 4
    assert expected == shop.rows(
        "select segment_key, intervals, median_interval_days, contact_after_days"
        f" from marts.segment_recommendations where segmentation = '{mart}'"
        " and timing_basis = 'segment' order by segment_key"
    )
    due = shop.rows(
        f"""
        select segments.segment_key, count_if(recency >= contact_after_days)
        from marts.segment_recommendations as segments
        inner join marts.{mart} as customers on segments.segment_key = customers.{column}
        inner join features.customer_features using (customer_id)
        where segmentation = '{mart}' group by all order by all
        """.replace("(recency", "(customer_features.recency")
    )
    assert due == shop.rows(
        "select segment_key, customers_due from marts.segment_recommendations"
        f" where segmentation = '{mart}' and customers > 0 and archetype <> 'Prospects'"
        " order by all"
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("delete from {seed} where archetype = 'Lost'", "the playbook: Lost is missing"),
        (
            f"insert into {{seed}} values ('Loyal', {ROW})",
            "the playbook: Loyal is there 2 times",
        ),
        (
            f"insert into {{seed}} values ('Loyals', {ROW})",
            "the playbook: Loyals is no RFM segment, no segment key and none of Prospects",
        ),
        (f"insert into {{seed}} values ('S99', {ROW})", "the playbook: S99 is no RFM segment"),
        (
            "delete from {seed} where archetype in ('Lost', 'Prospects')",
            "the playbook: Lost is missing; Prospects is missing",
        ),
    ],
)
def test_faults_of_the_playbook_are_named(mine: harness.Shop, edit: str, message: str) -> None:
    mine.run_sql(edit.format(seed="segmentation.playbook"))
    before = mine.contents()

    result = mine.dbt(*SELECTED)

    assert result.code != 0
    assert message in " ".join(result.output.split())
    assert mine.contents() == before


def test_a_faulty_playbook_fails_only_its_mart(mine: harness.Shop) -> None:
    # No segment of the demo shop is one: the assumptions name it all the same.
    mine.run_sql(
        "delete from segmentation.playbook where archetype = 'Cannot Lose Them'",
        f"insert into segmentation.playbook values (null, {ROW})",
    )

    result = mine.dbt(
        "run", "--select", "marts", "segment_assumptions", "--exclude", "tag:backtest"
    )

    assert result.code != 0
    assert (
        "the playbook: an empty archetype is no RFM segment, no segment key and none of Prospects,"
        " Unusual customers, Not scorable; Cannot Lose Them is missing"
    ) in " ".join(result.output.split())
    assert "ERROR=1 SKIP=0" in result.output


def test_columns_of_the_playbook_go_by_their_names(mine: harness.Shop) -> None:
    words = "select archetype, action, offer_style, channel, measure from segmentation.playbook"
    before = mine.rows(words)
    mine.run_sql(
        "create or replace table segmentation.playbook as"
        " select measure, channel, offer_style, action, archetype from segmentation.playbook"
    )

    assert mine.dbt("seed", "--select", "playbook").code == 0

    assert mine.rows(words) == before


def test_a_row_for_a_segment_of_its_own(mine: harness.Shop) -> None:
    mine.run_sql(f"insert into segmentation.playbook values ('S1', {ROW})")

    assert mine.dbt(*SELECTED).code == 0

    assert mine.rows(
        "select segment_key, action from marts.segment_recommendations where action = 'do'"
    ) == [("S1", "do")]


def test_the_grid_has_its_rows(mine: harness.Shop) -> None:
    result = mine.dbt(
        "run", "--select", "generated_segment_names+", "rfm_segments+", rfm_map="grid"
    )

    assert result.code == 0, result.output
    assert (
        mine.value(
            "select count(action) from marts.segment_recommendations"
            " where segmentation = 'rfm_segments'"
        )
        == 10
    )
