"""Learn a planned recipe: all columns side by side, then what the data says about each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import Learning
from segql.errors import SegqlError, unknown
from segql.features import (
    SOURCE,
    CategoryFeature,
    Feature,
    NumberFeature,
    learn_fill,
    learn_number,
    raw_text,
)
from segql.recipe import Decision, Plan, Recipe
from segql.statistics import Statistics
from segql.steps import STEPS, NumberImputer, Scaler, Step, Transformer
from segql.steps.encode_frequency import EncodeFrequency
from segql.steps.encode_onehot import EncodeOneHot
from segql.steps.encode_ordinal import EncodeOrdinal

#: |correlation| from which a later numeric column says nothing that an earlier one does not.
NEAR_COPY = 0.98
#: A text column with more levels than this is not a category for "auto".
AUTO_LEVELS = 50


def learn(
    statistics: Statistics, plans: Sequence[Plan], decisions: list[Decision], *, auto: bool
) -> Recipe:
    """Learn every planned column, all columns side by side.

    Parameters
    ----------
    statistics : Statistics
        Answers the aggregates.
    plans : sequence of Plan
        The columns.
    decisions : list of Decision
        What "auto" has decided by name and type; extended here by what the data says.
    auto : bool
        Whether constants, unbounded categories and near-copies are left out (else: kept, since
        they were asked for by name).
    """
    if auto:
        plans = _drop_wide_text(statistics, plans, decisions)
    learned = statistics.learn([_learning(item, statistics) for item in plans])
    kept: list[Feature] = []
    for feature in learned:
        reason = _useless(feature)
        if reason is None:
            kept.append(feature)
        elif auto:
            decisions.append(Decision(feature.name, False, reason))
        elif reason == "no usable value":
            raise SegqlError(f"column {feature.name!r} has no usable value: all are missing")
        else:
            kept.append(feature)
    if auto:
        kept = _drop_near_copies(statistics, kept, decisions)
        decisions.extend(Decision(item.name, True, _how(item)) for item in kept)
    if not kept:
        found = "; ".join(f"{item.column}: {item.reason}" for item in decisions)
        raise SegqlError(f"no column is left to segment by ({found or 'none was given'})")
    return Recipe(kept, decisions)


def _learning(item: Plan, statistics: Statistics) -> Learning[Feature]:
    weight = item.options.get("weight")
    if weight is not None and (
        isinstance(weight, bool)
        or not isinstance(weight, int | float)
        or not math.isfinite(weight)
        or weight <= 0
    ):
        raise SegqlError(f"column {item.name!r}: weight got {weight!r}; accepted: a number above 0")
    indicator = item.options.get("indicator", False)
    if not isinstance(indicator, bool):
        raise SegqlError(
            f"column {item.name!r}: indicator got {indicator!r}; accepted: true, false"
        )
    if item.kind == "text":
        return _learn_text(item, statistics, indicator, weight)
    return learn_number(
        item.name,
        item.kind,
        None,
        _step(item, "impute", "median", NumberImputer),
        _step(item, "transform", "none" if item.kind == "boolean" else "auto", Transformer),
        _step(item, "scale", "standard", Scaler),
        indicator=indicator,
        weight=1.0 if weight is None else float(weight),
        statistics=statistics,
    )


def _learn_text(
    item: Plan, statistics: Statistics, indicator: bool, weight: float | None
) -> Learning[Feature]:
    encode = _step(item, "encode", "onehot", Step)
    if isinstance(encode, EncodeOneHot):
        if indicator or {"transform", "scale"} & set(item.options):
            raise SegqlError(
                f"column {item.name!r}: one-hot columns take no indicator, transform or scale "
                "(NULL has a level of its own)"
            )
        impute, constant = _name_and_parameter(item, "impute", item.options.get("impute", "none"))
        if impute not in ("none", "mode", "constant"):
            raise SegqlError(
                f"column {item.name!r}: impute {impute!r} does not fit a category; "
                "accepted: mode, constant, none"
            )
        fill = yield from learn_fill(item.name, impute, constant)
        onehot = yield from encode.learn(raw_text(item.name, fill))
        weight = onehot.default_weight if weight is None else float(weight)
        return CategoryFeature(item.name, item.kind, fill, onehot, weight, item.stored)
    text = exp.Cast(this=sql.column(item.name, SOURCE), to=exp.DataType.build("text"))
    encoding: dict[str, Any]
    if isinstance(encode, EncodeFrequency):
        numbers, null = yield from encode.learn(text)
        encoding = {"numbers": numbers, "null": null, "other": 0.0}
    elif isinstance(encode, EncodeOrdinal):
        numbers = yield from encode.learn(text)
        encoding = {"numbers": numbers, "null": None, "other": None}
    else:
        raise SegqlError(f"column {item.name!r}: encode {encode.name!r} cannot be used here")
    feature = yield from learn_number(
        item.name,
        item.kind,
        encoding,
        _step(item, "impute", "median", NumberImputer),
        _step(item, "transform", "none", Transformer),
        _step(item, "scale", "standard", Scaler),
        indicator=indicator,
        weight=1.0 if weight is None else float(weight),
        statistics=statistics,
        stored=item.stored,
    )
    return feature


def _name_and_parameter(item: Plan, slot: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        return value, None
    if isinstance(value, Mapping) and len(value) == 1:
        name, parameter = next(iter(value.items()))
        return str(name), parameter
    raise SegqlError(
        f"column {item.name!r}: {slot} got {value!r}; accepted: a name or {{name: parameter}}, "
        f"with {', '.join(STEPS[slot])}"
    )


def _step(item: Plan, slot: str, default: str, expected: Any) -> Any:
    name, parameter = _name_and_parameter(item, slot, item.options.get(slot, default))
    if name not in STEPS[slot]:
        raise SegqlError(f"column {item.name!r}: {unknown(slot, name, STEPS[slot])}")
    step = STEPS[slot][name](item.name, parameter)
    if not isinstance(step, expected):
        raise SegqlError(f"column {item.name!r}: {slot} {name!r} cannot be used here")
    return step


def _useless(feature: Feature) -> str | None:
    if isinstance(feature, CategoryFeature):
        return "only one value" if len(feature.onehot.counts) < 2 else None
    if feature.profile.count == 0:
        return "no usable value"
    constant = feature.profile.minimum == feature.profile.maximum
    if constant and not (feature.indicator and feature.profile.missing):
        return "only one value"
    return None


def _drop_wide_text(
    statistics: Statistics, plans: Sequence[Plan], decisions: list[Decision]
) -> list[Plan]:
    texts = [item for item in plans if item.kind == "text"]
    if not texts:
        return list(plans)
    distinct = [
        exp.Anonymous(this="approx_count_distinct", expressions=[sql.column(item.name, SOURCE)])
        for item in texts
    ]
    row = statistics.engine.rows(exp.select(*distinct).from_(statistics.source.copy()))[0]
    wide = {
        item.name: int(levels)
        for item, levels in zip(texts, row, strict=True)
        if levels > AUTO_LEVELS
    }
    for name, levels in wide.items():
        reason = f"about {levels} categories; ask for encode: frequency or onehot to use it"
        decisions.append(Decision(name, False, reason))
    return [item for item in plans if item.name not in wide]


def _drop_near_copies(
    statistics: Statistics, features: list[Feature], decisions: list[Decision]
) -> list[Feature]:
    numbers = [f for f in features if isinstance(f, NumberFeature) and f.moments.variance > 0]
    if len(numbers) < 2:
        return features
    matrix = statistics.covariance(
        [item.base for item in numbers],
        [item.moments.mean for item in numbers],
        [item.bound for item in numbers],
    ).matrix
    deviations = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    correlations = matrix / np.outer(deviations, deviations)
    dropped: set[str] = set()
    for later in range(1, len(numbers)):
        for earlier in range(later):
            if numbers[earlier].name in dropped:
                continue
            correlation = correlations[later, earlier]
            if abs(correlation) >= NEAR_COPY:
                name = numbers[later].name
                dropped.add(name)
                reason = f"near-copy of {numbers[earlier].name} (correlation {correlation:.3f})"
                decisions.append(Decision(name, False, reason))
                break
    return [item for item in features if item.name not in dropped]


def _how(feature: Feature) -> str:
    return " → ".join(describe(feature))


def describe(feature: Feature) -> Iterator[str]:
    """Name the steps of a feature, in order."""
    if isinstance(feature, CategoryFeature):
        yield f"onehot ({len(feature.onehot.counts)} levels)"
        return
    if feature.encoding is not None:
        yield "ordinal" if feature.encoding["null"] is None else "frequency"
    yield f"impute {feature.imputation.step}"
    if feature.transform.step != "none":
        yield feature.transform.step
    yield feature.scaling.step
