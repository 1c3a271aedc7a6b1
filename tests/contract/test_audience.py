"""Audiences: exact holdouts that stay as they are, and no segment that is too small."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from audience_shop import store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import segql
from segql import holdouts
from segql.audiences import AudienceOptions, prepared


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    store(con)
    return con


def drawn(con: duckdb.DuckDBPyConnection, **options: Any) -> list[tuple[Any, ...]]:
    return segql.audience(con, **({"features": "marts.rfm_segments"} | options)).fetchall()


def held(rows: Sequence[tuple[Any, ...]]) -> set[str]:
    return {row[0] for row in rows if row[3]}


# -- the holdout -------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.lists(st.integers(2, 400), min_size=1, max_size=5),
    holdout=st.one_of(st.floats(1e-12, 0.999999), st.sampled_from([0.0, 0.1, 1 / 3, 0.5])),
    seed=st.integers(0, 2**31 - 1),
    strata=st.sampled_from([(), "rfm_segment", ("rfm_segment", "income")]),
    value=st.sampled_from(["auto", None]),
)
def test_shares_are_exact(
    sizes: list[int], holdout: float, seed: int, strata: Any, value: str | None
) -> None:
    """In each segment and stratum to within one customer, and never nobody nor everybody."""
    with duckdb.connect() as con:
        store(con, {f"S{place}": size for place, size in enumerate(sizes, start=1)})
        rows = segql.audience(
            con, holdout=holdout, seed=seed, strata=strata, value=value, min_size=2,
            features="marts.rfm_segments",
        )  # fmt: skip
        for groups in ("segment_key", "segment_key, stratum"):
            counted = rows.aggregate(
                "count(*), count(*) filter (is_holdout), min(holdout_share)", groups
            ).fetchall()
            for size, held_out, share in counted:
                assert abs(held_out - size * holdout) <= 1 + 1e-6
                assert share == holdout
                if groups == "segment_key" and holdout > 0:
                    assert 1 <= held_out < size
                if holdout == 0:
                    assert held_out == 0
        assert rows.count("*").fetchall() == [(sum(sizes),)]


@pytest.mark.parametrize("customers", [2, 3, 11, 1000, 10**9])
@pytest.mark.parametrize("share", [1, 50_000_000, 333_333_333, 999_999_999])
def test_the_count_of_huge_segments(customers: int, share: int) -> None:
    for seed in range(20):
        start = holdouts.start_of("S1", customers, seed, share)
        count = holdouts.held_out(customers, start, share)
        assert abs(count - customers * share / holdouts.PARTS) <= 1
        assert 0 < count < customers
        assert 0 <= start < holdouts.PARTS


def test_the_share_is_exact_on_average(shop: duckdb.DuckDBPyConnection) -> None:
    """Everybody of a segment has the same chance: 150 seeds, 40 customers, a share of 0.16."""
    counts: dict[str, int] = {}
    total = 0
    for seed in range(150):
        found = held(drawn(shop, only="S3", holdout=0.16, seed=seed))
        assert len(found) in (6, 7)
        total += len(found)
        for id in found:
            counts[id] = counts.get(id, 0) + 1

    # The standard deviation of the total is 6, of a count 4.5; four of each.
    assert total == pytest.approx(150 * 6.4, abs=24)
    assert len(counts) == 40
    assert all(count == pytest.approx(24, abs=18) for count in counts.values())


def test_the_same_seed_draws_the_same(shop: duckdb.DuckDBPyConnection) -> None:
    first, again, other = (drawn(shop, seed=seed) for seed in (42, 42, 43))

    assert first == again
    assert held(first) != held(other)
    # About a tenth of a tenth by chance.
    assert len(held(first) & held(other)) < 0.3 * len(held(first))
    assert [row[0:2] for row in first] == [row[0:2] for row in other]


@pytest.mark.parametrize("threads", [1, 4])
def test_order_of_rows_and_threads_do_not_matter(threads: int) -> None:
    with duckdb.connect() as con:
        store(con, {"S1": 30_000, "S2": 5_000})
        before = drawn(con)
        con.execute(f"set threads = {threads}")
        for salt in (1, 2):
            for table in ("customer_segments", "rfm_segments"):
                con.execute(
                    f"create or replace table marts.{table} as "
                    f"from marts.{table} as t order by hash(t, {salt})"
                )
            assert drawn(con) == before


def test_other_segments_do_not_matter(shop: duckdb.DuckDBPyConnection) -> None:
    before = drawn(shop, only="S1")
    assert before == [row for row in drawn(shop) if row[1] == "S1"]
    assert before == [row for row in drawn(shop, only=["S2", "S1"]) if row[1] == "S1"]

    shop.execute("delete from marts.customer_segments where segment_key in ('S2', 'prospect')")

    assert drawn(shop, only="S1") == before


def test_a_customer_more_or_less_moves_few(shop: duckdb.DuckDBPyConnection) -> None:
    """At most two in each of the ten strata change sides; on average two of 900."""
    before = held(drawn(shop, only="S1"))
    changes = []
    for place in range(0, 900, 45):
        id = f"C{place:06}"
        without = f"select * from marts.customer_segments where customer_id <> '{id}'"
        after = held(drawn(shop, segments=without, only="S1"))
        changes.append(len((before ^ after) - {id}))

    assert max(changes) <= 20
    assert sum(changes) / len(changes) < 4


def test_deciles_balance_what_customers_spend(shop: duckdb.DuckDBPyConnection) -> None:
    """Mean spend of the held out against that of the others, over 40 seeds."""

    def imbalance(value: str | None) -> float:
        ratios = []
        for seed in range(40):
            rows = segql.audience(
                shop, only="S1", seed=seed, value=value, features="marts.rfm_segments"
            )
            [(ratio,)] = rows.query(
                "rows",
                "select avg(monetary) filter (is_holdout) / avg(monetary) filter (not is_holdout) "
                "from rows join marts.rfm_segments using (customer_id)",
            ).fetchall()
            ratios.append((ratio - 1) ** 2)
        return float((sum(ratios) / len(ratios)) ** 0.5)

    blind, by_value = imbalance(None), imbalance("monetary")
    assert by_value < 0.02
    assert by_value < blind / 3


def test_strata_are_numbers(shop: duckdb.DuckDBPyConnection) -> None:
    """Deciles of the value from the lowest; those without a value come first."""
    rows = segql.audience(shop, only="S1", features="marts.rfm_segments")
    found = rows.query(
        "rows",
        "select stratum, count(*), min(monetary), max(monetary) from rows "
        "join marts.rfm_segments using (customer_id) group by 1 order by 1",
    ).fetchall()
    assert [row[:2] for row in found] == [(place, 90) for place in range(1, 11)]
    for (_, _, _, highest), (_, _, lowest, _) in pairwise(found):
        assert highest <= lowest

    shop.execute("update marts.rfm_segments set monetary = null where customer_id = 'C000005'")
    rows = segql.audience(shop, only="S1", features="marts.rfm_segments")
    assert rows.query("rows", "select customer_id, max(stratum) over () from rows "
                        "qualify stratum = 1").fetchall() == [("C000005", 11)]  # fmt: skip
    assert {row[5] for row in drawn(shop, only="prospect")} == {1}
    assert {row[5] for row in drawn(shop, only="S1", strata="rfm_segment", value=None)} == {1, 2, 3}
    # Equal values are never parted.
    shop.execute("update marts.rfm_segments set monetary = 7")
    assert {row[5] for row in drawn(shop, only="S1")} == {1}


# -- small segments ----------------------------------------------------------------------------


def left_out(sizes: Sequence[int], **options: Any) -> list[int]:
    """Sizes of the segments that an export of all leaves out."""
    with duckdb.connect() as con:
        store(con, {f"S{place:02}": size for place, size in enumerate(sizes)})
        try:
            found = prepared(con, AudienceOptions(value=None, **options))
        except segql.SegqlError:
            return sorted(sizes)
        assert {row[1] for row in found.rows.fetchall()} == {
            size.segment_key for size in found.exported
        }
        assert all(size.reason for size in found.left_out)
        return sorted(size.customers for size in found.left_out)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([50, 40, 30], []),
        ([50, 40, 11], []),
        # One alone could be worked out from the total: the next smallest goes, too.
        ([50, 40, 10], [10, 40]),
        ([50, 12, 3], [3, 12]),
        ([50, 6, 5], [5, 6]),
        # Two of one customer each have a total that says both.
        ([50, 30, 1, 1], [1, 1, 30]),
        ([50, 30, 5, 4], [4, 5, 30]),
        ([5, 4], [4, 5]),
        ([5, 50], [5, 50]),
    ],
)
def test_what_is_left_out_cannot_be_worked_out(sizes: list[int], expected: list[int]) -> None:
    assert left_out(sizes) == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=7), st.integers(1, 40))
def test_suppression_holds_and_is_least(sizes: list[int], least: int) -> None:
    found = left_out(sizes, min_size=least)
    least = max(least, 2)
    small = [size for size in sizes if size < least]

    assert found == sorted(sizes)[: len(found)]
    if not small:
        assert found == []
    elif len(found) < len(sizes):
        assert len(found) >= 2
        assert sum(found) >= least
        one_less = found[:-1]
        assert len(found) == len(small) or len(one_less) < 2 or sum(one_less) < least


def test_the_reason_tells_no_size(shop: duckdb.DuckDBPyConnection) -> None:
    found = prepared(shop, AudienceOptions(min_size=20))
    reasons = {size.segment_key: size.reason for size in found.left_out}

    assert set(reasons) == {"S4", "S5", "noise"}
    assert set(reasons.values()) == {
        "fewer than 20 customers (min_size), or beside such a segment the next smallest"
    }
    for named in ("S5", "Tiny", ["S1", "S5"]):
        with pytest.raises(segql.SegqlError) as error:
            segql.audience(shop, only=named)
        assert str(error.value) == "segment 'S5' has fewer than 11 customers (min_size)"
    # Asked for by name, a segment that is large enough is given whatever else there is.
    assert len(segql.audience(shop, only="S4").fetchall()) == 12


def test_ads_want_a_hundred_to_contact(shop: duckdb.DuckDBPyConnection) -> None:
    found = prepared(shop, AudienceOptions(min_treated=100))
    assert {size.segment_key for size in found.exported} == {"S1", "S2"}
    assert [size.reason for size in found.left_out if size.segment_key == "prospect"] == [
        "fewer than 100 customers outside the holdout (min_treated)"
    ]
    with pytest.raises(segql.SegqlError, match="'S2' has fewer than 100 customers outside"):
        segql.audience(shop, only="S2", holdout=0.3, min_treated=100)


def test_one_customer_cannot_be_on_both_sides(shop: duckdb.DuckDBPyConnection) -> None:
    store(shop, {"S1": 1, "S2": 2})
    with pytest.raises(segql.SegqlError, match="'S1' has fewer than 2 customers"):
        segql.audience(shop, only="S1", min_size=1)
    assert len(segql.audience(shop, only="S1", min_size=1, holdout=0).fetchall()) == 1
    assert len(held(segql.audience(shop, only="S2", min_size=1, holdout=0.01).fetchall())) == 1


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": []}, "only got []; accepted: at least one name, or None for all"),
        ({"only": 5}, "only got 5; accepted: a name or a list of names"),
        ({"columns": []}, "columns got []; accepted: at least one name, or None for all"),
        ({"strata": [3]}, "strata got [3]; accepted: a name or a list of names"),
        ({"seed": 1.5}, "seed got 1.5; accepted: a whole number from 0"),
        ({"holdout": True}, "holdout got True; accepted: a number"),
        ({"holdout": "0.1"}, "holdout got '0.1'; accepted: a number"),
        ({"value": 7}, "value got 7; accepted: a name"),
        ({"id": None}, "id got None; accepted: a name"),
        ({"value_groups": 0}, "value_groups got 0; accepted: a whole number from 1"),
        ({"min_treated": 0}, "min_treated got 0; accepted: a whole number from 1"),
    ],
)
def test_refused_in_python(
    shop: duckdb.DuckDBPyConnection, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(segql.SegqlError) as error:
        segql.audience(shop, **options)
    assert str(error.value).startswith(message)


def test_ids_of_any_type(con: duckdb.DuckDBPyConnection) -> None:
    """Whole numbers and their text draw the same, in any order."""
    numbers = list(range(100))
    random.Random(3).shuffle(numbers)
    con.execute("create table t as select unnest(?::bigint[]) as id, 'S1' as s", [numbers])
    found = segql.audience(con, "t", id="id", segment="s").fetchall()
    same = segql.audience(con, "select id::varchar as id, s from t", id="id", segment="s")

    assert [row[0] for row in found] == list(range(100))
    assert {str(id) for id in held(found)} == held(same.fetchall())
