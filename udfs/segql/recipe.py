"""Which steps each column goes through: options checked, and "auto" decided by type and name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segql import sql_text as sql
from segql.errors import SegqlError, unknown
from segql.features import (
    Dimension,
    Feature,
    NumberFeature,
    category_from_state,
    number_from_state,
)
from segql.steps import STEPS

#: Columns that a model can take.
MAXIMUM_FEATURES = 1000
OPTIONS = ("impute", "indicator", "transform", "scale", "encode", "weight")
PREDICTION_COLUMNS = ("segment_id", "segment_key", "distance", "next_segment_id", "confidence")

INTEGERS = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
)  # fmt: skip
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
    #: What the column holds, when it is encoded too.
    stored: str = "text"


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
    if not isinstance(features, Mapping):
        odd = [given for given in features if not isinstance(given, str)]
        if odd:
            raise SegqlError(f"features holds {odd[0]!r}; accepted: column names")
    wanted = features if isinstance(features, Mapping) else dict.fromkeys(features)
    if not wanted:
        raise SegqlError("features is empty; accepted: at least one column")
    plans: list[Plan] = []
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
    stored = kind
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
    return Plan(name, kind, dict(options), stored)


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
