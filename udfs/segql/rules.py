"""Say each segment as a rule on the columns themselves, and count on all rows how true it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.clusterers.rules import Condition, Rule, find_rules
from segql.engines.base import Engine
from segql.expressions import unqualified
from segql.features import SOURCE, Feature, NumberFeature
from segql.model import Model
from segql.segments import SegmentRule

#: Rows that rules are searched on: at most so many of a segment, and about so many of all.
OWN_ROWS, ALL_ROWS = 1500, 12_000
#: Rows that are fetched for them; of a larger table a small segment has fewer.
FETCHED_ROWS = 60_000
#: Features that rules are made of: those that tell the segments apart most.
FEATURES = 12
#: Cut points of a number, levels of a category, and significant digits of a cut point.
CUTS, LEVELS, DIGITS = 30, 12, 3
#: A rule of less precision is none; from this one on it may come before others in the CASE.
LEAST, SOUND = 0.5, 0.85
#: Quantiles of each segment that are cut points as well.
OWN_CUTS = (0.02, 0.1, 0.9, 0.98)
#: More segments than this are no longer said in plain words.
MOST_SEGMENTS = 50


def learn_rules(
    engine: Engine, source: exp.Expr, hashable: exp.Expr, model: Model, seed: int
) -> list[SegmentRule]:
    """Find a rule for each segment on a sample, and count its figures on all rows."""
    sizes = {segment.segment_id: segment.customers for segment in model.clusters}
    if not 1 < len(sizes) <= MOST_SEGMENTS:
        return []
    relevance = model.relevance()
    features = sorted(model.recipe.features, key=lambda item: -relevance.get(item.name, 0.0))
    features = features[:FEATURES]
    with _labelled(engine, source, hashable, model, features, seed) as rows:
        return _learn(engine, rows, features, sizes)


def _learn(
    engine: Engine,
    rows: Callable[[float], exp.Expr],
    features: Sequence[Feature],
    sizes: dict[int, int],
) -> list[SegmentRule]:
    own = max(min(OWN_ROWS, ALL_ROWS // len(sizes)), 100)
    share = min(1.0, FETCHED_ROWS / max(sum(sizes.values()), 1))
    columns, segments, weights = _sample(engine, rows(share), features, own)
    conditions, holds = _conditions(features, columns, segments)
    if not conditions:
        return []
    found = find_rules(holds, conditions, segments - 1, weights, len(sizes))
    usable = [
        (rule, number)
        for number, rule in enumerate(found, start=1)
        if rule is not None and rule.precision >= LEAST
    ]
    if not usable:
        return []
    position = {condition: row for row, condition in enumerate(conditions)}
    told = {
        number: np.logical_and.reduce([holds[position[item]] for item in rule.conditions])
        for rule, number in usable
    }
    ordered = _in_best_order(usable, told, segments, weights, sizes)
    counts = _count(engine, rows(1.0), ordered, features)
    rules = []
    for place, (rule, segment_id) in enumerate(ordered, start=1):
        matched = sum(count for (_, told), count in counts.items() if told == segment_id)
        correct = counts.get((segment_id, segment_id), 0)
        rules.append(
            SegmentRule(
                segment_id=segment_id,
                place=place,
                rule=_words(rule, features),
                condition=sql.text(unqualified(_sql(rule, features))),
                conditions=len(rule.conditions),
                matched=matched,
                correct=correct,
                coverage=correct / max(sizes[segment_id], 1),
                precision=correct / max(matched, 1),
            )
        )
    return rules


def _in_best_order(
    usable: list[tuple[Rule, int]],
    told: dict[int, NDArray[np.bool_]],
    segments: NDArray[np.intp],
    weights: NDArray[np.float64],
    sizes: dict[int, int],
) -> list[tuple[Rule, int]]:
    """Order the rules so that in the CASE, where the first counts, each keeps most of its rows.

    Small segments first take few rows of the others; those of least coverage have no row to give
    away; the most precise take none wrongly. What serves the worst covered segment best is taken.
    """
    orders = [
        sorted(usable, key=lambda item: (item[0].precision < SOUND, key(item), item[1]))
        for key in (
            lambda item: float(sizes[item[1]]),
            lambda item: item[0].coverage,
            lambda item: -item[0].precision,
        )
    ]

    def worst(order: list[tuple[Rule, int]]) -> float:
        free: NDArray[np.bool_] = np.ones(len(segments), dtype=bool)
        covered = []
        for _, number in order:
            own = segments == number
            covered.append(weights[own & free & told[number]].sum() / weights[own].sum())
            free &= ~told[number]
        return min(covered, default=0.0)

    return max(orders, key=worst)


@contextmanager
def _labelled(
    engine: Engine,
    source: exp.Expr,
    hashable: exp.Expr,
    model: Model,
    features: Sequence[Feature],
    seed: int,
) -> Iterator[Callable[[float], exp.Expr]]:
    """Rows with their segment, a hash and the features; stored when a segment costs much to tell.

    The alias is that of the source, so that conditions read the same columns.

    Yields
    ------
    callable
        FROM item of those of all rows whose hash may be below a share.
    """
    unit = engine.hash_unit(hashable, seed + 5)
    names = [feature.name for feature in features]
    inputs = model.space.inputs(
        source,
        *(
            sql.alias(sql.column(name, SOURCE), f"{sql.SCRATCH}f{i}")
            for i, name in enumerate(names)
        ),
        sql.alias(unit, f"{sql.SCRATCH}unit"),
    )

    def told(share: float) -> exp.Select:
        some = inputs.copy()
        if share < 1.0:
            some = some.where(engine.hash_below(hashable, seed + 5, share))
        return exp.select(
            *(sql.alias(sql.scratch(f"f{i}"), name) for i, name in enumerate(names)),
            sql.scratch("segment"),
            sql.scratch("unit"),
        ).from_(model.assignment.assigned(some).subquery("assigned"))

    if model.scorer is None:
        yield lambda share: told(share).subquery(exp.to_identifier(SOURCE, quoted=True))
        return
    table = engine.store(told(1.0), "told")
    try:
        yield lambda _: sql.relation(table, SOURCE)
    finally:
        engine.drop(table)


def _sample(
    engine: Engine, rows: exp.Expr, features: Sequence[Feature], own: int
) -> tuple[list[NDArray[Any]], NDArray[np.intp], NDArray[np.float64]]:
    """Fetch rows, and keep at most so many of each segment: those of the smallest hashes.

    A filter by segment in SQL would be pushed through the layers and compute them twice.
    """
    query = exp.select(
        *(sql.alias(_value(feature), f"v{i}") for i, feature in enumerate(features)),
        sql.alias(sql.scratch("segment"), "segment"),
        sql.alias(sql.scratch("unit"), "unit"),
    ).from_(rows)
    fetched = engine.columns_of(query)
    # Sorted here: a cluster sorts by shuffling, and samples the rows once more for it.
    order = np.argsort(fetched["unit"], kind="stable")
    result = {name: np.ma.asarray(values)[order] for name, values in fetched.items()}
    told = np.ma.filled(result["segment"], 0).astype(np.intp)
    kept, weights = np.zeros(len(told), dtype=bool), np.ones(len(told))
    for number in np.unique(told):
        members = np.flatnonzero(told == number)
        kept[members[:own]] = True
        weights[members] = max(len(members) / own, 1.0)
    columns = []
    for i, feature in enumerate(features):
        kind, missing = (float, np.nan) if _is_number(feature) else (object, None)
        column = np.ma.filled(result[f"v{i}"].astype(kind), missing)
        columns.append(column[kept])
    return columns, told[kept], weights[kept]


def _is_number(feature: Feature) -> bool:
    return isinstance(feature, NumberFeature) and feature.encoding is None


def _value(feature: Feature) -> exp.Expr:
    """SQL of what a condition tests; NaN is above every number, as DuckDB compares it."""
    column = sql.column(feature.name, SOURCE)
    if not _is_number(feature):
        return exp.Cast(this=column, to=exp.DataType.build("text"))
    number = sql.double(column)
    is_nan = exp.Anonymous(this="isnan", expressions=[number.copy()])
    infinite = sql.double(sql.string("infinity"))
    return sql.case([(is_nan, infinite)], number)


def _conditions(
    features: Sequence[Feature], columns: Sequence[NDArray[Any]], segments: NDArray[np.intp]
) -> tuple[list[Condition], NDArray[np.bool_]]:
    """Every test that a rule may be made of, and for which rows it holds."""
    conditions: list[Condition] = []
    holds: list[NDArray[np.bool_]] = []
    for position, (feature, column) in enumerate(zip(features, columns, strict=True)):
        if _is_number(feature):
            for cut in _cuts(column, segments):
                # A missing number compares with nothing.
                for operator, test in (("<=", column <= cut), (">", column > cut)):
                    conditions.append(Condition(position, operator, cut))
                    holds.append(test)
            continue
        known = [value for value in column if value is not None]
        levels, counts = np.unique(np.array(known, dtype=str), return_counts=True)
        order = np.lexsort([levels, -counts])[:LEVELS]
        is_known = np.array([value is not None for value in column])
        same = {level: np.array([value == level for value in column], dtype=bool)
                for level in levels[order].tolist()}  # fmt: skip
        # "is" before "is not": at a draw the first is taken.
        for level, holding in same.items():
            conditions.append(Condition(position, "=", level))
            holds.append(holding)
        for level, holding in same.items():
            conditions.append(Condition(position, "<>", level))
            holds.append(is_known & ~holding)
    size = len(columns[0]) if columns else 0
    return conditions, np.array(holds, dtype=bool).reshape(len(conditions), size)


def _cuts(column: NDArray[np.float64], segments: NDArray[np.intp]) -> list[float]:
    """Cut points at quantiles of all and of each segment, as short as people write them."""
    known = np.unique(column[np.isfinite(column)])
    if len(known) < 2:
        return []
    finite = column[np.isfinite(column)]
    inner = np.quantile(finite, np.linspace(0, 1, CUTS + 2)[1:-1], method="lower")
    own = [
        np.quantile(part, OWN_CUTS, method="lower")
        for number in np.unique(segments)
        if len(part := finite[segments[np.isfinite(column)] == number])
    ]
    cuts = np.concatenate([inner, known[:-1] if len(known) <= CUTS else [], *own])
    rounded = {float(f"{cut:.{DIGITS}g}") for cut in cuts.tolist()}
    return sorted(cut for cut in rounded if known[0] <= cut < known[-1])


def _sql(rule: Rule, features: Sequence[Feature]) -> exp.Expr:
    operators = {"<=": exp.LTE, ">": exp.GT, "=": exp.EQ, "<>": exp.NEQ}
    tests = []
    for condition in _ordered(rule):
        column: exp.Expr = sql.column(features[condition.feature].name, SOURCE)
        if isinstance(condition.value, str):
            column = exp.Cast(this=column, to=exp.DataType.build("text"))
            value: exp.Expr = sql.string(condition.value)
        else:
            column = sql.double(column)
            value = _literal(condition.value)
        tests.append(sql.compare(operators[condition.operator], column, value))
    return sql.both(*tests)


def _literal(value: float) -> exp.Expr:
    whole = value == round(value) and abs(value) < 2**53
    if not whole:
        return sql.number(value)
    literal = sql.integer(abs(int(value)))
    return exp.Neg(this=literal) if value < 0 else literal


def _words(rule: Rule, features: Sequence[Feature]) -> str:
    """The rule as people say it, both bounds of a column together."""
    parts = []
    for condition in _ordered(rule):
        name, value = features[condition.feature].name, condition.value
        is_flag = getattr(features[condition.feature], "kind", "") == "boolean"
        if is_flag and not isinstance(value, str):
            parts.append(name if condition.operator == ">" else f"not {name}")
            continue
        shown = value if isinstance(value, str) else f"{value:,.15g}"
        sign = {"<=": "≤", ">": ">", "=": "is", "<>": "is not"}[condition.operator]
        parts.append(f"{name} {sign} {shown}")
    return " and ".join(parts)


def _ordered(rule: Rule) -> list[Condition]:
    return sorted(rule.conditions, key=lambda c: (c.feature, c.operator, str(c.value)))


def _count(
    engine: Engine,
    rows: exp.Expr,
    rules: Sequence[tuple[Rule, int]],
    features: Sequence[Feature],
) -> dict[tuple[int | None, int | None], int]:
    """Rows by their segment and by what the CASE says, in one pass."""
    told = sql.case([(_sql(rule, features), sql.integer(number)) for rule, number in rules])
    query = (
        exp.select(sql.scratch("segment"), sql.alias(told, "told"), exp.Count(this=exp.Star()))
        .from_(rows)
        .group_by(sql.integer(1), sql.integer(2))
    )
    return {(row[0], row[1]): int(row[2]) for row in engine.rows(query)}
