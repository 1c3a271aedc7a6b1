"""Rows of the registry's long tables, as a model has them."""

from __future__ import annotations

from typing import Any

from segql.model import Model


def merge_rows(model: Model) -> list[dict[str, Any]]:
    """Merges in scipy's numbering: leaves from 0, then each merge."""
    if model.tree is None:
        return []
    rows = zip(model.tree.pairs.tolist(), model.tree.heights, model.tree.sizes, strict=True)
    return [
        {"merge": number, "left": left, "right": right, "height": float(height),
         "size": float(size)}
        for number, ((left, right), height, size) in enumerate(rows, start=1)
    ]  # fmt: skip


def curve_rows(model: Model) -> list[dict[str, Any]]:
    """The k-distance curve, a row per point of it."""
    if model.curve is None:
        return []
    rows = zip(model.curve.shares, model.curve.distances, strict=True)
    return [
        {"position": number, "share": float(share), "distance": float(distance)}
        for number, (share, distance) in enumerate(rows, start=1)
    ]


def component_rows(model: Model) -> list[dict[str, Any]]:
    """Loadings, a row per component and dimension."""
    if model.projection is None:
        return []
    axes = model.recipe.dimensions()
    return [
        {
            "principal_component_id": index,
            "feature": axis.name,
            "numerical_value": float(value),
        }
        for index, component in enumerate(model.projection.components)
        for axis, value in zip(axes, component, strict=True)
    ]


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
