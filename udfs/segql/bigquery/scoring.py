"""ML.PREDICT, ML.EVALUATE and ML.DETECT_ANOMALIES as SQL: what a model says of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from sqlglot import exp, parse_one

from segql import sql_text as sql
from segql.bigquery.transform import literal
from segql.directions import NearestDirection
from segql.errors import SegqlError
from segql.features import SOURCE
from segql.kept import kept_of
from segql.model import Model

#: Centroids that ML.PREDICT names.
NEAREST = 5
_ROWS = f"{sql.SCRATCH}rows"
#: Shares of the training rows that are told apart as anomalies; of fewer rows, each row is.
STEPS = 2000


def trial_of(model: Model, trial_id: int | None) -> tuple[Model, dict[str, Any]]:
    """The model as a trial left it, and the trial; by default the best one."""
    assert model.bigquery is not None
    trials = model.bigquery["trials"]
    if trial_id is None:
        found = next(item for item in trials if item["is_optimal"])
    else:
        if not model.bigquery["is_tuned"]:
            raise SegqlError("trial_id is for a model whose NUM_CLUSTERS was tuned; leave it out")
        by_id = {item["trial_id"]: item for item in trials}
        if trial_id not in by_id:
            raise SegqlError(
                f"trial_id got {trial_id!r}; accepted: {', '.join(map(str, by_id)) or 'none'}"
            )
        found = by_id[trial_id]
    if not model.bigquery["is_tuned"]:
        return model, found
    points = np.array(found["points"], dtype=np.float64)
    scorer = model.scorer
    if model.bigquery["distance_type"] == "COSINE":
        scorer = kept_of(NearestDirection.to(model.space, points))
    return replace(model, points=points, scorer=scorer, segments=[]), found


def carried(*replaced: str) -> str:
    """All columns of the input, but those that take the place of others."""
    names = ", ".join(sql.literal(name) for name in replaced)
    return f"columns(lambda c: not starts_with(c, '{sql.SCRATCH}') and lower(c) not in ({names}))"


def scored_rows(model: Model, data: str, prepared: list[tuple[str, str]]) -> str:
    """Rows with their point (``_sq_p0`` …), their segment and, with centroids, all distances."""
    inputs = model.space.compact_inputs(sql.relation(exp.to_table(_ROWS), SOURCE))
    rows = f"({data}) as {SOURCE}"
    if prepared:
        places = {name: f"{sql.SCRATCH}t{index}" for index, (name, _) in enumerate(prepared)}

        def placed(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Column) and node.table == SOURCE and node.name in places:
                return sql.column(places[node.name], SOURCE)
            return node

        inputs = cast(exp.Select, inputs.transform(placed))
        extra = ", ".join(f"{text} as {sql.quoted(places[name])}" for name, text in prepared)
        rows = f"(select *, {extra} from {rows}) as {SOURCE}"
    assigned = model.assignment.assigned(inputs, points=True)
    if model.k:
        assigned = sql.layer(assigned, sql.alias(_distances(model), f"{sql.SCRATCH}distances"))
    source = parse_one(f"select * from {rows}", dialect="duckdb").args["from_"].this
    for table in list(assigned.find_all(exp.Table)):
        if table.name == _ROWS:
            table.replace(source.copy())
    return sql.text(assigned)


def _distances(model: Model) -> exp.Expr:
    """List of the distances to all centroids."""
    cosine = isinstance(model.assignment, NearestDirection)
    moved = model.space.offsets if cosine else np.zeros(model.space.size)
    point = "[{}]".format(
        ", ".join(f"{sql.SCRATCH}p{i} + {literal(float(by))}" for i, by in enumerate(moved))
    )
    found = []
    for centroid in model.points + moved:
        at = literal(centroid.tolist())
        if cosine:
            angle = f"list_cosine_similarity({point}, {at})"
            # What DuckDB says of a list without length differs by version.
            lengths = f"least(list_inner_product({point}, {point}), list_inner_product({at}, {at}))"
            found.append(
                f"case when {lengths} > 0 then sqrt(greatest(1.0e0 - {angle}, 0.0e0)) "
                "else 1.0e0 end"
            )
        else:
            found.append(f"list_distance({point}, {at})")
    return parse_one(f"[{', '.join(found)}]", dialect="duckdb")


def predict(model: Model, data: str, prepared: list[tuple[str, str]], keep: bool) -> str:
    """The rows of ML.PREDICT."""
    rows = scored_rows(model, data, prepared)
    if not model.k:
        names = [f"principal_component_{index + 1}" for index in range(model.space.size)]
        columns = [f"{sql.SCRATCH}p{i} as {name}" for i, name in enumerate(names)]
        if keep:
            columns.append(carried(*names))
        return f"select {', '.join(columns)} from ({rows})"
    numbers = literal(list(range(1, model.k + 1)))
    nearest = (
        f"list_transform(list_sort(list_zip({sql.SCRATCH}distances, {numbers}))[1:{NEAREST}], "
        "lambda _sq_e: {'CENTROID_ID': _sq_e[2]::bigint, 'DISTANCE': _sq_e[1]})"
    )
    return (
        f"select {sql.SCRATCH}segment::bigint as centroid_id, {nearest} as "
        f"nearest_centroids_distance, {carried('centroid_id', 'nearest_centroids_distance')} "
        f"from ({rows})"
    )


def figures(model: Model, data: str, prepared: list[tuple[str, str]]) -> str:
    """Davies-Bouldin index, by RMS scatter about the centroids, and the mean squared distance."""
    rows = scored_rows(model, data, prepared)
    between = literal(centroid_distances(model).tolist())
    return (
        f"with told as (select {sql.SCRATCH}segment as g, "
        f"{sql.SCRATCH}distances[{sql.SCRATCH}segment] ** 2 as s from ({rows}) "
        f"where {sql.SCRATCH}segment > 0), "
        "scattered as (select g, count(*) as n, fsum(s order by s) as s from told group by g), "
        "worst as (select a.g, max((sqrt(a.s / a.n) + sqrt(b.s / b.n)) / "
        f"nullif(({between})[a.g][b.g], 0)) as r from scattered as a inner join scattered as b "
        "on a.g <> b.g group by a.g) "
        "select coalesce((select favg(r order by g) from worst), 0.0e0) as davies_bouldin_index, "
        "(select fsum(s order by g) / sum(n) from scattered) as mean_squared_distance"
    )


def centroid_distances(model: Model) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Distance of each centroid to each other."""
    if isinstance(model.assignment, NearestDirection):
        directions = model.assignment.directions
        return np.asarray(np.sqrt(np.maximum(1.0 - directions @ directions.T, 0.0)))
    gaps = model.points[:, None, :] - model.points[None, :, :]
    return np.asarray(np.sqrt((gaps**2).sum(axis=2)))


