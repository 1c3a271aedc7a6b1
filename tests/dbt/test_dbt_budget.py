"""The budget is split exactly: to the cent, with equal marginal returns, never below uniform."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from support import load_bench

BENCH = load_bench("products")
# A budget to compile with, which each example replaces by its own.
BUDGET = 123456.78
COLUMNS = "segment_key, spend, optimal_spend, floor, cap, binding, marginal_return, uniform_spend"
SETTINGS = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Curve:
    """A segment's response: what it can gain, how fast, and the bounds of its spend."""

    gain: float
    scale: float
    floor: float | None = None
    cap: float | None = None

    def profit(self, spend: float) -> float:
        """Tell the incremental profit of a spend."""
        return self.gain * -math.expm1(-spend / self.scale) - spend


@dataclass(frozen=True)
class Row:
    """A row of segql.budget_allocation."""

    segment_key: str
    spend: Any
    optimal_spend: float
    floor: float
    cap: float
    binding: str
    marginal_return: float
    uniform_spend: float


@dataclass(repr=False)
class Allocator:
    """The compiled macro, and a table that it reads."""

    con: duckdb.DuckDBPyConnection
    query: str

    def split(self, budget: float, curves: list[Curve]) -> list[Row]:
        """Split a budget, the rows in the order of the curves."""
        self.con.execute(
            "create or replace table main.curves (segment_key varchar, attainable_gain double,"
            " response_scale double, at_least double, at_most double)"
        )
        self.con.executemany(
            "insert into main.curves values (?, ?, ?, ?, ?)",
            [
                (f"S{place:03}", curve.gain, curve.scale, curve.floor, curve.cap)
                for place, curve in enumerate(curves)
            ],
        )
        query = self.query.replace(str(BUDGET), f"{budget:.2f}")
        rows = self.con.execute(f"select {COLUMNS} from ({query}) order by 1").fetchall()
        return [Row(*row) for row in rows]


@pytest.fixture(scope="module")
def allocator(tmp_path_factory: pytest.TempPathFactory) -> Allocator:
    """Compile the macro once."""
    folder = tmp_path_factory.mktemp("budget")
    with BENCH.connect(folder) as con:
        allocator = Allocator(con, "select 1 as segment_key")
        con.execute(
            "create table main.curves as select 'S' as segment_key, 1e0 as attainable_gain,"
            " 1e0 as response_scale, 1e0 as at_least, 1e0 as at_most"
        )
    query = BENCH.project(
        folder,
        budget=f"segql.budget_allocation('main.curves', {BUDGET}, floor='at_least', cap='at_most')",
    )["budget"]
    allocator = Allocator(BENCH.connect(folder), query)
    allocator.con.execute("set threads = 1")
    return allocator


@st.composite
def problems(draw: st.DrawFn) -> tuple[float, list[Curve]]:
    """Draw a budget with segments, and bounds that leave room for it."""
    budget = draw(st.integers(1, 10**8)) / 100
    amounts = st.floats(1e-3, 1e6)
    sizes = draw(st.integers(1, 8))
    gains = draw(
        st.lists(
            st.one_of(amounts, amounts, amounts, st.just(0.0), st.floats(-1e5, 0)),
            min_size=sizes, max_size=sizes,
        )
    )  # fmt: skip
    scales = draw(st.lists(amounts, min_size=sizes, max_size=sizes))
    shares = draw(st.lists(st.floats(0, 1), min_size=sizes, max_size=sizes))
    filled = draw(st.floats(0, 1))
    floors = [
        draw(st.sampled_from([None, filled * budget * share / (sum(shares) or 1)]))
        for share in shares
    ]
    room = draw(st.sampled_from([None, 1.0, 1.5, 4.0]))
    caps: list[float | None] = [None] * sizes
    if room is not None:
        # Caps whose sum is the budget at least.
        parts = [share + 0.1 for share in draw(st.permutations(shares))]
        caps = [
            max(room * budget * part / sum(parts), floor or 0)
            for part, floor in zip(parts, floors, strict=True)
        ]
        caps[0] = draw(st.sampled_from([None, caps[0]]))
    return budget, [Curve(*curve) for curve in zip(gains, scales, floors, caps, strict=True)]


