"""Rows of the registry's long tables, as a model has them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from segql.assignment import NearestCentroid
from segql.features import CategoryFeature, NumberFeature
from segql.model import Model


def merge_rows(model: Model) -> list[dict[str, Any]]:
    """Merges in scipy's numbering: leaves from 0, then each merge.

    Each side bears its segment_id, NULL where it joins several.
    """
    if model.tree is None:
        return []
    leaves = model.tree.segments
    segments = [None] * model.tree.leaves if leaves is None else leaves.tolist()
    rows = []
    merges = zip(model.tree.pairs.tolist(), model.tree.heights, model.tree.sizes, strict=True)
    for number, ((left, right), height, size) in enumerate(merges, start=1):
        sides = segments[left], segments[right]
        segments.append(sides[0] if sides[0] == sides[1] else None)
        rows.append(
            {"merge": number, "left": left, "right": right, "height": float(height),
             "size": float(size), "left_segment_id": sides[0], "right_segment_id": sides[1]}
        )  # fmt: skip
    return rows


def curve_rows(model: Model) -> list[dict[str, Any]]:
    """The k-distance curve, a row per point of it."""
    if model.curve is None:
        return []
    rows = zip(model.curve.shares, model.curve.distances, strict=True)
    return [
        {"position": number, "share": float(share), "distance": float(distance)}
        for number, (share, distance) in enumerate(rows, start=1)
    ]


def map_point_rows(model: Model) -> list[dict[str, Any]]:
    """Points on the map's axes; of fewer than three axes the rest is NULL."""
    drawn = model.sample_map
    if drawn is None:
        return []
    columns = (drawn.points, drawn.segments, drawn.customers)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        {"place": number, **dict(zip("xyz", [*point, None, None][:3], strict=True)),
         "segment_id": segment, "customers": customers}
        for number, (point, segment, customers) in enumerate(rows, start=1)
    ]  # fmt: skip


def map_axis_rows(model: Model) -> list[dict[str, Any]]:
    """Loadings of the map's axes, a row per axis and dimension."""
    drawn = model.sample_map
    if drawn is None:
        return []
    return [
        {"axis": axis, "explained_variance_ratio": float(share), "feature": name,
         "loading": float(loading)}
        for axis, (share, loadings) in enumerate(
            zip(drawn.shares, drawn.loadings, strict=True), start=1
        )
        for name, loading in zip(drawn.dimensions, loadings, strict=True)
    ]  # fmt: skip


def component_rows(model: Model) -> list[dict[str, Any]]:
    """Loadings, a row per component and feature; those of a category's levels are a list."""
    if model.projection is None:
        return []
    axes = model.recipe.dimensions()
    rows: list[dict[str, Any]] = []
    for index, component in enumerate(model.projection.components):
        loadings = [float(value) for value in component]
        for feature in model.recipe.features:
            key = {"principal_component_id": index, "feature": feature.name}
            at = [i for i, axis in enumerate(axes) if axis.feature == feature.name]
            if isinstance(feature, NumberFeature):
                rows.append(key | {"numerical_value": loadings[at[0]], "categorical_value": None})
                # The flag of a missing number is a dimension of its own.
                rows += [
                    key | {"feature": axes[i].name, "numerical_value": loadings[i],
                           "categorical_value": None}
                    for i in at[1:]
                ]  # fmt: skip
            else:
                shares = [
                    {"category": axes[i].name.split("=", 1)[1], "value": loadings[i]} for i in at
                ]
                rows.append(key | {"numerical_value": None, "categorical_value": shares})
    return rows


def component_info_rows(model: Model) -> list[dict[str, Any]]:
    """Variance of each component."""
    if model.projection is None:
        return []
    ratios = model.projection.explained_variance_ratio
    return [
        {
            "principal_component_id": index,
            "eigenvalue": float(eigenvalue),
            "explained_variance_ratio": float(ratios[index]),
            "cumulative_explained_variance_ratio": float(ratios[: index + 1].sum()),
        }
        for index, eigenvalue in enumerate(model.projection.eigenvalues)
    ]


