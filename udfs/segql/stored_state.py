"""The schema of a stored model: what the registry holds is checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlglot
from sqlglot import exp

from segql.errors import SegqlError
from segql.steps import STEPS, TRANSFORMS

#: A check gets the place of a value, for the message, and the value.
Check = Callable[[str, Any], None]
#: What an encoded or plain column may hold.
KINDS = ("number", "boolean", "text")
#: What a rule's condition is made of, its columns aside.
IN_CONDITIONS = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE,
    exp.Is, exp.Null, exp.Boolean, exp.Literal, exp.Neg, exp.Identifier, exp.Cast, exp.DataType,
)  # fmt: skip
#: Parameters of each transform.
PARAMETERS = {"winsorize": ("low", "high"), "yeo_johnson": ("power",)}


def parse_state(text: Any) -> dict[str, Any]:
    """Read a model's state, and refuse what no fit has written.

    Parameters
    ----------
    text : str
        JSON, as :meth:`segql.model.Model.state` writes it.

    Raises
    ------
    SegqlError
        Naming the place, the value and what belongs there.
    """
    if not isinstance(text, str):
        raise _refusal("state", text, "JSON")
    try:
        state = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        # A text that nests deeper than Python follows is none of a fit's either.
        raise SegqlError(f"the stored model cannot be read: {str(error)[:200]}") from error
    _model("state", state)
    return dict(state)


def parse_condition(text: Any, names: Collection[str]) -> exp.Expr:
    """Read a rule's condition: comparisons of the model's columns with numbers and texts.

    Raises
    ------
    SegqlError
        When it holds anything else.
    """
    accepted = "comparisons of the model's columns with numbers and texts"
    try:
        parsed = sqlglot.parse_one(text, dialect="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError, TypeError) as error:
        raise _refusal("rules.condition", text, accepted) from error
    for node in parsed.walk():
        is_column = isinstance(node, exp.Column) and node.name in names and not node.table
        if not is_column and not isinstance(node, IN_CONDITIONS):
            raise _refusal("rules.condition", text, accepted)
    return parsed


def check_segments(segments: Sequence[tuple[Any, ...]], k: int) -> None:
    """Refuse ids and keys of segments that are not those of k segments, with or without noise.

    Parameters
    ----------
    segments : sequence of tuple
        segment_id and segment_key first, in the order of the ids.
    k : int

    Raises
    ------
    SegqlError
    """
    ids = [row[0] for row in segments if row[0] != 0]
    if ids != list(range(1, k + 1)):
        raise _refusal("segments.segment_id", ids, f"1 to {k}")
    keys = [row[1] for row in segments]
    for index, key in enumerate(keys):
        if not isinstance(key, str) or not key or key in keys[:index]:
            raise _refusal("segments.segment_key", key, "a name that no other segment has")


def parse_options(text: Any) -> dict[str, Any]:
    """Read the options that a model was asked for with."""
    try:
        options = json.loads(text or "{}")
    except (ValueError, RecursionError, TypeError) as error:
        raise _refusal("options", text, "JSON") from error
    if not isinstance(options, dict):
        raise _refusal("options", text, "a JSON object")
    return options


def parse_figures(names: Sequence[str], values: Sequence[Any]) -> dict[str, float]:
    """Read the figures of the training, every one of them."""
    for name, value in zip(names, values, strict=True):
        if value is None:
            raise _refusal(name, value, "a number")
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _refusal(place: str, value: Any, expected: str) -> SegqlError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return SegqlError(
        f"the stored model cannot be read: {place} got {shown}; accepted: {expected} "
        "(was the registry changed by hand?)"
    )


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number that a model may hold")


# -- values ----------------------------------------------------------------------------------


def _number(place: str, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # An integer may be too large for a double.
    if not is_number or not abs(value) <= 1.7976931348623157e308:
        raise _refusal(place, value, "a finite number")


def _positive(place: str, value: Any) -> None:
    _number(place, value)
    if value <= 0:
        raise _refusal(place, value, "a number above 0")


def _count(place: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise _refusal(place, value, "a whole number of at least 0")


def _flag(place: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise _refusal(place, value, "true or false")


def _text(place: str, value: Any) -> None:
    if not isinstance(value, str):
        raise _refusal(place, value, "a text")


def _name(place: str, value: Any) -> None:
    _text(place, value)
    if not value:
        raise _refusal(place, value, "a name")


def _one_of(*accepted: str) -> Check:
    def check(place: str, value: Any) -> None:
        if not isinstance(value, str) or value not in accepted:
            raise _refusal(place, value, ", ".join(accepted))

    return check


def _maybe(inner: Check) -> Check:
    def check(place: str, value: Any) -> None:
        if value is not None:
            inner(place, value)

    return check


def _list(inner: Check, length: int | None = None) -> Check:
    def check(place: str, value: Any) -> None:
        if not isinstance(value, list):
            raise _refusal(place, value, "a list")
        if length is not None and len(value) != length:
            raise _refusal(place, value, f"a list of {length}, which has {len(value)}")
        for index, item in enumerate(value):
            inner(f"{place}[{index}]", item)

    return check


def _mapping(inner: Check) -> Check:
    def check(place: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise _refusal(place, value, "an object")
        for name, item in value.items():
            inner(f"{place}.{name}", item)

    return check


def _record(fields: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these fields and no others; older registries lack the optional ones."""
    known = {**fields, **(optional or {})}

    def check(place: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise _refusal(place, value, "an object")
        for name in fields:
            if name not in value:
                raise _refusal(f"{place}.{name}", None, "a value, which is missing")
        for name, item in value.items():
            if name not in known:
                raise _refusal(f"{place}.{name}", item, f"only {', '.join(known)}")
            known[name](f"{place}.{name}", item)

    return check


# -- what a model holds ----------------------------------------------------------------------


def _transform(place: str, value: Any) -> None:
    _mapping(lambda *_: None)(place, value)
    step = value.get("step")
    _one_of(*TRANSFORMS)(f"{place}.step", step)
    _record({"step": _text} | dict.fromkeys(PARAMETERS.get(step, ()), _number))(place, value)
    if step == "winsorize" and value["low"] > value["high"]:
        raise _refusal(f"{place}.low", value["low"], f"at most {value['high']}")


_MOMENTS = _record(
    {"count": _count, "mean": _number, "variance": _number, "skewness": _maybe(_number)}
)
_NUMBER_FEATURE = _record(
    {
        "name": _name,
        "kind": _one_of(*KINDS),
        "imputation": _record(
            {
                "step": _one_of(*STEPS["impute"]),
                "value": _maybe(_number),
                "source": _one_of("none", "option", "all rows", "coreset"),
            }
        ),
        "transform": _transform,
        "scaling": _record(
            {"step": _one_of(*STEPS["scale"]), "center": _number, "factor": _number}
        ),
        "indicator": _flag,
        "weight": _positive,
        "profile": _record(
            {
                "count": _count, "missing": _count, "minimum": _number, "maximum": _number,
                "center": _number,
            }
        ),
        "raw_moments": _MOMENTS,
        "moments": _MOMENTS,
        "bound": _number,
        "encoding": _maybe(
            _record(
                {"numbers": _mapping(_number), "null": _maybe(_number), "other": _maybe(_number)}
            )
        ),
    },
    {"stored": _one_of(*KINDS)},
)  # fmt: skip
_CATEGORY_FEATURE = _record(
    {
        "name": _name,
        "kind": _one_of(*KINDS),
        "fill": _maybe(_text),
        "onehot": _record(
            {
                "step": _one_of("onehot"), "levels": _list(_text), "rare": _list(_text),
                "null": _flag, "counts": _list(_count), "rows": _count,
            }
        ),
        "weight": _positive,
    },
    {"stored": _one_of(*KINDS)},
)  # fmt: skip


def _feature(place: str, value: Any) -> None:
    _mapping(lambda *_: None)(place, value)
    (_CATEGORY_FEATURE if "onehot" in value else _NUMBER_FEATURE)(place, value)
    if "onehot" in value:
        onehot = value["onehot"]
        columns = len(onehot["levels"]) + bool(onehot["rare"]) + onehot["null"]
        _list(_count, columns)(f"{place}.onehot.counts", onehot["counts"])
    elif value["scaling"]["factor"] == 0:
        raise _refusal(f"{place}.scaling.factor", 0, "a number other than 0")


def _width(feature: Mapping[str, Any]) -> int:
    """Dimensions that a feature becomes."""
    return len(feature["onehot"]["counts"]) if "onehot" in feature else 1 + feature["indicator"]


_MODEL = _record(
    {
        "algorithm": _name,
        "id": _name,
        "recipe": _record(
            {
                "features": _list(_feature),
                "decisions": _list(_record({"column": _text, "used": _flag, "reason": _text})),
            }
        ),
        "projection": _maybe(_mapping(lambda *_: None)),
        "points": _list(_list(_number)),
    },
    {"scorer": _maybe(_mapping(lambda *_: None))},
)


def _model(place: str, state: Any) -> None:
    _MODEL(place, state)
    features = state["recipe"]["features"]
    if not features:
        raise _refusal(f"{place}.recipe.features", [], "at least one feature")
    names = [feature["name"].lower() for feature in features]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _refusal(f"{place}.recipe.features[{index}].name", name, "each name once")
    size = sum(_width(feature) for feature in features)
    if state["projection"] is not None:
        size = _projection(f"{place}.projection", state["projection"], size)
    _list(_list(_number, size))(f"{place}.points", state["points"])
    if not state["points"]:
        raise _refusal(f"{place}.points", [], "at least one point")
    scorer = state.get("scorer")
    if scorer is not None:
        _scorer(f"{place}.scorer", scorer, size, len(state["points"]))


def _projection(place: str, value: Any, size: int) -> int:
    """Check a projection of that many dimensions; the number of components."""
    _record(
        {
            "components": _list(_list(_number, size)),
            "mean": _list(_number, size),
            "eigenvalues": _list(_number),
            "total_variance": _positive,
        }
    )(place, value)
    components = len(value["components"])
    if not components:
        raise _refusal(f"{place}.components", [], "at least one component")
    _list(_number, components)(f"{place}.eigenvalues", value["eigenvalues"])
    return components


def _scorer(place: str, value: Any, size: int, segments: int) -> None:
    """Check what names a row's segment, when it is not the nearest centroid."""
    kind = value.get("kind")
    _one_of("points", "cells")(f"{place}.kind", kind)

    def label(where: str, number: Any) -> None:
        _count(where, number)
        if not 0 <= number <= segments:
            raise _refusal(where, number, f"a segment from 0 to {segments}")

    if kind == "cells":
        pair = _list(_positive, 2)
        _record({"kind": _text, "levels": _list(pair), "model": _list(_model_part, 3)})(
            place, value
        )
        return
    points = value.get("points")
    count = len(points) if isinstance(points, list) else 0
    _record(
        {
            "kind": _text,
            "points": _list(_list(_number, size)),
            "labels": _list(label, count),
            "reaches": _maybe(_list(_number, count)),
        }
    )(place, value)
    if not count:
        raise _refusal(f"{place}.points", points, "at least one point")


def _model_part(place: str, value: Any) -> None:
    """Name, version and mark of the model whose cells they are."""
    (_count if place.endswith("[1]") else _name)(place, value)