@given(problems())
@SETTINGS
def test_any_budget_is_split_as_promised(
    allocator: Allocator, problem: tuple[float, list[Curve]]
) -> None:
    budget, curves = problem
    rows = allocator.split(budget, curves)

    cents = [round(float(row.spend) * 100) for row in rows]
    assert sum(cents) == round(budget * 100)
    assert math.fsum(row.optimal_spend for row in rows) == pytest.approx(budget, rel=1e-9, abs=1e-9)
    assert math.fsum(row.uniform_spend for row in rows) == pytest.approx(budget, rel=1e-9, abs=1e-9)
    for row, curve in zip(rows, curves, strict=True):
        assert row.spend >= 0
        assert row.optimal_spend >= 0
        assert row.floor <= row.optimal_spend <= row.cap
        assert row.floor - 1e-9 <= float(row.spend) <= row.cap + 1e-9
        assert abs(float(row.spend) - row.optimal_spend) < 0.0101
        assert row.floor == pytest.approx(curve.floor or 0, abs=0.0101)
        if curve.gain <= 0:
            assert row.binding in ("floor", "forced")
    check_marginal_returns(rows, curves)
    assert profit(curves, rows) >= uniform_profit(curves, rows) - 1e-9 * budget


def check_marginal_returns(rows: list[Row], curves: list[Curve]) -> None:
    """At no bound equal, at a floor not above it, at a cap not below it."""
    free = [row.marginal_return for row in rows if row.binding == "none"]
    for row, curve in zip(rows, curves, strict=True):
        expected = curve.gain / curve.scale * math.exp(-row.optimal_spend / curve.scale)
        assert row.marginal_return == pytest.approx(expected, rel=1e-6, abs=1e-290)
    if free:
        level = free[0]
        assert free == pytest.approx([level] * len(free), rel=1e-6, abs=1e-290)
        for row in rows:
            if row.binding == "floor":
                assert row.marginal_return <= level * (1 + 1e-6) + 1e-290
            if row.binding == "cap":
                assert row.marginal_return >= level * (1 - 1e-6) - 1e-290


def profit(curves: list[Curve], rows: list[Row]) -> float:
    """Add the profits of the optimal spends."""
    return math.fsum(
        curve.profit(row.optimal_spend) for curve, row in zip(curves, rows, strict=True)
    )


def uniform_profit(curves: list[Curve], rows: list[Row]) -> float:
    """Add the profits of the uniform split."""
    return math.fsum(
        curve.profit(row.uniform_spend) for curve, row in zip(curves, rows, strict=True)
    )


@pytest.mark.parametrize("seed", range(25))
def test_scipy_finds_nothing_better(allocator: Allocator, seed: int) -> None:
    """SLSQP from the uniform split, on problems of six segments with floors and caps."""
    draws = random.Random(seed)
    budget = round(draws.uniform(500, 5000), 2)
    curves = []
    for _ in range(6):
        floor = round(draws.uniform(0, budget / 12), 2)
        cap = round(floor + draws.uniform(budget / 5, budget), 2)
        scale = draws.uniform(200, 3000)
        curves.append(Curve(scale * draws.uniform(0.3, 4), scale, floor, cap))
    rows = allocator.split(budget, curves)

    found = minimize(
        lambda spends: -sum(c.profit(x) for c, x in zip(curves, spends, strict=True)),
        [row.uniform_spend for row in rows],
        jac=lambda spends: [
            1 - c.gain / c.scale * math.exp(-x / c.scale)
            for c, x in zip(curves, spends, strict=True)
        ],
        method="SLSQP",
        bounds=[(curve.floor, min(curve.cap or budget, budget)) for curve in curves],
        constraints={
            "type": "eq",
            "fun": lambda spends: sum(spends) - budget,
            "jac": lambda spends: [1.0] * len(spends),
        },
        options={"ftol": 1e-12, "maxiter": 1000},
    )

    # It may stop short of its own tolerance, where doubles have no better direction.
    assert found.success or found.status == 8
    assert sum(found.x) == pytest.approx(budget)
    assert profit(curves, rows) >= -found.fun - 1e-6
    assert profit(curves, rows) == pytest.approx(-found.fun, abs=1e-4)
    assert [row.optimal_spend for row in rows] == pytest.approx(list(found.x), abs=budget * 1e-3)
