"""Each step by itself: what it asks, what it learns from given answers, and its SQL on numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import yeojohnson
from step_answers import Known, Prepared, X, learned, profile_of, run

from segql import sql_text as sql
from segql.aggregates import Levels, LevelsOf, Moments, MomentsOf, Profile, QuantilesOf
from segql.errors import SegqlError
from segql.steps import STEPS, OneHot, Transform, Winsorize, YeoJohnson
from segql.steps.base import Identity, NumberImputer, PreparedBy, Scaler, Transformer
from segql.steps.encode_frequency import EncodeFrequency
from segql.steps.encode_onehot import EncodeOneHot
from segql.steps.encode_ordinal import EncodeOrdinal, mapped
from segql.steps.transform_auto import transformed
from segql.steps.transform_log1p import Log1p
from segql.steps.transform_yeo_johnson import (
    _root,
    _SignedLog,
)

NUMBERS = [-50.0, -2.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0, 700.0]


TRANSFORMS: list[Transform] = [
    Identity(),
    Log1p(),
    Winsorize(-1.5, 2.5),
    _SignedLog(),
    *(YeoJohnson(power) for power in (-1.5, 0.0, 0.5, 1.0, 2.0, 3.0)),
]


def name_of(transform: Transform) -> str:
    return " ".join([transform.step, *map(str, transform.state().values())])


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name_of)
def test_python_and_sql_transform_alike(transform: Transform) -> None:
    told = [transform.value(value) for value in NUMBERS]
    assert run(transform.sql(X), NUMBERS) == pytest.approx(told, rel=1e-12, abs=1e-15)
    assert told == sorted(told)
    text = sql.case(transform.branches(X, 1e100))
    found = run(text, [*NUMBERS, None, math.nan, math.inf, -math.inf])
    assert found[:-4] == pytest.approx(told, rel=1e-12, abs=1e-15)
    assert found[-4:] == [None] * 4


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name_of)
def test_the_inverse_undoes_the_transform(transform: Transform) -> None:
    kept: list[float] = NUMBERS
    if transform.step == "log1p":
        kept = [value for value in NUMBERS if value >= 0]
    if transform.step == "winsorize":
        kept = [value for value in NUMBERS if -1.5 <= value <= 2.5]
    back = [transform.inverse(transform.value(value)) for value in kept]
    assert back == pytest.approx(kept, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("power", [-1.5, 0.0, 1e-13, 0.5, 1.0, 2.0, 2.5])
def test_yeo_johnson_is_scipys(power: float) -> None:
    told = [YeoJohnson(power).value(value) for value in NUMBERS]
    assert told == pytest.approx(yeojohnson(np.array(NUMBERS), power).tolist(), rel=1e-9)


def test_where_nothing_maps_to_a_value() -> None:
    # (1 + x)^−2 stays below 1/2 of what it may reach.
    assert math.isnan(YeoJohnson(-2.0).inverse(0.6))
    assert YeoJohnson(-2.0).inverse(0.4) == pytest.approx(math.sqrt(5.0) - 1.0)
    assert math.isnan(_root(1.0, -1.0))
    assert Log1p().inverse(1e6) == math.expm1(700.0)
    assert Log1p().value(-3.0) == 0.0
    assert Winsorize(1.0, 2.0).inverse(1.5) == 1.5
    assert Winsorize(1.0, 2.0).state() == {"low": 1.0, "high": 2.0}
    assert YeoJohnson(0.25).state() == {"power": 0.25}
    assert (Log1p().state(), Identity().state(), _SignedLog().state()) == ({}, {}, {})


def test_a_profile_is_carried_through_a_transform() -> None:
    carried = transformed(Profile(7, 2, 0.0, 3.0, 1.0), Log1p())
    assert carried == Profile(7, 2, 0.0, math.log(4.0), math.log(2.0))


@pytest.mark.parametrize(
    ("slot", "name", "parameter", "expected"),
    [
        ("impute", "median", None, ("median", 4.0, "all rows")),
        ("impute", "mean", None, ("mean", 2.5, "all rows")),
        ("impute", "mode", None, ("mode", 7.0, "all rows")),
        ("impute", "constant", -3, ("constant", -3.0, "option")),
        ("impute", "none", None, ("none", None, "none")),
        ("scale", "none", None, ("none", 0.0, 1.0)),
        ("scale", "standard", None, ("standard", 2.5, 1 / 1.5)),
        ("scale", "standard", "center", ("standard", 2.5, 1.0)),
        ("scale", "standard", "sample", ("standard", 2.5, 1 / math.sqrt(2.25 * 10 / 9))),
        ("scale", "minmax", None, ("minmax", -8.0, 1 / 12)),
        ("scale", "maxabs", None, ("maxabs", 0.0, 1 / 8)),
        ("scale", "robust", None, ("robust", 5.0, 1 / 3)),
    ],
)
def test_what_a_number_step_learns(slot: str, name: str, parameter: Any, expected: Any) -> None:
    step: Any = STEPS[slot][name]("c", parameter)
    assert (step.slot, step.name) == (slot, name)
    profile = Profile(10, 3, -8.0, 4.0, 0.0)
    answers = {
        MomentsOf: Moments(10, 2.5, 2.25, None),
        QuantilesOf: (4.0, 5.0, 7.0),
        LevelsOf: Levels((("7", 5), ("1", 5)), 0),
    }
    found, asked = learned(step.learn(X, profile), answers)
    if slot == "impute":
        assert (found.step, found.value, found.source) == expected
        shared = [item for item in asked if not isinstance(item, MomentsOf)]
        assert step.wanted(X, profile) == shared
    else:
        assert (found.step, found.center, found.factor) == pytest.approx(expected)
    probabilities = [item.probabilities for item in asked if isinstance(item, QuantilesOf)]
    assert probabilities == {"median": [(0.5,)], "robust": [(0.25, 0.5, 0.75)]}.get(name, [])
    assert not any(item.is_text for item in asked if isinstance(item, LevelsOf))


def test_a_column_that_lacks_nothing_asks_for_no_median() -> None:
    step: Any = STEPS["impute"]["median"]("c")
    whole = Profile(10, 0, 1.0, 2.0, 1.5)
    found, asked = learned(step.learn(X, whole), {})
    assert (found.value, found.source, asked, step.wanted(X, whole)) == (None, "coreset", [], [])


def test_a_column_without_spread_keeps_its_unit() -> None:
    for name in ("standard", "minmax", "maxabs", "robust"):
        step: Any = STEPS["scale"][name]("c")
        answers = {MomentsOf: Moments(10, 0.0, 0.0, None), QuantilesOf: (0.0, 0.0, 0.0)}
        found, _ = learned(step.learn(X, Profile(10, 0, 0.0, 0.0, 0.0)), answers)
        assert found.factor == 1.0
    one: Any = STEPS["scale"]["standard"]("c", "sample")
    found, _ = learned(one.learn(X, Profile(1, 0, 3.0, 3.0, 3.0)), {MomentsOf: Moments(1, 3, 4, 0)})
    assert found.factor == 0.5


def test_only_some_parameters_look_at_what_is_there() -> None:
    standard: Any = STEPS["scale"]["standard"]
    assert [standard("c", item).of_present for item in (None, "sample", "center")] == [
        False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("skewness", "minimum", "expected"),
    [(1.01, 0.0, "log1p"), (1.0, 0.0, "none"), (None, 0.0, "none"), (9.0, -0.1, "none")],
)
def test_auto_is_a_logarithm_for_what_is_skewed(
    skewness: float | None, minimum: float, expected: str
) -> None:
    step: Any = STEPS["transform"]["auto"]("c")
    profile, known = Profile(10, 0, minimum, 5.0, 1.0), Known()
    answers = {MomentsOf: Moments(10, 1.0, 1.0, skewness)}
    found, asked = learned(step.learn(Prepared(), profile, known), answers)
    assert found.step == expected
    assert [item.order for item in asked] == ([3, 2] if minimum >= 0 else [3])
    assert len(known.told) == (1 if minimum >= 0 else 0)
    candidates = step.candidates(profile)
    assert [item.step for item in candidates] == (["none", "log1p"] if minimum >= 0 else ["none"])
    assert [step.order(item) for item in candidates] == ([3, 2] if minimum >= 0 else [3])


def test_log1p_and_none_ask_nothing() -> None:
    profile = profile_of(NUMBERS)
    for name, candidates in (("log1p", ["none", "log1p"]), ("none", ["none"])):
        step: Any = STEPS["transform"][name]("c")
        found, asked = learned(step.learn(Prepared(), profile, Known()), {})
        assert (found.step, asked) == (name, [])
        assert [item.step for item in step.candidates(profile)] == candidates
        assert [step.order(item) for item in step.candidates(profile)] == [2] * len(candidates)


@pytest.mark.parametrize(("parameter", "shares"), [(None, (0.01, 0.99)), ([0, 1], (0.0, 1.0))])
def test_winsorize_asks_for_both_quantiles(parameter: Any, shares: tuple[float, float]) -> None:
    step: Any = STEPS["transform"]["winsorize"]("c", parameter)
    profile = profile_of(NUMBERS)
    found, asked = learned(step.learn(Prepared(), profile, Known()), {QuantilesOf: (-2.0, 3.0)})
    assert found == Winsorize(-2.0, 3.0)
    assert asked[0].probabilities == shares


@pytest.mark.parametrize(
    ("slot", "name", "parameter"),
    [
        *(("transform", "winsorize", item)
          for item in ([0.5], [0.5, 0.5], [-0.1, 0.9], [0.1, 1.1], [0.9, 0.1], "ab", [True, 1.0],
                       [0.0, "1"], 0.1)),
        *(("impute", "constant", item)
          for item in (None, True, "0", math.nan, math.inf, sql.LARGEST * 2)),
        *(("encode", "onehot", item)
          for item in (0, -1, True, {"top": 0}, {"top": 2.5}, {"top": True}, {"best": 3}, "20",
                       {"top": 3, "rest": 1})),
        *(("encode", "ordinal", item)
          for item in ([], ["a", "a"], "ab", {"order": ["a"], "by": 1}, {"by": ["a"]}, 5)),
        ("encode", "frequency", 3), ("impute", "median", 3), ("scale", "minmax", 0),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_refused(slot: str, name: str, parameter: Any) -> None:
    with pytest.raises(SegqlError, match=f"^column 'c': {slot} {name} (got|takes)"):
        STEPS[slot][name]("c", parameter)


def test_constants_up_to_the_largest_number_are_taken() -> None:
    for value in (0, -1.5, sql.LARGEST, -sql.LARGEST):
        step: Any = STEPS["impute"]["constant"]("c", value)
        assert step.constant == value


@pytest.mark.parametrize(
    ("base", "parts"),
    [
        (NumberImputer, {"learn"}),
        (Transformer, {"learn"}),
        (Scaler, {"learn"}),
        (Transform, {"sql", "value", "inverse", "state"}),
        (PreparedBy, {"__call__"}),
    ],
)
def test_a_step_that_lacks_a_part_is_refused_where_it_is_made(base: Any, parts: set[str]) -> None:
    assert base.__abstractmethods__ == parts
    with pytest.raises(TypeError, match="abstract"):
        base()


def levels_of(counts: dict[str, int], missing: int = 0) -> dict[type, Any]:
    return {LevelsOf: Levels(tuple(counts.items()), missing)}


@pytest.mark.parametrize(
    ("parameter", "top"), [(None, 20), (2, 2), ({"top": 2}, 2), ({}, 20), (1, 1)]
)
def test_onehot_has_a_column_a_level(parameter: Any, top: int) -> None:
    step = EncodeOneHot("c", parameter)
    assert step.top == top
    counts = {"b": 9, "a": 5, "d": 2, "c": 1}
    found, _ = learned(step.learn(X), levels_of(counts, 3))
    assert isinstance(found, OneHot)
    names = list(counts)
    assert (found.levels, found.rare) == (tuple(names[:top]), tuple(names[top:]))
    rare = [sum(list(counts.values())[top:])] if top < 4 else []
    assert found.counts == (*list(counts.values())[:top], *rare, 3)
    assert (found.null, found.rows) == (True, 20)
    assert found.default_weight == pytest.approx(1 / math.sqrt(len(found.counts)))
    labels = [label for label, _ in found.columns(X)]
    assert labels == [*names[:top], *(["other"] if rare else []), "NULL"]
    values = ["b", "c", None, "unseen"]
    told = {label: run(text, values, "varchar") for label, text in found.columns(X)}
    assert told["b"] == [1, 0, 0, 0]
    assert told["NULL"] == [0, 0, 1, 0]
    assert told["other" if rare else "c"] == [0, 1, 0, 0]
    assert found.state()["counts"] == list(found.counts)


def test_onehot_without_null_has_no_column_for_it() -> None:
    found, _ = learned(EncodeOneHot("c").learn(X), levels_of({"a": 1}))
    assert (found.null, found.counts, found.default_weight) == (False, (1,), 1.0)
    assert [label for label, _ in found.columns(X)] == ["a"]
    empty, _ = learned(EncodeOneHot("c").learn(X), levels_of({}))
    assert empty.default_weight == 1.0


def test_frequency_is_the_share_of_rows() -> None:
    found, _ = learned(EncodeFrequency("c").learn(X), levels_of({"a": 6, "b": 1}, 3))
    assert found == ({"a": 0.6, "b": 0.1}, 0.3)
    assert learned(EncodeFrequency("c").learn(X), levels_of({}))[0] == ({}, 0.0)
    assert run(mapped(X, *found, 0.0), ["a", "b", None, "z"], "varchar") == [0.6, 0.1, 0.3, 0.0]


def test_ordinal_is_the_place_in_the_order() -> None:
    found, _ = learned(EncodeOrdinal("c").learn(X), levels_of({"b": 2, "a": 1}))
    assert found == {"a": 0.0, "b": 1.0}
    ordered, _ = learned(EncodeOrdinal("c", ["b", "x", "a"]).learn(X), levels_of({"b": 2, "a": 1}))
    assert ordered == {"b": 0.0, "x": 1.0, "a": 2.0}
    assert run(mapped(X, ordered, None, None), ["a", None, "z"], "varchar") == [2, None, None]
    assert run(mapped(X, {}, None, None), ["a", None], "varchar") == [None, None]
    with pytest.raises(SegqlError, match=r"no place for 'a' \(order given: b\)"):
        learned(EncodeOrdinal("c", {"order": ["b"]}).learn(X), levels_of({"b": 2, "a": 1}))


@pytest.mark.parametrize(
    ("step", "most", "message"),
    [
        (EncodeFrequency("c"), 1000, "has 1001 categories; encode frequency takes at most 1000"),
        (EncodeOneHot("c"), 2020, "has 2021 categories; one-hot takes at most 2020"),
        (EncodeOneHot("c", 3), 2003, "has 2004 categories; one-hot takes at most 2003"),
        (EncodeOrdinal("c"), 500, "has 501 levels; encode ordinal takes at most 500"),
    ],
)
def test_more_categories_than_a_case_should_have_are_refused(
    step: Any, most: int, message: str
) -> None:
    many = {f"l{number:05d}": 1 for number in range(most)}
    learned(step.learn(X), levels_of(many))
    with pytest.raises(SegqlError, match=message):
        learned(step.learn(X), levels_of(many | {"z": 1}))


def test_an_order_with_too_many_levels_is_refused_by_its_length() -> None:
    order = [f"l{number}" for number in range(501)]
    with pytest.raises(SegqlError, match="has 501 levels; encode ordinal takes at most 500"):
        learned(EncodeOrdinal("c", order).learn(X), levels_of({"l3": 1}))


@pytest.mark.parametrize("step", [EncodeFrequency("c"), EncodeOneHot("c"), EncodeOrdinal("c")])
def test_a_text_is_no_category(step: Any) -> None:
    learned(step.learn(X), levels_of({"t" * 1000: 1}))
    with pytest.raises(SegqlError, match=r"'t{20}'… of more than 1000 characters"):
        learned(step.learn(X), levels_of({"t" * 1001: 1}))
