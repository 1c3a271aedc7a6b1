"""Bins of one column: contiguous, at most ten, a heavy value alone, whole-number sums."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import LARGEST, Matrix

from segql.distribution import BINS, LEVELS, level_bins, number_bins

ODD = [float("nan"), float("inf"), -float("inf"), 1e101, -1e300, 0.0, -0.0, 1e100, 5e-324]
numbers = st.one_of(
    st.sampled_from(ODD), st.floats(-1e6, 1e6), st.integers(-3, 3).map(float), st.just(7.0)
)


def binned(values: Matrix, units: Matrix | None = None) -> list[tuple[object, ...]]:
    units = np.ones(len(values), dtype=np.int64) if units is None else units
    return list(number_bins(np.asarray(values, dtype=np.float64), units))


def edges(values: Matrix) -> list[float]:
    return [upper for kind, _, upper, _, _ in binned(values) if kind == "number"][:-1]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(numbers, st.integers(1, 50)), min_size=1, max_size=120))
def test_bins_hold_what_they_say(rows: list[tuple[float, int]]) -> None:
    values = np.array([value for value, _ in rows])
    units = np.array([weight for _, weight in rows], dtype=np.int64)
    *numbered, missing = binned(values, units)
    usable = np.abs(values) <= LARGEST
    assert missing == ("missing", None, None, None, units[~usable].sum())
    assert 1 <= len(numbered) <= BINS
    assert numbered[0][1] is None
    assert numbered[-1][2] is None
    for (_, lower, upper, category, held), following in zip(
        numbered, [*numbered[1:], None], strict=True
    ):
        inside = usable & (values > (-np.inf if lower is None else lower))
        inside &= values <= (np.inf if upper is None else upper)
        assert held == units[inside].sum()
        assert held > 0 or not usable.any()
        assert category is None
        assert following is None or following[1] == upper
    # A fifth of the weight on one value: nothing else is in its bin.
    total = units[usable].sum()
    for value in np.unique(values[usable]):
        alone = units[values == value].sum()
        if Fraction(int(alone), int(total)) >= Fraction(1, 5):
            assert alone in [held for *_, held in numbered]


def test_bins_do_not_depend_on_the_row_order() -> None:
    rng = np.random.default_rng(5)
    values = np.round(rng.gamma(1.0, 3.0, 5000), 1)
    units = rng.integers(1, 2**40, 5000)
    order = rng.permutation(5000)
    assert binned(values, units) == binned(values[order], units[order])


def test_a_continuous_column_is_cut_at_its_deciles() -> None:
    values = np.random.default_rng(1).permutation(1000) + 0.5
    assert edges(values) == [100 * part - 0.5 for part in range(1, 10)]
    assert [held for *_, held in binned(values)] == [100] * 10 + [0]


@pytest.mark.parametrize(
    ("ones", "rest"),
    [(700, np.linspace(2, 9, 300)), (700, np.linspace(-9, 0.99, 300)), (950, np.arange(50) * 0.02),
     (950, 2.0 + np.arange(50)), (700, np.r_[np.linspace(-5, 0, 150), np.linspace(2, 5, 150)])],
    ids=["below the rest", "above the rest", "mostly, above", "mostly, below", "in the midst"],
)  # fmt: skip
def test_a_heavy_value_is_apart(ones: int, rest: Matrix) -> None:
    *numbered, _ = binned(np.r_[np.ones(ones), rest])
    assert ones in [held for *_, held in numbered]
    assert len(numbered) >= 2


def test_few_values_have_a_bin_each() -> None:
    assert edges(np.repeat([0.0, 1.0], [99, 1])) == [0.0]
    assert edges(np.repeat([0.0, 1.0], [1, 99])) == [0.0]
    assert edges(np.arange(10)) == list(range(9))
    assert edges(np.ones(8)) == []
    assert edges(np.array([-0.0, 0.0, 1.0])) == [0.0]
    assert binned(np.array([np.nan])) == [
        ("number", None, None, None, 0),
        ("missing", None, None, None, 1),
    ]


def test_levels_are_the_most_frequent_ties_by_text() -> None:
    counts = [(f"l{i:02d}", 5) for i in reversed(range(LEVELS + 3))] + [("zz", 9), (None, 4)]
    *levels, other, missing = level_bins(counts)
    assert levels[0] == ("category", None, None, "zz", 9)
    assert [level for _, _, _, level, _ in levels[1:]] == [f"l{i:02d}" for i in range(LEVELS - 1)]
    assert other == ("other", None, None, None, 20)
    assert missing == ("missing", None, None, None, 4)
    assert list(level_bins([("a", 2)])) == [
        ("category", None, None, "a", 2),
        ("other", None, None, None, 0),
        ("missing", None, None, None, 0),
    ]
