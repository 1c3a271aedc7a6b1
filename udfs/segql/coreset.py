"""A bounded, weighted sample that stands for the table, the same whatever the row order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlglot import exp

from segql import sql_text as sql
from segql.clusterers.kmeans import Problem
from segql.engines.base import Engine
from segql.engines.duckdb import DuckDBEngine
from segql.features import SOURCE
from segql.recipe import Recipe
from segql.space import Space

#: Expected rows of a coreset; a table with no more rows is its own coreset.
SIZE = 60_000
#: Tables from ``engine.thinned_from`` rows on are polished on this share of them first.
THINNED_SHARE = 1 / 8


@dataclass(frozen=True)
class Coreset:
    """A table of ``engine.near`` with columns ``point`` (DOUBLE[]), ``weight`` and what came along.

    ``point`` is NULL in a row that cannot be scored. ``rows`` are those that can.
    """

    table: exp.Table
    rows: int
    exact: bool


def draw(
    engine: Engine,
    source: exp.Expr,
    space: Space,
    carried: Mapping[str, exp.Expr],
    *,
    hashable: exp.Expr,
    rows: int,
    seed: int,
) -> Coreset:
    """Draw a lightweight coreset in one query.

    Parameters
    ----------
    engine : Engine
    source : sqlglot expression
        FROM item with the alias ``source``.
    space : Space
        The model space.
    carried : mapping of str to sqlglot expression
        Columns that the table gets besides, over those of the source.
    hashable : sqlglot expression
        The id; its hash, with the seed, decides who is drawn.
    rows : int
        Rows of the source.
    seed : int

    Notes
    -----
    Bachem, Lucic & Krause (KDD 2018): q(x) = ½·1/n + ½·d²(x, mean)/Σd². Each row is drawn on its
    own with probability min(1, size·q), so that no row order matters, and weighs 1/probability.
    Σd² is known from the learned variances: no pass is spent on it. The learned bounds say how
    probable a row can be at most, so that the hash alone rules out most rows before anything
    else of them is read.

    A row that cannot be scored has no distance; it is drawn with the first half of q, so that
    what is carried along stands for all rows.
    """
    along = [
        sql.alias(hashable, f"{sql.SCRATCH}id"),
        *(sql.alias(value, sql.SCRATCH + name) for name, value in carried.items()),
    ]
    exact = rows <= SIZE
    points = [
        sql.alias(value, f"{sql.SCRATCH}p{index}")
        for index, value in enumerate(space.coordinates())
    ]
    inputs = space.inputs(source, *along)
    spread = rows * float(space.variance.sum())
    if not exact:
        farthest = float(((space.bounds + np.abs(space.mean)) ** 2).sum())
        highest = 0.5 * SIZE / rows + 0.5 * SIZE * farthest / spread
        if highest < 1.0:
            inputs = inputs.where(engine.hash_below(hashable, seed, highest))
    layered = sql.layer(inputs, *points)
    coordinates = [sql.scratch(f"p{index}") for index in range(space.size)]
    # One sum rather than a condition a coordinate, which would nest as deep as there are many.
    whole = exp.Paren(this=sql.total(item.copy() for item in coordinates))
    scorable = exp.Not(this=exp.Is(this=whole, expression=exp.Null()))
    point = exp.Array(expressions=[item.copy() for item in coordinates])
    kept = [
        sql.alias(sql.case([(scorable, point)]), "point"),
        *(sql.alias(sql.scratch(name), name) for name in carried),
    ]
    if exact:
        query = exp.select(*kept, sql.alias(sql.number(1.0), "weight")).from_(
            layered.subquery("prepared")
        )
    else:
        distance = sql.total(
            exp.Mul(this=exp.Paren(this=gap), expression=exp.Paren(this=gap.copy()))
            for gap in (
                sql.minus(item, sql.number(float(mean)))
                for item, mean in zip(coordinates, space.mean, strict=True)
            )
        )
        known = exp.Coalesce(this=distance, expressions=[sql.number(0.0)])
        probability = exp.Add(
            this=sql.product(known, sql.number(0.5 * SIZE / spread)),
            expression=sql.number(0.5 * SIZE / rows),
        )
        unit = engine.hash_unit(sql.scratch("id"), seed)
        drawn = sql.layer(
            layered,
            sql.alias(sql.least([sql.number(1.0), probability]), f"{sql.SCRATCH}probability"),
            sql.alias(unit, f"{sql.SCRATCH}unit"),
        )
        weight = exp.Div(this=sql.number(1.0), expression=sql.scratch("probability"))
        query = (
            exp.select(*kept, sql.alias(weight, "weight"))
            .from_(drawn.subquery("drawn"))
            .where(sql.compare(exp.LT, sql.scratch("unit"), sql.scratch("probability")))
        )
    table = engine.bring(query, "coreset")
    drawn_rows = int(engine.near.rows(f"select count(point) from {sql.text(table)}")[0][0])
    return Coreset(table, drawn_rows, exact)


def thin(
    engine: Engine, source: exp.Expr, recipe: Recipe, hashable: exp.Expr, seed: int
) -> exp.Table:
    """Copy the feature columns of a share of the rows, drawn by the hash of their ids.

    It stays in the database: centroids move on it to where they nearly stay on all rows, at a
    fraction of a pass.
    """
    columns = [sql.column(name, SOURCE) for name in recipe.names]
    query = (
        exp.select(*columns)
        .from_(source.copy())
        .where(engine.hash_below(hashable, seed + 1, THINNED_SHARE))
    )
    return engine.store(query, "thinned")


def awaited(recipe: Recipe) -> dict[str, exp.Expr]:
    """What to carry along for the columns whose median is still awaited."""
    waiting = {feature.name for feature in recipe.awaiting_stand_in()}
    return {
        f"input{position}": feature.raw
        for position, feature in enumerate(recipe.features)
        if feature.name in waiting
    }


def stand_ins(engine: DuckDBEngine, coreset: Coreset, recipe: Recipe) -> dict[str, float]:
    """Weighted medians of the columns that had no missing value."""
    awaiting = recipe.awaiting_stand_in()
    if not awaiting:
        return {}
    names = list(awaited(recipe))
    fetched = engine.arrays(
        f"select {', '.join(names)}, weight from {sql.text(coreset.table)} where point is not null"
    )
    weights = fetched["weight"]
    medians: dict[str, float] = {}
    for name, feature in zip(names, awaiting, strict=True):
        values = np.asarray(fetched[name], dtype=np.float64)
        if coreset.exact:
            medians[feature.name] = float(np.median(values))
            continue
        order = np.lexsort([weights, values])
        reached = np.cumsum(weights[order])
        middle = int(np.searchsorted(reached, reached[-1] / 2))
        medians[feature.name] = float(values[order][middle])
    return medians


def fetch(engine: DuckDBEngine, coreset: Coreset, size: int) -> Problem:
    """Bring the weighted points to Python, in canonical order."""
    names = [f"p{index}" for index in range(size)]
    listed = ", ".join(f"point[{index + 1}] as {name}" for index, name in enumerate(names))
    fetched = engine.arrays(
        f"select {listed}, weight from {sql.text(coreset.table)} "
        "where point is not null order by point, weight"
    )
    return Problem(np.stack([fetched[name] for name in names], axis=1), fetched["weight"])