def geometry_rows(model: Model) -> list[dict[str, Any]]:
    """What distances to other centroids, and the part of each feature in them, are made of.

    The squared distance to a centroid less ‖p‖² is weights · u + a constant, and ``input_center``
    is the u of the centroid: between two centroids v and w, (w_j − v_j) · (u_j − the mean of both
    centers' u_j) is what dimension j adds to the difference of the squared distances.
    """
    axes = model.recipe.dimensions()
    scored = NearestCentroid(model.space, model.points)
    factors = np.array([axis.factor for axis in axes])
    offsets = np.array([axis.offset for axis in axes])
    moved = model.scaled_centroids() - offsets
    centers = np.divide(moved, factors, out=np.zeros_like(moved), where=factors != 0)
    ends = [i for i, axis in enumerate(axes, start=1)
            if i == len(axes) or axes[i].feature != axis.feature]  # fmt: skip
    return [
        {
            "segment_id": segment.segment_id,
            "centroid": model.points[index].tolist(),
            "radius": float(np.sqrt(segment.mean_squared_distance or 0.0)),
            "weights": scored.weights[index].tolist(),
            "input_center": centers[index].tolist(),
            "features": [axes[end - 1].feature for end in ends],
            "last_inputs": ends,
        }
        for index, segment in enumerate(model.clusters)
    ]


def rule_rows(model: Model) -> list[dict[str, Any]]:
    """A row per segment; what no plain rule tells apart has none, and covers nothing."""
    rules = {rule.segment_id: vars(rule) for rule in model.rules}
    nothing = {
        "place": None, "rule": None, "condition": None, "conditions": 0, "matched": 0,
        "correct": 0, "coverage": 0.0, "precision": None,
    }  # fmt: skip
    return [
        {"segment_id": segment.segment_id, "segment_key": segment.segment_key}
        | rules.get(segment.segment_id, nothing)
        for segment in model.clusters
    ]


def training_rows(model: Model) -> list[dict[str, Any]]:
    """Iterations of the chosen fit."""
    runs = {"coreset": 0, "all rows": 1}
    return [
        {
            "training_run": runs[step.phase],
            "iteration": step.iteration,
            "phase": step.phase,
            "loss": step.loss,
            "duration_ms": step.duration_ms,
            "cluster_info": [
                {"centroid_id": i + 1, "cluster_radius": radius, "cluster_size": size}
                for i, (radius, size) in enumerate(zip(step.radii, step.sizes, strict=True))
            ],
        }
        for step in model.iterations
    ]


def trial_rows(model: Model) -> list[dict[str, Any]]:
    """Each k that was tried, the chosen one with its reason."""
    return [
        vars(trial)
        | {
            "is_elbow": trial.k == model.info.get("elbow"),
            "chosen": trial.k == model.k,
            "reason": model.reason if trial.k == model.k else None,
        }
        for trial in model.trials
    ]


def diagnostic_rows(model: Model) -> list[dict[str, Any]]:
    """Figures of the algorithm, each with what it says."""
    return [
        {"diagnostic": name, "numerical_value": value, "description": text}
        for name, (value, text) in model.diagnostics.items()
    ]


def feature_rows(model: Model) -> list[dict[str, Any]]:
    """Rows of feature_info: the used features in argument order, then what was left out."""
    relevance = model.relevance()
    rows: list[dict[str, Any]] = []
    decided = {decision.column: decision.reason for decision in model.recipe.decisions}
    for position, feature in enumerate(model.recipe.features, start=1):
        row: dict[str, Any] = {
            "input": feature.name,
            "position": position,
            "used": True,
            "kind": feature.kind,
            "relevance": relevance.get(feature.name),
            "dimension": len(list(feature.dimensions())),
            "steps": json.dumps(_steps(feature), ensure_ascii=False),
            "reason": decided.get(feature.name, "asked for"),
        }
        if isinstance(feature, NumberFeature):
            row |= {
                "min": feature.profile.minimum,
                "max": feature.profile.maximum,
                "mean": feature.raw_moments.mean,
                "stddev": feature.raw_moments.deviation,
                "null_count": feature.profile.missing,
            }
            if feature.imputation.step == "median":
                row["median"] = feature.imputation.value
        else:
            row |= {
                "category_count": len(feature.onehot.levels) + len(feature.onehot.rare),
                "null_count": feature.onehot.counts[-1] if feature.onehot.null else 0,
            }
        rows.append(row)
    used = {feature.name for feature in model.recipe.features}
    for decision in model.recipe.decisions:
        if decision.column not in used:
            rows.append({"input": decision.column, "used": False, "reason": decision.reason})
    return rows


def _steps(feature: NumberFeature | CategoryFeature) -> dict[str, Any]:
    state = feature.state()
    kept = ("imputation", "transform", "scaling", "indicator", "weight", "fill", "onehot")
    return {name: state[name] for name in kept if name in state}
