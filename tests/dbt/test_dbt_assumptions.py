"""Assumptions that cannot be meant, and curves and bounds that allow no split, are named."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pytest
from support import load_bench

BENCH = load_bench("products")
FINE = [
    ("all", "margin", 0.3, 0.4, 0.5, "assumed"),
    ("all", "uplift", 0.0, 0.02, 0.04, "assumed"),
    ("all", "contact_cost", 0.1, 0.2, 0.4, "assumed"),
    ("all", "offer_cost", 0.0, 0.0, 0.0, "assumed"),
    ("all", "saturation", 0.5, 0.6, 0.7, "assumed"),
    ("all", "probability_to_buy", 0.1, 0.2, 0.3, "assumed"),
]
NAN = float("nan")
FAULTS = {
    "unknown segment": (
        [("S9", "margin", 0.1, 0.1, 0.1, "assumed")],
        "unknown segment 'S9'; accepted are all, Champions, Lost, S1, S2",
    ),
    "no segment": ([(None, "margin", 0.1, 0.1, 0.1, "assumed")], "unknown segment ''"),
    "unknown assumption": (
        [("S1", "margins", 0.1, 0.1, 0.1, "assumed")],
        "unknown assumption 'margins' of S1; accepted are margin, uplift, contact_cost",
    ),
    "unknown basis": (
        [("S1", "margin", 0.1, 0.1, 0.1, "guessed")],
        "margin of S1 has the basis 'guessed'; accepted are assumed, measured",
    ),
    "doubled": (
        [("Lost", "margin", 0.1, 0.1, 0.1, "assumed")] * 2,
        "margin of Lost stands in 2 rows; accepted is one",
    ),
    "margin above 1": (
        [("S1", "margin", 0.3, 0.4, 1.4, "assumed")],
        "margin of S1 got high 1.4; accepted is a number from 0 to 1",
    ),
    "margin below 0": (
        [("Champions", "margin", -0.3, 0.4, 0.5, "assumed")],
        "margin of Champions got low -0.3; accepted is a number from 0 to 1",
    ),
    "no base": (
        [("S1", "margin", 0.3, None, 0.5, "assumed")],
        "margin of S1 got base nothing; accepted is a number from 0 to 1",
    ),
    "not a number": (
        [("S1", "offer_cost", 0.3, NAN, NAN, "assumed")],
        "offer_cost of S1 got base nan; accepted is a number from 0",
    ),
    "a contact for nothing": (
        [("S1", "contact_cost", 0.0, 0.1, 0.5, "assumed")],
        "contact_cost of S1 got low 0.0; accepted is a number above 0",
    ),
    "full saturation": (
        [("S1", "saturation", 0.5, 0.6, 1.0, "assumed")],
        "saturation of S1 got high 1.0; accepted is a number from 0.01 to 0.99",
    ),
    "low above base": (
        [("S1", "margin", 0.5, 0.4, 0.6, "assumed")],
        "margin of S1 has low 0.5, base 0.4 and high 0.6; accepted is low <= base <= high",
    ),
    "base above high": (
        [("S1", "margin", 0.3, 0.4, 0.3, "assumed")],
        "margin of S1 has low 0.3, base 0.4 and high 0.3; accepted is low <= base <= high",
    ),
}
BOUNDS = {
    "floors above the budget": (
        [("S1", 1, 1, 60, None), ("S2", 1, 1, 40.01, None)],
        "the floors sum to 100.01, above the budget of 100.00",
    ),
    "caps below the budget": (
        [("S1", 1, 1, 0, 60), ("S2", 1, 1, 0, 39.99)],
        "the caps sum to 99.99, below the budget of 100.00",
    ),
    "floor above its cap": (
        [("S1", 1, 1, 60, 50), ("S2", 1, 1, 0, None)],
        "segment S1 has floor 60.0 and cap 50.0; accepted are amounts from 0, the floor not above"
        " the cap",
    ),
    "negative floor": (
        [("S1", 1, 1, -1, None), ("S2", 1, 1, 0, None)],
        "segment S1 has floor -1.0; accepted are amounts from 0",
    ),
    "no number": (
        [("S1", NAN, 1, 0, None), ("S2", 1, 1, 0, None)],
        "segment S1 has gain nan and scale 1.0; accepted are a number and a number above 0",
    ),
    "no scale": (
        [("S1", 1, 0, 0, None), ("S2", 1, 1, 0, None)],
        "segment S1 has gain 1.0 and scale 0.0; accepted are a number and a number above 0",
    ),
    "doubled": (
        [("S1", 1, 1, 0, None), ("S1", 1, 1, 0, None)],
        "segment S1 stands in 2 rows; accepted is one",
    ),
}


@dataclass(repr=False)
class Macros:
    """The compiled macros, and the tables that they read."""

    con: duckdb.DuckDBPyConnection
    queries: dict[str, str]

    def fill(self, table: str, rows: list[tuple[object, ...]]) -> None:
        """Put other rows into a table."""
        self.con.execute(f"delete from main.{table}")
        places = ", ".join("?" for _ in rows[0])
        self.con.executemany(f"insert into main.{table} values ({places})", rows)

    def refusal(self, query: str) -> str:
        """Tell what a query fails with, in one line."""
        with pytest.raises(duckdb.Error) as caught:
            self.con.execute(self.queries[query]).fetchall()
        said = str(caught.value)
        assert "\n" not in said
        return said


@pytest.fixture(scope="module")
def macros(tmp_path_factory: pytest.TempPathFactory) -> Macros:
    """Compile the macros once."""
    folder = tmp_path_factory.mktemp("assumptions")
    with BENCH.connect(folder) as con:
        con.execute(
            """
            create table main.assumptions (segment varchar, assumption varchar, low double,
                base double, high double, basis varchar);
            create table main.segments as
            select unnest(['S1', 'S2']) as segment_key, unnest(['Champions', null]) as archetype;
            create table main.others as select 'Lost' as segment;
            create table main.curves (segment_key varchar, attainable_gain double,
                response_scale double, at_least double, at_most double)
            """
        )
    queries = BENCH.project(
        folder,
        assumed="segql.segment_assumptions('main.assumptions', 'main.segments', 'main.others')",
        split="segql.budget_allocation('main.curves', 100, floor='at_least', cap='at_most')",
    )
    return Macros(BENCH.connect(folder), queries)


@pytest.mark.parametrize("case", FAULTS)
def test_assumptions_that_cannot_be_meant(macros: Macros, case: str) -> None:
    rows, message = FAULTS[case]
    macros.fill("assumptions", [*FINE, *rows])

    said = macros.refusal("assumed")
    assert said.startswith("Invalid Input Error: main.assumptions: ")
    assert message in said


@pytest.mark.parametrize("missing", [assumption for _, assumption, *_ in FINE])
def test_missing_assumptions(macros: Macros, missing: str) -> None:
    macros.fill("assumptions", [row for row in FINE if row[1] != missing])

    assert (
        f"{missing} of S1 (Champions) is missing; a row for all, the archetype or the segment"
        " gives it" in macros.refusal("assumed")
    )

    macros.con.execute(f"insert into main.assumptions values ('S1', '{missing}', .5, .5, .5, 'x')")
    macros.con.execute("update main.assumptions set basis = 'assumed'")
    assert f"{missing} of S2 (no archetype) is missing" in macros.refusal("assumed")


@pytest.mark.parametrize("case", BOUNDS)
def test_bounds_that_allow_no_split(macros: Macros, case: str) -> None:
    rows, message = BOUNDS[case]
    macros.fill("curves", rows)

    assert f"Invalid Input Error: budget_allocation: {message}" in macros.refusal("split")


def test_one_segment_takes_all(macros: Macros) -> None:
    for gain in (50, 0, -50):
        macros.fill("curves", [("S1", gain, 20, None, None)])
        assert macros.con.execute(
            f"select spend, uniform_spend from ({macros.queries['split']})"
        ).fetchall() == [(100, 100)]


def test_without_gain_only_what_caps_leave(macros: Macros) -> None:
    """Nothing to gain: the floor; with the other's cap reached, also the rest."""
    query = f"select spend, binding from ({macros.queries['split']}) order by segment_key"
    macros.fill("curves", [("S1", 10, 20, 0, None), ("S2", 0, 20, 30, None)])
    assert macros.con.execute(query).fetchall() == [(70, "none"), (30, "floor")]

    macros.fill("curves", [("S1", 10, 20, 0, 25), ("S2", 0, 20, 30, None), ("S3", -9, 9, 0, 20)])
    assert macros.con.execute(query).fetchall() == [(25, "cap"), (55, "forced"), (20, "forced")]
