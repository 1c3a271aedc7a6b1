"""Which steps each column goes through: options checked, "auto" decided, the whole learned."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlglot import exp

from segql import sql
from segql.errors import SegqlError, unknown
from segql.features import (
    SOURCE,
    CategoryFeature,
    Dimension,
    Feature,
    NumberFeature,
    category_from_state,
    learn_fill,
    learn_number,
    number_from_state,
    raw_text,
)
from segql.statistics import Learning, Statistics
from segql.steps import STEPS, NumberImputer, Scaler, Step, Transformer
from segql.steps.encode_frequency import EncodeFrequency
from segql.steps.encode_onehot import EncodeOneHot
from segql.steps.encode_ordinal import EncodeOrdinal

#: |correlation| from which a later numeric column says nothing that an earlier one does not.
NEAR_COPY = 0.98
#: A text column with more levels than this is not a category for "auto".
AUTO_LEVELS = 50
#: Columns that a model can take.
MAXIMUM_FEATURES = 1000
OPTIONS = ("impute", "indicator", "transform", "scale", "encode", "weight")
PREDICTION_COLUMNS = ("segment_id", "segment_key", "distance", "next_segment_id", "confidence")

_NUMBER = re.compile(
    r"^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UHUGEINT|FLOAT|DOUBLE|REAL|DECIMAL|NUMERIC)\b", re.I
)
_TEXT = re.compile(r"^(VARCHAR|TEXT|CHAR|STRING|ENUM)\b", re.I)
_DATE = re.compile(r"^(DATE|TIME|TIMESTAMP|INTERVAL)", re.I)
_ID = re.compile(r"(^|_)(id|uuid|guid|key)$", re.I)


@dataclass(frozen=True)
class Decision:
    """What "auto" decided about one column, and why."""

    column: str
    used: bool
    reason: str


@dataclass(frozen=True)
class Plan:
    """One column with the steps it will go through."""

    name: str
    kind: str
    options: dict[str, Any]


@dataclass
class Recipe:
    """The learned features in order, and what was decided about the others."""

    features: list[Feature]
    decisions: list[Decision] = field(default_factory=list)

    def dimensions(self) -> list[Dimension]:
        """All axes of the model space, in feature order."""
        return [axis for feature in self.features for axis in feature.dimensions()]

    @property
    def names(self) -> list[str]:
        """Input columns, in the order in which SQL functions take them."""
        return [feature.name for feature in self.features]

    def awaiting_stand_in(self) -> list[NumberFeature]:
        """Columns whose median was not needed for the fit; the coreset's will serve new rows."""
        return [
            feature
            for feature in self.features
            if isinstance(feature, NumberFeature) and feature.imputation.source == "coreset"
        ]

    def complete(self, stand_ins: Mapping[str, float]) -> None:
        """Fill in the stand-ins that the coreset gave."""
        self.features = [
            feature.with_stand_in(stand_ins[feature.name])
            if isinstance(feature, NumberFeature) and feature.name in stand_ins
            else feature
            for feature in self.features
        ]

    def state(self) -> dict[str, Any]:
        """Everything learned, for the registry."""
        return {
            "features": [feature.state() for feature in self.features],
            "decisions": [vars(decision) for decision in self.decisions],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Recipe:
        """Rebuild a recipe from the registry."""
        features: list[Feature] = [
            category_from_state(item) if "onehot" in item else number_from_state(item)
            for item in state["features"]
        ]
        return cls(features, [Decision(**item) for item in state["decisions"]])


def kind_of(column_type: str) -> str | None:
    """Tell number, boolean, text and date from other column types."""
    if column_type.endswith("]"):
        return None
    if _NUMBER.match(column_type):
        return "number"
    if column_type.upper() == "BOOLEAN":
        return "boolean"
    if _TEXT.match(column_type):
        return "text"
    if _DATE.match(column_type):
        return "date"
    return None


def plan(
    columns: Mapping[str, str], features: Any, id_column: str
) -> tuple[list[Plan], list[Decision]]:
    """Check the ``features`` argument against the relation's columns.

    Parameters
    ----------
    columns : mapping of str to str
        Names and types of the relation's columns.
    features : "auto", list of str, or mapping of str to options
        As given to :func:`segql.fit`.
    id_column : str
        The id, which is never a feature.

    Returns
    -------
    list of Plan, list of Decision
        The columns to learn, and for "auto" what was decided by type and name.
    """
    if isinstance(features, str) and features == "auto":
        return _plan_auto(columns, id_column)
    if isinstance(features, str) or not isinstance(features, list | tuple | Mapping):
        raise SegqlError(
            f"features got {features!r}; accepted: 'auto', a list of columns, or "
            "{column: {option: value}}"
        )
    wanted = features if isinstance(features, Mapping) else dict.fromkeys(features)
    if not wanted:
        raise SegqlError("features is empty; accepted: at least one column")
    plans = []
    for given, options in wanted.items():
        name = match_column(given, columns, "feature")
        if name == id_column:
            raise SegqlError(f"column {name!r} is the id and cannot be a feature")
        if name in [item.name for item in plans]:
            raise SegqlError(f"column {name!r} is listed twice in features")
        plans.append(_plan_column(name, columns[name], options))
    if len(plans) > MAXIMUM_FEATURES:
        raise SegqlError(f"{len(plans)} features; a model takes at most {MAXIMUM_FEATURES}")
    return plans, []


def match_column(given: Any, columns: Mapping[str, str], what: str) -> str:
    """Find a column by name, case-insensitively as SQL does; the exact name wins."""
    if given in columns:
        return str(given)
    lowered = {name.lower(): name for name in columns}
    if isinstance(given, str) and given.lower() in lowered:
        return lowered[given.lower()]
    raise SegqlError(unknown(f"{what} column", given, columns))


def _plan_column(name: str, column_type: str, options: Any) -> Plan:
    kind = kind_of(column_type)
    if kind == "date":
        raise SegqlError(
            f"column {name!r} is a {column_type}: a date is no amount; use the days to a fixed "
            f"date instead, e.g. date_diff('day', {name}, as_of_date)"
        )
    if kind is None:
        raise SegqlError(
            f"column {name!r} has type {column_type}; accepted: numbers, booleans and text"
        )
    options = {} if options is None else options
    if not isinstance(options, Mapping):
        raise SegqlError(
            f"column {name!r}: options got {options!r}; accepted: {{option: value}} with "
            f"{', '.join(OPTIONS)}"
        )
    for option in options:
        if option not in OPTIONS:
            raise SegqlError(f"column {name!r}: {unknown('option', option, OPTIONS)}")
    if kind == "text":
        encode = options.get("encode")
        if encode in (None, "none"):
            if encode == "none" or set(options) & {"transform", "scale"}:
                raise SegqlError(
                    f"column {name!r} is text and needs an encode option "
                    f"(accepted: {', '.join(STEPS['encode'])})"
                )
            options = {**options, "encode": "onehot"}
    elif options.get("encode", "none") != "none":
        kind = "text"
    return Plan(name, kind, dict(options))


def _plan_auto(columns: Mapping[str, str], id_column: str) -> tuple[list[Plan], list[Decision]]:
    lowered = {name.lower() for name in columns}
    predicted = {"segment_id", "segment_key"} <= lowered
    plans, decisions = [], []
    for name, column_type in columns.items():
        kind = kind_of(column_type)
        reason = None
        if name == id_column:
            continue
        if name.lower().startswith(sql.SCRATCH):
            reason = "a scratch column of segql"
        elif predicted and name.lower() in PREDICTION_COLUMNS:
            reason = "a prediction of an earlier model"
        elif kind == "date":
            reason = "a date; days to or from a date would be a feature"
        elif kind is None:
            reason = f"type {column_type} is neither number, boolean nor text"
        elif _ID.search(name):
            reason = "the name says that it is an id"
        if reason is not None:
            decisions.append(Decision(name, False, reason))
        else:
            plans.append(_plan_column(name, column_type, None))
    return plans, decisions


# -- learning --------------------------------------------------------------------------------


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
        raise SegqlError(f"column {item.name!r}: indicator got {indicator!r}; accepted: true, false")
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
        return CategoryFeature(item.name, item.kind, fill, onehot, weight)
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
    )
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


def options_json(features: Any) -> str:
    """Print the ``features`` argument canonically, for the registry and the input hash."""
    return json.dumps(features, sort_keys=True, default=str, ensure_ascii=False)
