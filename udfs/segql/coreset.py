"""A bounded, weighted sample that stands for the table, the same whatever the row order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlglot import exp

from segql import sql
from segql.clusterers.kmeans import Problem
from segql.engines.duckdb import DuckDBEngine
from segql.features import SOURCE
from segql.recipe import Recipe
from segql.space import Space

#: Expected rows of a coreset; a table with no more rows is its own coreset.
SIZE = 60_000
#: Tables of at least this many rows are polished on this share of them first.
THINNED_FROM, THINNED_SHARE = 500_000, 1 / 8


@dataclass(frozen=True)
class Coreset:
    """A temporary table with columns ``point`` (DOUBLE[]), ``weight`` and the awaited inputs."""

    table: exp.Table
    rows: int
    exact: bool


def draw(
    engine: DuckDBEngine,
    source: exp.Expr,
    space: Space,
    recipe: Recipe,
    *,
    hashable: exp.Expr,
    rows: int,
    seed: int,
) -> Coreset:
    """Draw a lightweight coreset in one query.

    Parameters
    ----------
    engine : DuckDBEngine
    source : sqlglot expression
        FROM item with the alias ``source``.
    space : Space
        The model space.
    recipe : Recipe
        Columns whose median is still awaited are carried along.
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
    """
    awaited = [feature.raw for feature in recipe.awaiting_stand_in()]
    carried = [
        sql.alias(hashable, f"{sql.SCRATCH}id"),
        *(sql.alias(raw, f"{sql.SCRATCH}input{index}") for index, raw in enumerate(awaited)),
    ]
    exact = rows <= SIZE
    points = [
        sql.alias(value, f"{sql.SCRATCH}p{index}")
        for index, value in enumerate(space.coordinates())
    ]
    inputs = space.inputs(source, *carried)
    spread = rows * float(space.variance.sum())
    if not exact:
        farthest = float(((space.bounds + np.abs(space.mean)) ** 2).sum())
        highest = 0.5 * SIZE / rows + 0.5 * SIZE * farthest / spread
        if highest < 1.0:
            inputs = inputs.where(engine.hash_below(hashable, seed, highest))
    layered = sql.layer(inputs, *points)
    coordinates = [sql.scratch(f"p{index}") for index in range(space.size)]
    kept = [
        sql.alias(exp.Array(expressions=[item.copy() for item in coordinates]), "point"),
        *(
            sql.alias(sql.scratch(f"input{index}"), f"input{index}")
            for index in range(len(awaited))
        ),
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
        probability = exp.Add(
            this=sql.product(distance, sql.number(0.5 * SIZE / spread)),
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
    # One sum rather than a condition a coordinate, which would nest as deep as there are many.
    whole = sql.total(item.copy() for item in coordinates)
    query = query.where(exp.Not(this=exp.Is(this=exp.Paren(this=whole), expression=exp.Null())))
    table = engine.temporary("coreset")
    engine.run(f"create temporary table {sql.text(table)} as {sql.text(query)}")
    drawn_rows = int(engine.rows(f"select count(*) from {sql.text(table)}")[0][0])
    return Coreset(table, drawn_rows, exact)


def thin(
    engine: DuckDBEngine, source: exp.Expr, recipe: Recipe, hashable: exp.Expr, seed: int
) -> exp.Table:
    """Copy the feature columns of a share of the rows, drawn by the hash of their ids.

    It stays in the database: centroids move on it to where they nearly stay on all rows, at a
    fraction of a pass.
    """
    table = engine.temporary("thinned")
    columns = [sql.column(name, SOURCE) for name in recipe.names]
    query = (
        exp.select(*columns)
        .from_(source.copy())
        .where(engine.hash_below(hashable, seed + 1, THINNED_SHARE))
    )
    engine.run(f"create temporary table {sql.text(table)} as {sql.text(query)}")
    return table


def stand_ins(engine: DuckDBEngine, coreset: Coreset, recipe: Recipe) -> dict[str, float]:
    """Weighted medians of the columns that had no missing value."""
    awaiting = recipe.awaiting_stand_in()
    if not awaiting:
        return {}
    names = [f"input{index}" for index in range(len(awaiting))]
    fetched = engine.arrays(f"select {', '.join(names)}, weight from {sql.text(coreset.table)}")
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
        f"select {listed}, weight from {sql.text(coreset.table)} order by point, weight"
    )
    return Problem(np.stack([fetched[name] for name in names], axis=1), fetched["weight"])
