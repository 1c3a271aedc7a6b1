"""The schema of a stored model: what the registry holds is checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlglot
from sqlglot import exp

from segql import stored_values as check
from segql.errors import SegqlError
from segql.steps import STEPS, TRANSFORMS
from segql.stored_bigquery import check_bigquery

#: Coordinates that cells can have.
COORDINATES = 3
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
        raise check.refusal("state", text, "JSON")
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
        raise check.refusal("rules.condition", text, accepted) from error
    for node in parsed.walk():
        is_column = isinstance(node, exp.Column) and node.name in names and not node.table
        if not is_column and not isinstance(node, IN_CONDITIONS):
            raise check.refusal("rules.condition", text, accepted)
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
        raise check.refusal("segments.segment_id", ids, f"1 to {k}")
    keys = [row[1] for row in segments]
    for index, key in enumerate(keys):
        if not isinstance(key, str) or not key or key in keys[:index]:
            raise check.refusal("segments.segment_key", key, "a name that no other segment has")


def parse_options(text: Any) -> dict[str, Any]:
    """Read the options that a model was asked for with."""
    try:
        options = json.loads(text or "{}")
    except (ValueError, RecursionError, TypeError) as error:
        raise check.refusal("options", text, "JSON") from error
    if not isinstance(options, dict):
        raise check.refusal("options", text, "a JSON object")
    return options


def parse_figures(
    names: Sequence[str], values: Sequence[Any], *, has_segments: bool
) -> dict[str, float]:
    """Read the figures of the training: every one of them, where there are segments."""
    found = dict(zip(names, values, strict=True))
    if has_segments and None in found.values():
        name = next(name for name, value in found.items() if value is None)
        raise check.refusal(name, None, "a number")
    return {name: float(value) for name, value in found.items() if value is not None}


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number that a model may hold")


# -- what a model holds ----------------------------------------------------------------------


def _transform(place: str, value: Any) -> None:
    check.mapping_of(lambda *_: None)(place, value)
    step = value.get("step")
    check.one_of(*TRANSFORMS)(f"{place}.step", step)
    check.record_of({"step": check.text} | dict.fromkeys(PARAMETERS.get(step, ()), check.number))(
        place, value
    )
    if step == "winsorize" and value["low"] > value["high"]:
        raise check.refusal(f"{place}.low", value["low"], f"at most {value['high']}")


_MOMENTS = check.record_of(
    {
        "count": check.count,
        "mean": check.number,
        "variance": check.number,
        "skewness": check.maybe(check.number),
    }
)
_NUMBER_FEATURE = check.record_of(
    {
        "name": check.name,
        "kind": check.one_of(*KINDS),
        "imputation": check.record_of(
            {
                "step": check.one_of(*STEPS["impute"]),
                "value": check.maybe(check.number),
                "source": check.one_of("none", "option", "all rows", "coreset"),
            }
        ),
        "transform": _transform,
        "scaling": check.record_of(
            {"step": check.one_of(*STEPS["scale"]), "center": check.number, "factor": check.number}
        ),
        "indicator": check.flag,
        "weight": check.positive,
        "profile": check.record_of(
            {
                "count": check.count, "missing": check.count, "minimum": check.number,
                "maximum": check.number, "center": check.number,
            }
        ),
        "raw_moments": _MOMENTS,
        "moments": _MOMENTS,
        "bound": check.number,
        "encoding": check.maybe(
            check.record_of(
                {
                    "numbers": check.mapping_of(check.number), "null": check.maybe(check.number),
                    "other": check.maybe(check.number),
                }
            )
        ),
    },
    {"stored": check.one_of(*KINDS)},
)  # fmt: skip
_CATEGORY_FEATURE = check.record_of(
    {
        "name": check.name,
        "kind": check.one_of(*KINDS),
        "fill": check.maybe(check.text),
        "onehot": check.record_of(
            {
                "step": check.one_of("onehot"), "levels": check.list_of(check.text),
                "rare": check.list_of(check.text), "null": check.flag,
                "counts": check.list_of(check.count), "rows": check.count,
            }
        ),
        "weight": check.positive,
    },
    {"stored": check.one_of(*KINDS)},
)  # fmt: skip


def _feature(place: str, value: Any) -> None:
    check.mapping_of(lambda *_: None)(place, value)
    (_CATEGORY_FEATURE if "onehot" in value else _NUMBER_FEATURE)(place, value)
    if "onehot" in value:
        onehot = value["onehot"]
        columns = len(onehot["levels"]) + bool(onehot["rare"]) + onehot["null"]
        check.list_of(check.count, columns)(f"{place}.onehot.counts", onehot["counts"])
    elif value["scaling"]["factor"] == 0:
        raise check.refusal(f"{place}.scaling.factor", 0, "a number other than 0")


def _width(feature: Mapping[str, Any]) -> int:
    """Dimensions that a feature becomes."""
    return len(feature["onehot"]["counts"]) if "onehot" in feature else 1 + feature["indicator"]


_MODEL = check.record_of(
    {
        "algorithm": check.name,
        "id": check.name,
        "recipe": check.record_of(
            {
                "features": check.list_of(_feature),
                "decisions": check.list_of(
                    check.record_of(
                        {"column": check.text, "used": check.flag, "reason": check.text}
                    )
                ),
            }
        ),
        "projection": check.maybe(check.mapping_of(lambda *_: None)),
        "points": check.list_of(check.list_of(check.number)),
    },
    {"scorer": check.maybe(check.mapping_of(lambda *_: None)), "bigquery": check_bigquery},
)


def _model(place: str, state: Any) -> None:
    _MODEL(place, state)
    features = state["recipe"]["features"]
    if not features:
        raise check.refusal(f"{place}.recipe.features", [], "at least one feature")
    # As DuckDB folds names: bytes.lower() leaves what is not ASCII, such as the Kelvin sign.
    names = [feature["name"].encode("utf-8", "surrogatepass").lower() for feature in features]
    for index, name in enumerate(names):
        if name in names[:index]:
            given = features[index]["name"]
            raise check.refusal(f"{place}.recipe.features[{index}].name", given, "each name once")
    size = sum(_width(feature) for feature in features)
    if state["projection"] is not None:
        size = _projection(f"{place}.projection", state["projection"], size)
    check.list_of(check.list_of(check.number, size))(f"{place}.points", state["points"])
    scorer = state.get("scorer")
    has_segments = scorer is None or scorer.get("kind") != "components"
    if has_segments != bool(state["points"]):
        accepted = "at least one point" if has_segments else "no point, without segments"
        raise check.refusal(f"{place}.points", state["points"], accepted)
    if scorer is not None:
        _scorer(f"{place}.scorer", scorer, size, len(state["points"]))


def _projection(place: str, value: Any, size: int) -> int:
    """Check a projection of that many dimensions; the number of components."""
    check.record_of(
        {
            "components": check.list_of(check.list_of(check.number, size)),
            "mean": check.list_of(check.number, size),
            "eigenvalues": check.list_of(check.number),
            "total_variance": check.positive,
        }
    )(place, value)
    components = len(value["components"])
    if not components:
        raise check.refusal(f"{place}.components", [], "at least one component")
    check.list_of(check.number, components)(f"{place}.eigenvalues", value["eigenvalues"])
    return components


def _scorer(place: str, value: Any, size: int, segments: int) -> None:
    """Check what names a row's segment, when it is not the nearest centroid."""
    kind = value.get("kind")
    check.one_of("points", "cells", "directions", "components")(f"{place}.kind", kind)
    if kind == "components":
        check.record_of({"kind": check.text})(place, value)
        return
    if kind == "directions":
        point = check.list_of(check.number, size)
        check.record_of(
            {"kind": check.text, "directions": check.list_of(point, segments), "offsets": point}
        )(place, value)
        return

    def label(where: str, number: Any) -> None:
        check.count(where, number)
        if not 0 <= number <= segments:
            raise check.refusal(where, number, f"a segment from 0 to {segments}")

    if kind == "cells":
        if size > COORDINATES:
            accepted = f"points, where there are {size} coordinates"
            raise check.refusal(f"{place}.kind", kind, accepted)
        pair = check.list_of(check.positive, 2)
        check.record_of(
            {
                "kind": check.text,
                "levels": check.list_of(pair),
                "model": check.list_of(_model_part, 3),
            }
        )(place, value)
        if not value["levels"]:
            raise check.refusal(f"{place}.levels", [], "at least one level")
        return
    points = value.get("points")
    count = len(points) if isinstance(points, list) else 0
    check.record_of(
        {
            "kind": check.text,
            "points": check.list_of(check.list_of(check.number, size)),
            "labels": check.list_of(label, count),
            "reaches": check.maybe(check.list_of(check.number, count)),
        }
    )(place, value)
    if not count:
        raise check.refusal(f"{place}.points", points, "at least one point")


def _model_part(place: str, value: Any) -> None:
    """Name, version and mark of the model whose cells they are."""
    (check.count if place.endswith("[1]") else check.name)(place, value)
