"""Say each segment as a rule on the columns themselves, and count on all rows how true it is.

Where a row's segment is cheap to tell, the rules are searched on the coreset and counted in the
pass that measures the silhouette; elsewhere rows are labelled once for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.assignment import NearestCentroid
from segql.clusterers.rules import Condition, Rule, find_rules
from segql.coreset import Coreset
from segql.engines.base import Engine
from segql.engines.duckdb import DuckDBEngine
from segql.expressions import unqualified
from segql.features import SOURCE, Feature
from segql.labelled import told
from segql.metrics import ToldCounts
from segql.model import Model
from segql.recipe import Recipe
from segql.rule_words import is_number, rule_sql, rule_words, value_of
from segql.segments import SegmentRule
from segql.space import Matrix

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


@dataclass(frozen=True)
class FoundRules:
    """Rules as a sample gave them, in the order of their CASE; all rows are yet to be counted.

    Attributes
    ----------
    rules : list of (Rule, int)
        Each with the segment_id that it tells.
    features : sequence of Feature
        What the conditions are about.
    sizes : dict of int to int
        Members of each segment.
    """

    rules: list[tuple[Rule, int]]
    features: Sequence[Feature]
    sizes: dict[int, int]

    def case(self) -> exp.Expr:
        """SQL of the segment_id that the first fitting rule tells, over the bare columns."""
        return unqualified(
            sql.case([(rule_sql(rule, self.features), sql.integer(n)) for rule, n in self.rules])
        )

    def counted(self, counts: ToldCounts) -> list[SegmentRule]:
        """Say the rules with their figures on all rows."""
        rules = []
        for place, (rule, segment_id) in enumerate(self.rules, start=1):
            matched = sum(count for (_, told), count in counts.items() if told == segment_id)
            correct = counts.get((segment_id, segment_id), 0)
            rules.append(
                SegmentRule(
                    segment_id=segment_id,
                    place=place,
                    rule=rule_words(rule, self.features),
                    condition=sql.text(unqualified(rule_sql(rule, self.features))),
                    conditions=len(rule.conditions),
                    matched=matched,
                    correct=correct,
                    coverage=correct / max(self.sizes[segment_id], 1),
                    precision=correct / max(matched, 1),
                )
            )
        return rules


def carried(engine: Engine, recipe: Recipe, hashable: exp.Expr, seed: int) -> dict[str, exp.Expr]:
    """What a coreset carries for the search: each feature's value, and a hash that orders rows."""
    values = {_held(i): value_of(feature) for i, feature in enumerate(recipe.features)}
    return values | {_held("unit"): _unit(engine, hashable, seed)}


def search(
    near: DuckDBEngine,
    coreset: Coreset,
    recipe: Recipe,
    assignment: NearestCentroid,
    sizes: Matrix,
) -> FoundRules | None:
    """Find a rule for each segment on the coreset, which has to hold what is :func:`carried`."""
    by_id = {index + 1: int(size) for index, size in enumerate(sizes)}
    if not 1 < len(by_id) <= MOST_SEGMENTS:
        return None
    relevance = assignment.space.relevance(assignment.centroids, sizes)
    features = _most_relevant(recipe.features, relevance)
    places = {feature.name: i for i, feature in enumerate(recipe.features)}
    values = [f"{_held(places[feature.name])} as v{i}" for i, feature in enumerate(features)]
    points = [f"point[{i + 1}] as p{i}" for i in range(assignment.space.size)]
    listed = ", ".join([*values, *points, f"{_held('unit')} as unit", "weight"])
    fetched = near.columns_of(f"select {listed} from {sql.text(coreset.table)}")
    x = np.column_stack(
        [np.ma.filled(fetched[f"p{i}"], np.nan) for i in range(assignment.space.size)]
    )
    scorable = ~np.isnan(x).any(axis=1)
    segments = np.zeros(len(x), dtype=np.intp)
    segments[scorable] = told(
        near, x[scorable], lambda space: NearestCentroid(space, assignment.centroids)
    )
    return _search(fetched, segments, np.asarray(fetched["weight"]), features, by_id)


def learn_rules(
    engine: Engine, source: exp.Expr, hashable: exp.Expr, model: Model, seed: int
) -> list[SegmentRule]:
    """Find a rule for each segment on rows of a hash, and count its figures on all rows."""
    sizes = {segment.segment_id: segment.customers for segment in model.clusters}
    if not 1 < len(sizes) <= MOST_SEGMENTS:
        return []
    features = _most_relevant(model.recipe.features, model.relevance())
    with _labelled(engine, source, hashable, model, features, seed) as rows:
        fetched = _fetched(
            engine, rows(min(1.0, FETCHED_ROWS / max(sum(sizes.values()), 1))), features
        )
        segments = np.ma.filled(fetched["segment"], 0).astype(np.intp)
        found = _search(fetched, segments, np.ones(len(segments)), features, sizes)
        return [] if found is None else found.counted(count(engine, rows(1.0), found))


