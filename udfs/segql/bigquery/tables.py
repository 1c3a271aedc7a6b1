"""ML functions that tell what a model has learned, as queries of constant rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segql import sql_text as sql
from segql.bigquery.scoring import trial_of
from segql.bigquery.transform import literal
from segql.errors import SegqlError
from segql.features import CategoryFeature, Feature, NumberFeature
from segql.long_rows import component_info_rows
from segql.model import Model

#: What a missing category is called.
NULL_CATEGORY = "_null_filler"
_CLUSTERS = "struct(centroid_id bigint, cluster_radius double, cluster_size bigint)[]"
_CATEGORIES = "struct(category varchar, value double)[]"


def rows_query(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """A query of constant rows, each column of its type."""
    cast = ", ".join(f"{sql.quoted(name)}::{kind} as {sql.quoted(name)}"
                     for name, kind in columns.items())  # fmt: skip
    names = ", ".join(sql.quoted(name) for name in columns)
    filled = rows or [dict.fromkeys(columns)]
    values = ", ".join(f"({', '.join(_value(row[name]) for name in columns)})" for row in filled)
    nothing = "" if rows else " where false"
    return f"select {cast} from (values {values}) as t({names}){nothing}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{sql.literal(key)}: {_value(item)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    return literal(value)


def _labels(feature: CategoryFeature) -> list[str]:
    labels = [*feature.onehot.levels]
    if feature.onehot.rare:
        labels.append("other")
    if feature.onehot.null:
        labels.append(NULL_CATEGORY)
    return labels


def _with_trial(model: Model, columns: dict[str, str]) -> dict[str, str]:
    assert model.bigquery is not None
    return {"trial_id": "bigint", **columns} if model.bigquery["is_tuned"] else columns


def centroids(model: Model, standardize: bool) -> str:
    """ML.CENTROIDS."""
    _needs_clusters(model, "CENTROIDS")
    assert model.bigquery is not None
    rows = []
    for trial in model.bigquery["trials"]:
        tried, _ = trial_of(model, trial["trial_id"] if model.bigquery["is_tuned"] else None)
        scaled = tried.space.to_scaled(tried.points)
        for index in range(tried.k):
            rows += [
                {"trial_id": trial["trial_id"], "centroid_id": index + 1} | item
                for item in _centroid(tried, scaled[index], standardize)
            ]
    columns = {"centroid_id": "bigint", "feature": "varchar", "numerical_value": "double",
               "categorical_value": _CATEGORIES}  # fmt: skip
    return rows_query(_with_trial(model, columns), rows)


def _centroid(model: Model, scaled: Any, standardize: bool) -> list[dict[str, Any]]:
    axes = model.recipe.dimensions()
    rows = []
    for feature in model.recipe.features:
        at = [i for i, axis in enumerate(axes) if axis.feature == feature.name]
        number: float | None = None
        shares: list[dict[str, Any]] = []
        if isinstance(feature, NumberFeature):
            z = float(scaled[at[0]])
            number = z if standardize else feature.original(z)
        else:
            values = [float(scaled[i]) / axes[i].factor for i in at]
            # As BigQuery, a category that no row of the cluster has is left out.
            shares = [
                {"category": label, "value": value}
                for label, value in zip(_labels(feature), values, strict=True)
                if value != 0
            ]
        rows.append(
            {"feature": feature.name, "numerical_value": number, "categorical_value": shares}
        )
    return rows


def principal_components(model: Model) -> str:
    """ML.PRINCIPAL_COMPONENTS."""
    projection = _needs_components(model, "PRINCIPAL_COMPONENTS")
    axes = model.recipe.dimensions()
    rows = []
    for index, component in enumerate(projection.components):
        for feature in model.recipe.features:
            at = [i for i, axis in enumerate(axes) if axis.feature == feature.name]
            rows.append(
                {"principal_component_id": index, "feature": feature.name}
                | _loading(feature, [float(component[i]) for i in at])
            )
    columns = {"principal_component_id": "bigint", "feature": "varchar",
               "numerical_value": "double", "categorical_value": _CATEGORIES}  # fmt: skip
    return rows_query(columns, rows)


def _loading(feature: Feature, values: list[float]) -> dict[str, Any]:
    if isinstance(feature, NumberFeature):
        return {"numerical_value": values[0], "categorical_value": []}
    shares = [
        {"category": label, "value": value}
        for label, value in zip(_labels(feature), values, strict=True)
    ]
    return {"numerical_value": None, "categorical_value": shares}


def principal_component_info(model: Model) -> str:
    """ML.PRINCIPAL_COMPONENT_INFO."""
    _needs_components(model, "PRINCIPAL_COMPONENT_INFO")
    columns = {"principal_component_id": "bigint", "eigenvalue": "double",
               "explained_variance_ratio": "double",
               "cumulative_explained_variance_ratio": "double"}  # fmt: skip
    return rows_query(columns, component_info_rows(model))


def training_info(model: Model) -> str:
    """ML.TRAINING_INFO: runs and iterations from 0."""
    assert model.bigquery is not None
    before = model.bigquery["runs_before"]
    runs = [(1, run, steps) for run, steps in enumerate(before)]
    runs += [(item["trial_id"], len(before), item["iterations"])
             for item in model.bigquery["trials"]]  # fmt: skip
    rows = [
        {
            "trial_id": trial, "training_run": run, "iteration": number, "loss": step["loss"],
            "learning_rate": None, "duration_ms": step["duration_ms"],
            "cluster_info": [
                {"centroid_id": i, "cluster_radius": radius, "cluster_size": size}
                for i, (radius, size) in enumerate(
                    zip(step["radii"], step["sizes"], strict=True), start=1
                )
            ],
        }
        for trial, run, steps in runs
        for number, step in enumerate(steps)
    ]  # fmt: skip
    columns = {"training_run": "bigint", "iteration": "bigint", "loss": "double",
               "learning_rate": "double", "duration_ms": "bigint",
               "cluster_info": _CLUSTERS}  # fmt: skip
    return rows_query(_with_trial(model, columns), rows)


def trial_info(model: Model) -> str:
    """ML.TRIAL_INFO."""
    assert model.bigquery is not None
    if not model.bigquery["is_tuned"]:
        raise SegqlError(
            f"ML.TRIAL_INFO: model {model.name!r} was not tuned; accepted: a model with "
            "NUM_CLUSTERS = HPARAM_RANGE(…) or HPARAM_CANDIDATES(…)"
        )
    rows = [
        {
            "trial_id": item["trial_id"], "hyperparameters": {"num_clusters": item["k"]},
            "hparam_tuning_evaluation_metrics":
                {"davies_bouldin_index": item["davies_bouldin_index"]},
            "training_loss": item["iterations"][-1]["loss"], "eval_loss": None,
            "status": "SUCCEEDED", "error_message": None, "is_optimal": item["is_optimal"],
        }
        for item in model.bigquery["trials"]
    ]  # fmt: skip
    columns = {
        "trial_id": "bigint", "hyperparameters": "struct(num_clusters bigint)",
        "hparam_tuning_evaluation_metrics": "struct(davies_bouldin_index double)",
        "training_loss": "double", "eval_loss": "double", "status": "varchar",
        "error_message": "varchar", "is_optimal": "boolean",
    }  # fmt: skip
    return rows_query(columns, rows)


def feature_info(model: Model) -> str:
    """ML.FEATURE_INFO: the columns of the training query."""
    assert model.bigquery is not None
    columns = {"input": "varchar", "min": "double", "max": "double", "mean": "double",
               "median": "double", "stddev": "double", "category_count": "bigint",
               "null_count": "bigint", "dimension": "bigint"}  # fmt: skip
    return rows_query(columns, model.bigquery["feature_info"])


def stored_figures(model: Model, trial_id: int | None) -> str:
    """ML.EVALUATE without rows: the figures of the training."""
    assert model.bigquery is not None
    if not model.k:
        return explained(model)
    trials = model.bigquery["trials"]
    if trial_id is not None or not model.bigquery["is_tuned"]:
        trials = [trial_of(model, trial_id)[1]]
    columns = {"davies_bouldin_index": "double", "mean_squared_distance": "double"}
    return rows_query(_with_trial(model, columns), trials)


def explained(model: Model) -> str:
    """ML.EVALUATE of components: what they explain of the training rows."""
    projection = _needs_components(model, "EVALUATE")
    share = float(np.sum(projection.explained_variance_ratio))
    return rows_query(
        {"total_explained_variance_ratio": "double"}, [{"total_explained_variance_ratio": share}]
    )


def _needs_clusters(model: Model, function: str) -> None:
    if not model.k:
        raise SegqlError(
            f"ML.{function}: model {model.name!r} is a PCA model; accepted: a model with clusters"
        )


def _needs_components(model: Model, function: str) -> Any:
    if model.projection is None or model.k:
        raise SegqlError(f"ML.{function}: model {model.name!r} has clusters; accepted: a PCA model")
    return model.projection
