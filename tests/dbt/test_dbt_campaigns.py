"""Measured uplift: published intervals, and results that cannot be meant are named."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pytest
from support import load_bench

BENCH = load_bench("products")
# Newcombe (1998), table II, method 10: treated, holdout, and the interval.
PUBLISHED = [
    ((56, 70), (48, 80), (0.0524, 0.3339)),
    ((9, 10), (3, 10), (0.1705, 0.8090)),
    ((6, 7), (2, 7), (0.0582, 0.8062)),
    ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ((0, 10), (0, 10), (-0.2775, 0.2775)),
    ((10, 10), (0, 20), (0.6791, 1.0)),
    ((10, 10), (0, 10), (0.6075, 1.0)),
]
# Six strata of the R package tern, whose difference and interval equal those of SAS.
STRATA = [
    (9, 8, 6, 3), (5, 2, 5, 2), (7, 6, 8, 3), (4, 4, 12, 6), (7, 5, 4, 3), (8, 5, 5, 3),
]  # fmt: skip
FAULTS = {
    "buyers above the treated": (
        ("may", "S1", 10, 11, 10, 1),
        "campaign 'may' and segment 'S1': treated_buyers got 11.0; accepted is a whole number from"
        " 0 to treated, 10.0",
    ),
    "buyers above the holdout": (
        ("may", "S1", 10, 1, 10, 12),
        "campaign 'may' and segment 'S1': holdout_buyers got 12.0",
    ),
    "negative counts": (
        ("may", "S1", -10, 1, 10, 1),
        "campaign 'may' and segment 'S1': treated got -10.0; accepted is a whole number from 1",
    ),
    "negative buyers": (("may", "S1", 10, -1, 10, 1), "treated_buyers got -1.0"),
    "no holdout": (
        ("may", "S1", 10, 1, 0, 0),
        "holdout got 0.0; accepted is a whole number from 1",
    ),
    "half a customer": (("may", "S1", 10.5, 1, 10, 1), "treated got 10.5"),
    "no number": (("may", "S1", 10, None, 10, 1), "treated_buyers got nothing"),
    "not a number": (("may", "S1", 10, 1, float("nan"), 1), "holdout got nan"),
    "unknown segment": (
        ("may", "S9", 10, 1, 10, 1),
        "campaign 'may' and segment 'S9': unknown segment; accepted are S1, S2",
    ),
    "no segment": (("may", None, 10, 1, 10, 1), "campaign 'may' and segment '': both need a name"),
    "no campaign": (("", "S1", 10, 1, 10, 1), "campaign '' and segment 'S1': both need a name"),
    "doubled": (
        ("april", "S2", 20, 1, 20, 1),
        "campaign 'april' and segment 'S2' stand in 2 rows; accepted is one",
    ),
}


@dataclass(repr=False)
class Campaigns:
    """The compiled macros, and a table that they read."""

    con: duckdb.DuckDBPyConnection
    queries: dict[str, str]

    def measure(self, *results: tuple[object, ...], query: str = "any") -> list[tuple[object, ...]]:
        """Measure the uplift of rows of results."""
        self.con.execute("delete from main.results")
        self.con.executemany("insert into main.results values (?, ?, ?, ?, ?, ?)", results)
        return self.con.execute(
            f"select segment_key, uplift, uplift_low, uplift_high from ({self.queries[query]})"
        ).fetchall()


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory: pytest.TempPathFactory) -> Campaigns:
    """Compile the macro once with and once without known segments."""
    folder = tmp_path_factory.mktemp("campaigns")
    with BENCH.connect(folder) as con:
        con.execute(
            "create table main.results (campaign varchar, segment_key varchar, treated double,"
            " treated_buyers double, holdout double, holdout_buyers double)"
        )
        con.execute("create table main.keys as select unnest(['S1', 'S2']) as segment")
    queries = BENCH.project(
        folder,
        any="segql.campaign_uplift('main.results')",
        known="segql.campaign_uplift('main.results', keys='main.keys')",
    )
    return Campaigns(BENCH.connect(folder), queries)


@pytest.mark.parametrize(("treated", "holdout", "interval"), PUBLISHED)
def test_intervals_are_those_published(
    campaigns: Campaigns,
    treated: tuple[int, int],
    holdout: tuple[int, int],
    interval: tuple[float, float],
) -> None:
    [(_, uplift, low, high)] = campaigns.measure(
        ("may", "S1", treated[1], treated[0], holdout[1], holdout[0])
    )

    assert uplift == pytest.approx(treated[0] / treated[1] - holdout[0] / holdout[1])
    assert (low, high) == pytest.approx(interval, abs=6e-5)


def test_several_campaigns_have_the_stratified_interval(campaigns: Campaigns) -> None:
    [(_, uplift, low, high)] = campaigns.measure(
        *((f"campaign {place}", "S1", *counts) for place, counts in enumerate(STRATA))
    )

    assert (uplift, low, high) == pytest.approx((0.25390590, 0.03467969, 0.44544132), abs=1e-8)


def test_unlike_holdouts_do_not_bend_the_difference(campaigns: Campaigns) -> None:
    """Added up, 110 of 1,100 treated and 55 of 200 held back would say that contacts harm."""
    rows = campaigns.measure(
        ("may", "S1", 1000, 60, 100, 5),
        ("june", "S1", 100, 50, 100, 50),
        ("june", "S2", 400, 0, 100, 0),
    )

    uplifts = {segment: values for segment, *values in rows}
    assert uplifts["S1"][0] == pytest.approx(0.01 * (1000 / 11) / (1000 / 11 + 50))
    assert uplifts["S1"][1] < uplifts["S1"][0] < uplifts["S1"][2]
    assert uplifts["S2"][0] == 0
    assert uplifts["S2"][1] < 0 < uplifts["S2"][2]


def test_campaigns_without_any_buyer_have_a_finite_interval(campaigns: Campaigns) -> None:
    """Two halves of a campaign say about what the whole says."""
    [(_, uplift, low, high)] = campaigns.measure(
        ("may", "S1", 100, 0, 100, 0), ("june", "S1", 100, 0, 100, 0)
    )
    [(_, _, whole_low, whole_high)] = campaigns.measure(("may", "S1", 200, 0, 200, 0))

    assert uplift == 0
    assert (low, high) == pytest.approx((whole_low, whole_high), abs=2e-3)


def test_the_order_of_the_rows_does_not_matter(campaigns: Campaigns) -> None:
    results = [(f"campaign {place}", "S1", *counts) for place, counts in enumerate(STRATA * 30)]

    assert campaigns.measure(*results) == campaigns.measure(*reversed(results))


def test_no_results_have_no_rows(campaigns: Campaigns) -> None:
    campaigns.con.execute("delete from main.results")

    assert campaigns.con.execute(campaigns.queries["known"]).fetchall() == []


@pytest.mark.parametrize("case", FAULTS)
def test_results_that_cannot_be_meant_are_named(campaigns: Campaigns, case: str) -> None:
    row, message = FAULTS[case]

    with pytest.raises(duckdb.Error) as caught:
        campaigns.measure(("april", "S2", 100, 10, 100, 5), row, query="known")

    said = str(caught.value)
    assert said.startswith("Invalid Input Error: main.results: ")
    assert message in said
    assert "\n" not in said