def _most_relevant(features: Sequence[Feature], relevance: dict[str, float]) -> list[Feature]:
    return sorted(features, key=lambda item: -relevance.get(item.name, 0.0))[:FEATURES]


def _search(
    fetched: dict[str, NDArray[Any]],
    told: NDArray[np.intp],
    weights: Matrix,
    features: Sequence[Feature],
    sizes: dict[int, int],
) -> FoundRules | None:
    columns, segments, weights = _sample(fetched, told, weights, features, len(sizes))
    conditions, holds = _conditions(features, columns, segments)
    if not conditions:
        return None
    found = find_rules(holds, conditions, segments - 1, weights, len(sizes))
    usable = [
        (rule, number)
        for number, rule in enumerate(found, start=1)
        if rule is not None and rule.precision >= LEAST
    ]
    if not usable:
        return None
    position = {condition: row for row, condition in enumerate(conditions)}
    holding = {
        number: np.logical_and.reduce([holds[position[item]] for item in rule.conditions])
        for rule, number in usable
    }
    return FoundRules(_in_best_order(usable, holding, segments, weights, sizes), features, sizes)


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
    names = [feature.name for feature in features]
    inputs = model.space.inputs(
        source,
        *(
            sql.alias(sql.column(name, SOURCE), f"{sql.SCRATCH}f{i}")
            for i, name in enumerate(names)
        ),
        sql.alias(_unit(engine, hashable, seed), f"{sql.SCRATCH}unit"),
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


def _fetched(
    engine: Engine, rows: exp.Expr, features: Sequence[Feature]
) -> dict[str, NDArray[Any]]:
    """Fetch rows with their segment; one filter by segment would compute the layers twice."""
    query = exp.select(
        *(sql.alias(value_of(feature), f"v{i}") for i, feature in enumerate(features)),
        sql.alias(sql.scratch("segment"), "segment"),
        sql.alias(sql.scratch("unit"), "unit"),
    ).from_(rows)
    return engine.columns_of(query)


def _sample(
    fetched: dict[str, NDArray[Any]],
    told: NDArray[np.intp],
    weights: Matrix,
    features: Sequence[Feature],
    k: int,
) -> tuple[list[NDArray[Any]], NDArray[np.intp], Matrix]:
    """Keep at most so many rows of each segment, those of the smallest hashes, for all of it."""
    own = max(min(OWN_ROWS, ALL_ROWS // k), 100)
    # Sorted here: a cluster sorts by shuffling, and samples the rows once more for it.
    order = np.argsort(np.ma.filled(fetched["unit"], 0.0), kind="stable")
    told, weights = told[order], weights[order]
    kept, scaled = np.zeros(len(told), dtype=bool), weights.copy()
    for number in np.unique(told):
        members = np.flatnonzero(told == number)
        kept[members[:own]] = True
        scaled[members] *= weights[members].sum() / weights[members[:own]].sum()
    columns = []
    for i, feature in enumerate(features):
        kind, missing = (float, np.nan) if is_number(feature) else (object, None)
        column = np.ma.filled(np.ma.asarray(fetched[f"v{i}"])[order].astype(kind), missing)
        columns.append(column[kept])
    return columns, told[kept], scaled[kept]


def _conditions(
    features: Sequence[Feature], columns: Sequence[NDArray[Any]], segments: NDArray[np.intp]
) -> tuple[list[Condition], NDArray[np.bool_]]:
    """Every test that a rule may be made of, and for which rows it holds."""
    conditions: list[Condition] = []
    holds: list[NDArray[np.bool_]] = []
    for position, (feature, column) in enumerate(zip(features, columns, strict=True)):
        if is_number(feature):
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


def count(engine: Engine, rows: exp.Expr, found: FoundRules) -> ToldCounts:
    """Rows by their segment and by what the CASE says, in one pass.

    Parameters
    ----------
    engine : Engine
    rows : sqlglot expression
        FROM item with the bare columns and the segment of each row.
    found : FoundRules
    """
    told = sql.alias(found.case(), "told")
    query = (
        exp.select(sql.scratch("segment"), told, exp.Count(this=exp.Star()))
        .from_(rows)
        .group_by(sql.integer(1), sql.integer(2))
    )
    return {(row[0], row[1]): int(row[2]) for row in engine.rows(query)}


def _unit(engine: Engine, hashable: exp.Expr, seed: int) -> exp.Expr:
    return engine.hash_unit(hashable, seed + 5)


def _held(what: int | str) -> str:
    """Name of a column that a coreset carries for the rules."""
    return f"rule_{what}"
