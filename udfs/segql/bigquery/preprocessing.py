"""BigQuery's preprocessing functions in DuckDB's SQL: over the rows of a query, or as learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlglot import exp, parse_one

from segql import sql_text as sql
from segql.bigquery.options import value_of
from segql.errors import SegqlError, unknown

FORMATS = ("bucket_names", "bucket_ranges", "bucket_ranges_json")


class Statistic(Protocol):
    """Gives the SQL of a figure of all rows."""

    def __call__(self, windowed: str, ordered: str) -> str:
        """SQL of a figure, given as a window over the query's rows and as an aggregate.

        ``ordered`` does not depend on the order in which rows are read.
        """


def over_rows(windowed: str, ordered: str) -> str:
    """In a query, figures are of the rows of that query."""
    return windowed


@dataclass(frozen=True)
class Call:
    """A call of a function: its arguments, and where the figures come from."""

    name: str
    arguments: Sequence[exp.Expr]
    statistic: Statistic

    @property
    def first(self) -> str:
        """SQL of the first argument."""
        return f"({sql.text(self.arguments[0])})"

    def option(self, position: int, what: str, default: Any, check: Callable[[Any], bool]) -> Any:
        """Read a literal argument."""
        if position >= len(self.arguments):
            return default
        value = value_of(self.arguments[position], f"ML.{self.name} argument {position + 1}")
        if not check(value):
            shown = self.arguments[position].sql(dialect="bigquery")
            raise SegqlError(f"ML.{self.name} got {shown}; accepted: {what}")
        return value

    def figure(self, function: str) -> str:
        """A figure that is the same in any order of the rows."""
        text = function.format(x=self.first)
        return self.statistic(f"{text} over ()", text)


def _mean(call: Call) -> str:
    x = call.first
    return call.statistic(f"avg({x}) over ()", f"fsum({x} order by {x}) / count({x})")


def _standard(call: Call) -> str:
    x, mean = call.first, _mean(call)
    deviation = call.statistic(
        f"stddev_samp({x}) over ()",
        f"sqrt(fsum(({x} - {mean}) ** 2 order by {x}) / nullif(count({x}) - 1, 0))",
    )
    return _divided(f"({x} - {mean})", deviation)


def _divided(value: str, spread: str) -> str:
    """A value in units of a spread; without spread it is 0."""
    return (
        f"case when {value} is null then null when {spread} > 0 then {value} / {spread} "
        "else 0.0e0 end"
    )


def _min_max(call: Call) -> str:
    x, low, high = call.first, call.figure("min({x})"), call.figure("max({x})")
    return (
        f"case when {x} is null then null when {x} <= {low} then 0.0e0 when {x} >= {high} "
        f"then 1.0e0 else ({x} - {low}) / ({high} - {low})::double end"
    )


def _max_abs(call: Call) -> str:
    return _divided(call.first, call.figure("max(abs({x}))"))


def _robust(call: Call) -> str:
    low, high = call.option(
        1, "an array of two whole numbers, 0 < low < high < 100", [25, 75],
        lambda v: isinstance(v, list) and len(v) == 2 and all(type(i) is int for i in v)
        and 0 < v[0] < v[1] < 100,
    )  # fmt: skip
    is_centred, is_scaled = (
        call.option(at, "TRUE or FALSE", True, lambda v: isinstance(v, bool)) for at in (2, 3)
    )
    value = f"{call.first}::double"
    if is_centred:
        value = f"({value} - {call.figure('quantile_disc({x}, 0.5)')})"
    if not is_scaled:
        return value
    ends = (call.figure(f"quantile_disc({{x}}, {share / 100})") for share in (high, low))
    return _divided(value, "({} - {})".format(*ends))


def _entries(call: Call, least: int = 1) -> str:
    """Values and how often they occur, most frequent first, ties by value."""
    listed = call.figure("histogram({x})")
    return (
        "list_sort(list_transform(list_filter(coalesce("
        f"map_entries({listed}), []), lambda _sq_e: _sq_e.value >= {least}), "
        "lambda _sq_e: {'n': -_sq_e.value::bigint, 'k': _sq_e.key}))"
    )


def _imputer(call: Call) -> str:
    strategy = call.option(1, "'mean', 'median' or 'most_frequent'", "", lambda v: v in _STRATEGIES)
    if strategy not in _STRATEGIES:
        raise SegqlError("ML.IMPUTER needs a strategy; accepted: 'mean', 'median', 'most_frequent'")
    x = call.first
    if strategy == "most_frequent":
        return f"coalesce({x}, {_entries(call)}[1].k)"
    value = _mean(call) if strategy == "mean" else call.figure("quantile_disc({x}, 0.5)")
    return f"coalesce({x}, {value})::double"


_STRATEGIES = ("mean", "median", "most_frequent")


def _vocabulary(call: Call, position: int) -> tuple[str, str]:
    """Categories in alphabetical order, and the most frequent one."""
    top = call.option(
        position, "a whole number from 1 to 999999", 32_000,
        lambda v: type(v) is int and 1 <= v < 1_000_000,
    )  # fmt: skip
    least = call.option(
        position + 1, "a whole number of at least 0", 5, lambda v: type(v) is int and v >= 0
    )
    entries = _entries(call, least)
    listed = f"list_sort(list_transform({entries}[1:{top}], lambda _sq_e: _sq_e.k))"
    return listed, f"{entries}[1].k"


def _label(call: Call) -> str:
    listed, _ = _vocabulary(call, 1)
    return f"coalesce(list_position({listed}, {call.first}), 0)::bigint"


def _one_hot(call: Call) -> str:
    drop = call.option(
        1, "'none' or 'most_frequent'", "none", lambda v: v in ("none", "most_frequent")
    )
    listed, frequent = _vocabulary(call, 2)
    x = call.first
    value = "1.0e0"
    if drop == "most_frequent":
        value = f"case when {x} = {frequent} then 0.0e0 else 1.0e0 end"
    return f"[{{'index': coalesce(list_position({listed}, {x}), 0)::bigint, 'value': {value}}}]"


def _numbers(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(v, int | float) and math.isfinite(v) for v in value)
        and sorted(value) == value
    )


def _bucketize(call: Call) -> str:
    points = call.option(1, "an array of finite numbers, lowest first", None, _numbers)
    if points is None:
        raise SegqlError("ML.BUCKETIZE needs an array of split points")
    is_inner = call.option(2, "TRUE or FALSE", False, lambda v: isinstance(v, bool))
    kept = points[1:-1] if is_inner else points
    listed = f"[{', '.join(sql.text(sql.number(float(v))) for v in kept)}]::double[]"
    return _bucket(call.first, listed, _format(call, 3))


def _quantile_bucketize(call: Call) -> str:
    count = call.option(
        1, "a whole number from 2 to 1000", None, lambda v: type(v) is int and 2 <= v <= 1000
    )
    if count is None:
        raise SegqlError("ML.QUANTILE_BUCKETIZE needs the number of buckets")
    shares = ", ".join(sql.text(sql.number(i / count)) for i in range(1, count))
    listed = call.figure(f"quantile_disc({{x}}, [{shares}])")
    return _bucket(call.first, f"list_sort(list_distinct({listed}))", _format(call, 2))


def _format(call: Call, position: int) -> str:
    accepted = ", ".join(f"'{item}'" for item in FORMATS)
    return str(call.option(position, accepted, FORMATS[0], lambda v: v in FORMATS))


def _bucket(x: str, points: str, form: str) -> str:
    """The bucket of a number between ordered split points, counted from 1."""
    index = f"(len(list_filter({points}, lambda _sq_v: {x} >= _sq_v)) + 1)"
    if form == "bucket_names":
        told = f"'bin_' || {index}"
    else:
        shown = (
            f"list_transform({points}, lambda _sq_v: case when _sq_v = floor(_sq_v) and "
            "abs(_sq_v) < 1e15 then _sq_v::bigint::varchar else _sq_v::varchar end)"
        )
        low, high = f"{shown}[{index} - 1]", f"{shown}[{index}]"
        if form == "bucket_ranges":
            told = (
                f"case when {index} = 1 then '(-inf' else '[' || {low} end || ', ' || "
                f"coalesce({high}, '+inf') || ')'"
            )
        else:
            lower = f"case when {index} = 1 then '-Infinity' else {low} end"
            upper = f"coalesce({high}, 'Infinity')"
            told = f"""'{{"start": "' || {lower} || '", "end": "' || {upper} || '"}}'"""
    return f"case when {x} is not null then {told} end"


def _normalizer(call: Call) -> str:
    x = f"{call.first}::double[]"
    if len(call.arguments) > 1 and "inf" in call.arguments[1].sql().lower():
        norm = f"list_max(list_transform({x}, lambda _sq_v: abs(_sq_v)))"
    else:
        p = call.option(
            1, "0.0, a number of at least 1.0, or CAST('+INF' AS FLOAT64)", 2,
            lambda v: isinstance(v, int | float) and not isinstance(v, bool) and (v == 0 or v >= 1),
        )  # fmt: skip
        if p == 0:
            norm = f"len(list_filter({x}, lambda _sq_v: _sq_v <> 0))"
        else:
            power = sql.text(sql.number(float(p)))
            norm = (
                f"list_sum(list_transform({x}, lambda _sq_v: abs(_sq_v) ** {power})) "
                f"** (1.0e0 / {power})"
            )
    return (
        f"list_transform({x}, lambda _sq_v: case when {norm} > 0 then _sq_v / ({norm}) "
        "else _sq_v end)"
    )


#: Functions, most arguments, and whether they are analytic: figures of all rows, with OVER().
FUNCTIONS: dict[str, tuple[Callable[[Call], str], int, bool]] = {
    "IMPUTER": (_imputer, 2, True),
    "STANDARD_SCALER": (_standard, 1, True),
    "MIN_MAX_SCALER": (_min_max, 1, True),
    "MAX_ABS_SCALER": (_max_abs, 1, True),
    "ROBUST_SCALER": (_robust, 4, True),
    "NORMALIZER": (_normalizer, 2, False),
    "BUCKETIZE": (_bucketize, 4, False),
    "QUANTILE_BUCKETIZE": (_quantile_bucketize, 3, True),
    "ONE_HOT_ENCODER": (_one_hot, 4, True),
    "LABEL_ENCODER": (_label, 3, True),
}


def replace_calls(tree: exp.Expr, statistic: Statistic) -> exp.Expr:
    """Write each ``ML.`` preprocessing function of a tree in DuckDB's SQL, the inner ones first."""
    found = [
        node
        for node in tree.find_all(exp.Dot)
        if node.this.name.upper() == "ML" and isinstance(node.expression, exp.Func)
    ]
    for node in reversed(found):
        window = node.parent if isinstance(node.parent, exp.Window) else None
        written = _written(node, window, statistic)
        target = window or node
        if target is tree:
            return written
        target.replace(written)
    return tree


def _written(node: exp.Dot, window: exp.Window | None, statistic: Statistic) -> exp.Expr:
    function = node.expression
    name = str(function.this if isinstance(function, exp.Anonymous) else function.sql_name())
    name = name.upper()
    if name not in FUNCTIONS:
        raise SegqlError(unknown("function", f"ML.{name}", [f"ML.{item}" for item in FUNCTIONS]))
    write, most, is_analytic = FUNCTIONS[name]
    arguments = list(function.expressions) or [function.this]
    if not 1 <= len(arguments) <= most:
        raise SegqlError(f"ML.{name} got {len(arguments)} arguments; accepted: 1 to {most}")
    if is_analytic and window is None:
        raise SegqlError(f"ML.{name} needs OVER(); accepted: ML.{name}(…) OVER()")
    if window is not None and any(
        window.args.get(key) for key in ("partition_by", "order", "spec", "alias")
    ):
        raise SegqlError(f"ML.{name} takes an empty OVER(); accepted: ML.{name}(…) OVER()")
    text = write(Call(name, arguments, statistic))
    return exp.Paren(this=parse_one(text, dialect="duckdb"))
