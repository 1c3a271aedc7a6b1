"""The options of CREATE MODEL: which there are, read from the statement and checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from segql.clusterers.linkage import LINKAGES
from segql.errors import SegqlError, unknown


@dataclass(frozen=True)
class Tuned:
    """Values of an option to choose from: HPARAM_RANGE or HPARAM_CANDIDATES."""

    values: tuple[int, ...]


Check = Callable[[Any], bool]


@dataclass(frozen=True)
class Option:
    """One option: its default, what is accepted in words, and the test of it."""

    default: Any
    accepted: str
    check: Check


def _whole(low: int, high: float = math.inf) -> Check:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def _number(test: Callable[[float], bool]) -> Check:
    return lambda v: (
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) and test(v)
    )


def _one_of(*words: str) -> Option:
    return Option(words[0], " or ".join(f"'{word}'" for word in words), _is_word(words))


def _is_word(words: tuple[str, ...]) -> Check:
    return lambda v: isinstance(v, str) and v.upper() in words


def _truth(default: bool) -> Option:
    return Option(default, "TRUE or FALSE", lambda v: isinstance(v, bool))


def _clusters(value: Any) -> bool:
    if isinstance(value, Tuned):
        return bool(value.values) and all(_whole(2, 100)(item) for item in value.values)
    return _whole(2, 100)(value)


_TEXT = Option(None, "a text", lambda v: isinstance(v, str) and bool(v))
_ANY = Option(None, "anything", lambda v: True)
_SEED = Option(42, "a whole number from 0 to 2147483647", _whole(0, 2**31 - 1))
_CLUSTERS = Option(
    None, "a whole number from 2 to 100, HPARAM_RANGE(low, high) or HPARAM_CANDIDATES([…])",
    _clusters,
)  # fmt: skip
_FIXED_CLUSTERS = Option(None, "a whole number from 2 to 100", _whole(2, 100))

#: What concerns the cloud and changes no number: accepted, and without effect here.
CLOUD = (
    "LABELS", "MODEL_REGISTRY", "VERTEX_AI_MODEL_ID", "VERTEX_AI_MODEL_VERSION_ALIASES",
    "KMS_KEY_NAME",
)  # fmt: skip

KMEANS = {
    "NUM_CLUSTERS": _CLUSTERS,
    "KMEANS_INIT_METHOD": _one_of("RANDOM", "KMEANS++", "CUSTOM"),
    "KMEANS_INIT_COL": _TEXT,
    "DISTANCE_TYPE": _one_of("EUCLIDEAN", "COSINE"),
    "STANDARDIZE_FEATURES": _truth(True),
    "MAX_ITERATIONS": Option(20, "a whole number of at least 1", _whole(1)),
    "EARLY_STOP": _truth(True),
    "MIN_REL_PROGRESS": Option(0.01, "a number of at least 0", _number(lambda v: v >= 0)),
    "WARM_START": _truth(False),
    "NUM_TRIALS": Option(None, "a whole number from 1 to 100", _whole(1, 100)),
    "MAX_PARALLEL_TRIALS": Option(1, "a whole number from 1 to 5", _whole(1, 5)),
    "HPARAM_TUNING_ALGORITHM": _one_of("VIZIER_DEFAULT", "RANDOM_SEARCH", "GRID_SEARCH"),
    "HPARAM_TUNING_OBJECTIVES": Option(
        ["DAVIES_BOULDIN_INDEX"], "'DAVIES_BOULDIN_INDEX'",
        lambda v: [str(item).upper() for item in (v if isinstance(v, list) else [v])]
        == ["DAVIES_BOULDIN_INDEX"],
    ),
    "SEED": _SEED,
}  # fmt: skip
PCA = {
    "NUM_PRINCIPAL_COMPONENTS": Option(None, "a whole number of at least 1", _whole(1)),
    "PCA_EXPLAINED_VARIANCE_RATIO": Option(
        None, "a number above 0 and below 1", _number(lambda v: 0 < v < 1)
    ),
    "SCALE_FEATURES": _truth(True),
    "PCA_SOLVER": _one_of("AUTO", "FULL", "RANDOMIZED"),
    "SEED": _SEED,
}
HIERARCHICAL = {
    "NUM_CLUSTERS": _FIXED_CLUSTERS,
    "LINKAGE": _one_of(*(item.upper() for item in LINKAGES)),
    "STANDARDIZE_FEATURES": _truth(True),
    "SEED": _SEED,
}
DBSCAN = {
    "EPS": Option(None, "a number above 0", _number(lambda v: v > 0)),
    "MIN_SAMPLES": Option(None, "a whole number of at least 1", _whole(1)),
    "STANDARDIZE_FEATURES": _truth(True),
    "SEED": _SEED,
}
MODEL_TYPES: Mapping[str, Mapping[str, Option]] = {
    "KMEANS": KMEANS, "PCA": PCA, "HIERARCHICAL": HIERARCHICAL, "DBSCAN": DBSCAN,
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """The options of one statement, in upper case; defaults filled in by :meth:`get`."""

    model_type: str
    given: dict[str, Any]

    def get(self, name: str) -> Any:
        """Value of an option, or its default."""
        return self.given.get(name, MODEL_TYPES[self.model_type][name].default)

    def over(self, earlier: Mapping[str, Any]) -> Options:
        """These options, and what an earlier statement gave where this one says nothing."""
        return Options(self.model_type, {**earlier, **self.given})


def read(properties: list[exp.Property]) -> dict[str, Any]:
    """Read the OPTIONS of a statement."""
    given: dict[str, Any] = {}
    for item in properties:
        name = item.name.upper()
        if name in given:
            raise SegqlError(f"option {name} is given twice; accepted: once")
        given[name] = value_of(item.args["value"], name)
    return given


def checked(given: Mapping[str, Any]) -> Options:
    """Check options, whose names are in upper case."""
    given = dict(given)
    kind = given.pop("MODEL_TYPE", None)
    if not isinstance(kind, str):
        raise SegqlError(
            "option MODEL_TYPE is missing; accepted: "
            + ", ".join(f"'{item}'" for item in MODEL_TYPES)
        )
    if kind.upper() not in MODEL_TYPES:
        raise SegqlError(unknown("MODEL_TYPE", kind, MODEL_TYPES))
    known = MODEL_TYPES[kind.upper()]
    kept = {}
    for name, value in given.items():
        if name in CLOUD:
            continue
        if name not in known:
            raise SegqlError(
                f"MODEL_TYPE '{kind.upper()}': {unknown('option', name, ['MODEL_TYPE', *known])}"
            )
        if not known[name].check(value):
            raise SegqlError(f"option {name} got {_shown(value)}; accepted: {known[name].accepted}")
        kept[name] = (
            value.upper() if isinstance(value, str) and name != "KMEANS_INIT_COL" else value
        )
    options = Options(kind.upper(), kept)
    _check_together(options)
    return options


def _check_together(options: Options) -> None:
    """Refuse options that do not go together."""
    given = options.given
    if options.model_type == "PCA":
        both = {"NUM_PRINCIPAL_COMPONENTS", "PCA_EXPLAINED_VARIANCE_RATIO"}
        if len(both & set(given)) != 1:
            first, last = ("both", "and") if both <= set(given) else ("neither", "nor")
            raise SegqlError(
                f"PCA got {first} NUM_PRINCIPAL_COMPONENTS {last} PCA_EXPLAINED_VARIANCE_RATIO; "
                "accepted: one of them"
            )
    if options.model_type == "HIERARCHICAL" and "NUM_CLUSTERS" not in given:
        raise SegqlError(f"option NUM_CLUSTERS is missing; accepted: {_FIXED_CLUSTERS.accepted}")
    if options.model_type != "KMEANS":
        return
    is_custom = options.get("KMEANS_INIT_METHOD") == "CUSTOM"
    if is_custom != ("KMEANS_INIT_COL" in given):
        raise SegqlError(
            "KMEANS_INIT_COL and KMEANS_INIT_METHOD = 'CUSTOM' go together; accepted: both or "
            "neither"
        )
    is_tuned = isinstance(given.get("NUM_CLUSTERS"), Tuned)
    if is_tuned and "NUM_TRIALS" not in given:
        raise SegqlError(
            "NUM_CLUSTERS is tuned, and option NUM_TRIALS is missing; accepted: a whole number "
            "from 1 to 100"
        )
    if is_tuned and (is_custom or options.get("WARM_START")):
        raise SegqlError(
            "NUM_CLUSTERS is tuned, but with KMEANS_INIT_COL or WARM_START it is what the start "
            "has; accepted: a number"
        )
    for name in ("MAX_PARALLEL_TRIALS", "HPARAM_TUNING_ALGORITHM", "HPARAM_TUNING_OBJECTIVES"):
        if name in given and "NUM_TRIALS" not in given:
            raise SegqlError(f"option {name} needs NUM_TRIALS; accepted: both or neither")


def value_of(node: exp.Expr, name: str) -> Any:
    """Read a literal: a number, text, truth value, list, struct, or values to tune over."""
    found = _literal(node, name)
    if found is not _NO_LITERAL:
        return found
    raise SegqlError(
        f"option {name} got {node.sql(dialect='bigquery')}; accepted: a number, a text, TRUE, "
        "FALSE or a list of these"
    )


_NO_LITERAL = object()


def _literal(node: exp.Expr, name: str) -> Any:
    """Value of a node, or the mark that it is none."""
    value: Any = _NO_LITERAL
    match node:
        case exp.Paren():
            value = value_of(node.this, name)
        case exp.Boolean():
            value = bool(node.this)
        case exp.Null():
            value = None
        case exp.Literal():
            value = node.this if node.is_string else _numeric(node.this)
        case exp.Neg(this=exp.Literal() as inner) if not inner.is_string:
            value = -_numeric(inner.this)
        case exp.Array() | exp.Tuple() | exp.Struct():
            value = [value_of(item, name) for item in node.expressions]
        case exp.Anonymous() if str(node.this).upper() in ("HPARAM_RANGE", "HPARAM_CANDIDATES"):
            values = [value_of(item, name) for item in node.expressions]
            value = tuned(str(node.this).upper(), values, node.sql(dialect="bigquery"), name)
    return value


def plain_value(value: Any) -> Any:
    """Read a value of a configuration; dbt_ml writes values to tune over as a list."""
    if isinstance(value, list | tuple) and value and value[0] in ("hparam_range",
                                                                  "hparam_candidates"):  # fmt: skip
        return tuned(str(value[0]).upper(), list(value[1:]), str(value))
    return list(value) if isinstance(value, tuple) else value


def tuned(function: str, values: list[Any], shown: str, name: str = "NUM_CLUSTERS") -> Tuned:
    """Values to tune over, by the function that lists them."""
    if function == "HPARAM_CANDIDATES":
        listed = values[0] if len(values) == 1 and isinstance(values[0], list) else []
        if not listed or not all(_whole(2, 100)(item) for item in listed):
            raise SegqlError(f"option {name} got {shown}; accepted: HPARAM_CANDIDATES([2, 5, …])")
        return Tuned(tuple(dict.fromkeys(listed)))
    if len(values) != 2 or not all(_whole(2, 100)(v) for v in values) or values[0] > values[1]:
        raise SegqlError(
            f"option {name} got {shown}; accepted: HPARAM_RANGE(low, high) with whole numbers "
            "from 2 to 100"
        )
    return Tuned(tuple(range(values[0], values[1] + 1)))


def _numeric(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _shown(value: Any) -> str:
    if isinstance(value, Tuned):
        return f"values to tune over ({', '.join(map(str, value.values))})"
    if isinstance(value, bool):
        return str(value).upper()
    return repr(value)
