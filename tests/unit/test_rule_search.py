"""The beam search for rules by itself: what is covered, what is preferred, and when it ends."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from support import Matrix

from segql.clusterers.rules import (
    CONDITIONS,
    COVERAGE,
    PRECISE,
    WORTH,
    Condition,
    Rule,
    _better,
    find_rules,
)

Holds = NDArray[np.bool_]


def both_sides(values: Matrix, cuts: list[float]) -> tuple[Holds, list[Condition]]:
    """Both sides of each cut of each column, and where they hold."""
    conditions = [
        Condition(feature, operator, cut)
        for feature in range(values.shape[1])
        for cut in cuts
        for operator in ("<=", ">")
    ]
    return np.array([holds_of(values, item) for item in conditions]), conditions


def holds_of(values: Matrix, condition: Condition) -> Holds:
    column, value = values[:, condition.feature], float(condition.value)
    return np.asarray(column <= value if condition.operator == "<=" else column > value)


def measured(values: Matrix, rule: Rule, own: Holds, weights: Matrix) -> tuple[float, float]:
    """Coverage and precision, counted anew."""
    told = np.all([holds_of(values, item) for item in rule.conditions], axis=0)
    right = weights[told & own].sum()
    return right / weights[own].sum(), right / weights[told].sum()


@pytest.mark.parametrize("seed", range(6))
def test_figures_are_counted_by_weight(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.random((300, 3)), rng.integers(1, 6, 300).astype(float)
    labels = (values[:, 0] > 0.4).astype(int) + (values[:, 1] + 0.2 * rng.random(300) > 0.7)
    labels[rng.random(300) < 0.1] = -1
    holds, conditions = both_sides(values, [0.2, 0.4, 0.6, 0.8])
    for label, rule in enumerate(find_rules(holds, conditions, labels, weights, 3)):
        assert rule is not None
        coverage, precision = measured(values, rule, labels == label, weights)
        assert rule.coverage == pytest.approx(coverage, rel=1e-5)
        assert rule.precision == pytest.approx(precision, rel=1e-5)
        assert rule.coverage >= COVERAGE
        assert 1 <= len(rule.conditions) <= CONDITIONS
        sides = [(item.feature, item.operator) for item in rule.conditions]
        assert len(set(sides)) == len(sides)


@pytest.mark.parametrize("seed", range(6))
def test_no_conjunction_is_much_more_precise(seed: int) -> None:
    """Against all conjunctions that cover enough: few enough here to be looked at."""
    rng = np.random.default_rng(seed + 50)
    values = rng.random((400, 3))
    labels = ((values[:, 0] > 0.3) & (values[:, 1] <= 0.6)).astype(int)
    labels[rng.random(400) < 0.15] = 0
    holds, conditions = both_sides(values, [0.3, 0.6])
    weights, own = np.ones(400), labels == 1
    rule = find_rules(holds, conditions, labels, weights, 2)[1]
    assert rule is not None
    best = 0.0
    for size in range(1, CONDITIONS + 1):
        for several in itertools.combinations(range(len(conditions)), size):
            told = holds[list(several)].all(axis=0)
            if (told & own).sum() >= COVERAGE * own.sum():
                best = max(best, own[told].mean())
    assert rule.precision >= best - CONDITIONS * WORTH - 1e-9


def share(count: int, size: int = 1000) -> Holds:
    """The first so many are true."""
    return np.arange(size) < count


def test_a_rule_must_cover_its_share() -> None:
    """Precise as it is, what holds for 69 of 100 is no rule; what holds for 71 is one."""
    labels = np.where(share(100), 0, 1)
    one = [Condition(0, "<=", 1.0)]
    assert find_rules(share(69)[None], one, labels, np.ones(1000), 1) == [None]
    [rule] = find_rules(share(71)[None], one, labels, np.ones(1000), 1)
    assert rule == Rule((one[0],), pytest.approx(0.71), pytest.approx(1.0))


def test_of_equally_precise_rules_the_one_that_covers_more_is_taken() -> None:
    """150 of 200 and 180 of 240 are the same precision."""
    own = share(200)
    holds = np.array([share(count) | (~own & share(200 + count // 3)) for count in (150, 180)])
    conditions = [Condition(0, ">", 0.0), Condition(0, ">", 1.0)]
    [rule] = find_rules(holds, conditions, np.where(own, 0, 1), np.ones(1000), 1)
    assert rule == Rule((conditions[1],), pytest.approx(0.9), 0.75)


def test_nobody_has_no_rule() -> None:
    assert find_rules(
        share(5)[None], [Condition(0, ">", 1.0)], np.ones(1000), np.ones(1000), 1
    ) == [None]


def test_of_five_conditions_four_are_taken() -> None:
    rng = np.random.default_rng(0)
    own = share(200, 4000)
    holds = np.array([own | (rng.random(4000) < 0.5) for _ in range(5)])
    conditions = [Condition(feature, ">", 0.0) for feature in range(5)]
    [rule] = find_rules(holds, conditions, np.where(own, 0, 1), np.ones(4000), 1)
    assert rule is not None
    assert len(rule.conditions) == 4
    assert rule.coverage == 1.0
    precisions = [
        200 / holds[list(four)].all(axis=0).sum() for four in itertools.combinations(range(5), 4)
    ]
    assert rule.precision == pytest.approx(max(precisions), rel=1e-6)


@pytest.mark.parametrize(("before", "found"), [(11, True), (12, False)])
def test_twelve_conditions_are_carried_on(before: int, found: bool) -> None:
    """Two conditions tell the cluster, but others are more precise than either by itself.

    Those are of the same columns and sides, so that none stands together with both: from one that
    was not carried on, nothing leads to the two.
    """
    own, size = share(200), 1000
    others = np.arange(size) - 200
    # Each lets through some of the others; the last two let through no row in common.
    lets = [np.isin(others % 40, range(8 + place)) for place in range(before)]
    pair = [others % 2 == 0, others % 2 == 1]
    holds = np.array([own | (mask & ~own) for mask in [*lets, *pair]])
    conditions = [Condition(place % 2, ">", float(place)) for place in range(before)]
    conditions += [Condition(0, ">", 98.0), Condition(1, ">", 99.0)]
    [rule] = find_rules(holds, conditions, np.where(own, 0, 1), np.ones(size), 1)
    assert rule is not None
    assert (rule == Rule(tuple(conditions[-2:]), 1.0, 1.0)) == found
    assert (rule.precision == 1.0) == found


def test_what_is_both_precise_and_covers_much_is_carried_on() -> None:
    """Eight conditions are more precise than the two that tell the cluster, eight cover more.

    None of them stands together with both of the two, as above.
    """
    own, size = share(200), 1000
    precise = [share(144) | (~own & share(216 + place)) for place in range(8)]
    wide = [share(800 + place) for place in range(8)]
    pair = [share(170) | (~own & share(242)), share(170) | (~share(300) & share(342))]
    holds = np.array([*precise, *wide, *pair])
    conditions = [Condition(place % 2, ">", float(place)) for place in range(18)]
    [rule] = find_rules(holds, conditions, np.where(own, 0, 1), np.ones(size), 1)
    assert rule == Rule(tuple(conditions[-2:]), pytest.approx(0.85), 1.0)


@pytest.mark.parametrize(
    ("operators", "allowed"),
    [((">", ">"), False), (("<=", "<="), False), (("<=", ">"), True), (("<>", "<>"), True)],
)
def test_one_side_of_a_column_is_bounded_once(operators: tuple[str, str], allowed: bool) -> None:
    """Two conditions of a column, which only together tell the cluster."""
    own = share(300)
    holds = np.array([own | share(650), own | ~share(650)])
    conditions = [Condition(0, item, f"v{place}") for place, item in enumerate(operators)]
    [rule] = find_rules(holds, conditions, np.where(own, 0, 1), np.ones(1000), 1)
    assert rule is not None
    assert (len(rule.conditions) == 2) == allowed
    assert (rule.precision == 1.0) == allowed


def test_two_conditions_of_different_columns_may_stand_together() -> None:
    own = share(300)
    holds = np.array([own | share(650), own | ~share(650)])
    conditions = [Condition(0, ">", 1.0), Condition(1, ">", 1.0)]
    [rule] = find_rules(holds, conditions, np.where(own, 0, 1), np.ones(1000), 1)
    assert rule == Rule(tuple(conditions), 1.0, 1.0)


def rule_of(precision: float, coverage: float, conditions: int) -> Rule:
    return Rule((Condition(0, ">", 0.0),) * conditions, coverage, precision)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # Below the mark, precision decides; a further condition must add half a per cent.
        (rule_of(0.80, 0.75, 1), rule_of(0.79, 0.99, 1), True),
        (rule_of(0.80, 0.99, 1), rule_of(0.80, 0.75, 1), False),
        (rule_of(0.806, 0.75, 2), rule_of(0.80, 0.99, 1), True),
        (rule_of(0.804, 0.99, 2), rule_of(0.80, 0.75, 1), False),
        (rule_of(0.809, 0.99, 3), rule_of(0.80, 0.75, 1), False),
        (rule_of(0.811, 0.75, 3), rule_of(0.80, 0.99, 1), True),
        # Fewer conditions are no reason to be less precise.
        (rule_of(0.799, 0.99, 1), rule_of(0.80, 0.75, 3), False),
        (rule_of(0.801, 0.75, 1), rule_of(0.80, 0.99, 3), True),
        # Only one of them is above the mark.
        (rule_of(0.93, 0.75, 1), rule_of(0.91, 0.99, 1), True),
        (rule_of(0.91, 0.99, 1), rule_of(0.93, 0.75, 1), False),
        # Both are: coverage decides, by half a per cent, and another half a condition.
        (rule_of(PRECISE, 0.81, 1), rule_of(0.99, 0.80, 1), True),
        (rule_of(0.93, 0.804, 1), rule_of(0.99, 0.80, 1), False),
        (rule_of(0.93, 0.809, 2), rule_of(0.99, 0.80, 1), False),
        (rule_of(0.93, 0.811, 2), rule_of(0.99, 0.80, 1), True),
        (rule_of(0.99, 0.801, 1), rule_of(0.93, 0.80, 2), True),
        (rule_of(0.99, 0.799, 1), rule_of(0.93, 0.80, 2), False),
    ],
)  # fmt: skip
def test_which_rule_is_better(one: Rule, other: Rule, expected: bool) -> None:
    assert _better(one, other) is expected