def error_columns(model: Model) -> int:
    """Columns that a mean squared error is the mean over: of the input, not one-hot ones."""
    return len(model.recipe.features)


def unlikeness(model: Model, trial: dict[str, Any]) -> tuple[str, str]:
    """Name and SQL of what tells anomalies, over :func:`scored_rows`."""
    if model.k:
        parts = [
            f"case when {literal(radius)} > 0 then {sql.SCRATCH}distances[{i}] / {literal(radius)} "
            f"when {sql.SCRATCH}distances[{i}] > 0 then 'infinity'::double else 0.0e0 end"
            for i, radius in enumerate(trial["radii"], start=1)
        ]
        return "normalized_distance", f"[{', '.join(parts)}]"
    assert model.projection is not None
    squares = []
    for i, axis in enumerate(model.space.dimensions):
        z = f"({sql.SCRATCH}u{i} * {literal(axis.factor)} + {literal(axis.offset)})"
        back = " + ".join(
            f"{sql.SCRATCH}p{k} * {literal(float(component[i]))}"
            for k, component in enumerate(model.projection.components)
        )
        squares.append(f"({z} - ({back} + {literal(float(model.projection.mean[i]))})) ** 2")
    return "mean_squared_error", f"({' + '.join(squares)}) / {error_columns(model)}"


def anomalies(
    model: Model,
    trial: dict[str, Any],
    data: str,
    prepared: list[tuple[str, str]],
    contamination: float,
) -> str:
    """The rows of ML.DETECT_ANOMALIES."""
    name, told = unlikeness(model, trial)
    rows = scored_rows(model, data, prepared)
    value = f"{sql.SCRATCH}unlike"
    extra = ""
    if model.k:
        rows = f"select *, {told} as {sql.SCRATCH}ratios from ({rows})"
        rows = f"select *, list_min({sql.SCRATCH}ratios) as {value} from ({rows})"
        extra = f", list_position({sql.SCRATCH}ratios, {value})::bigint as centroid_id"
    else:
        rows = f"select *, {told} as {value} from ({rows})"
    cutoff = literal(_cutoff(trial, contamination))
    hidden = carried("is_anomaly", name, *(["centroid_id"] if model.k else []))
    return (
        f"select {value} > {cutoff} as is_anomaly, {value} as {name}{extra}, {hidden} from ({rows})"
    )


def _cutoff(trial: dict[str, Any], contamination: float) -> float:
    """The value that the share of the training rows is above."""
    return float(trial["cutoffs"][int(np.floor(contamination * trial["steps"] + 1e-9))])


def training_cutoffs(model: Model, trial: dict[str, Any], data: str, rows: int) -> str:
    """Query of the values that the shares up to a half of the training rows are above."""
    _, told = unlikeness(model, trial)
    value = f"list_min({told})" if model.k else told
    steps = min(rows, STEPS)
    ranks = literal([step * rows // steps for step in range(steps // 2 + 1)])
    return (
        f"select least(v, 1e300) from (select v, row_number() over (order by v desc) - 1 as r "
        f"from (select {value} as v from ({scored_rows(model, data, [])}))) "
        f"where list_contains({ranks}, r) order by r"
    )
