"""Session functions that measure clusterings: silhouettes, and the elbow of the inertia."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from segql.clusterers.kmeans import Points, canonical_order
from segql.clusterers.kmeans_starts import fit_starts
from segql.errors import SegqlError, unknown
from segql.functions.arrow import DOUBLES, INTEGERS, Matrix, Rows
from segql.functions.clustering import SEED, WEIGHTS, check_seed, mass_of, told
from segql.functions.declared import Parameter, SessionFunction
from segql.functions.scaling import POINTS
from segql.selection import find_elbow

METRICS = ("sqeuclidean", "euclidean")
#: Distances that are held at a time.
BLOCK = 4_000_000


def silhouette(points: Rows, labels: Matrix, metric: Any = METRICS[0]) -> dict[str, Any]:
    """Silhouette of each row, each cluster, and all rows."""
    if metric not in METRICS:
        raise SegqlError(unknown("metric", metric, METRICS))
    if len(labels) != len(points.usable):
        raise SegqlError(
            f"labels holds {len(labels)} labels for {len(points.usable)} rows; accepted: one a row"
        )
    own = labels[points.usable]
    takes_part = np.nan_to_num(own) != 0
    usable = points.usable.copy()
    usable[usable] = takes_part
    values, own = points.values[takes_part], own[takes_part]
    # By cluster, and within it in canonical order: sums do not depend on the order of the rows.
    order = canonical_order(values) if len(values) else np.arange(0)
    order = order[np.argsort(own[order], kind="stable")]
    names, starts, sizes = np.unique(own[order], return_index=True, return_counts=True)
    told_sizes = {"labels": names, "sizes": sizes}
    if len(names) < 2:
        nothing: Matrix = np.empty(0)
        none = Rows(nothing, np.zeros_like(usable)).spread(nothing)
        absent = Rows(nothing, np.zeros(len(names), dtype=bool)).spread(nothing)
        return {"silhouette": None, "values": none, "silhouettes": absent, **told_sizes}
    ordered = values[order]
    cluster = np.repeat(np.arange(len(names)), sizes)
    closed = metric == "sqeuclidean"
    distances = _squared if closed else _pairwise
    scores = distances(ordered - ordered.mean(axis=0), cluster, starts, sizes)
    back = np.empty(len(order))
    back[order] = scores
    return {
        "silhouette": float(scores.mean()),
        "values": Rows(points.values, usable).spread(back),
        "silhouettes": np.add.reduceat(scores, starts) / sizes,
        **told_sizes,
    }


def _squared(x: Matrix, cluster: Any, starts: Any, sizes: NDArray[np.intp]) -> Matrix:
    """Silhouettes on squared Euclidean distance, from the clusters' means and deviations.

    The mean squared distance of a row to a cluster is that to its mean plus the mean of those of
    its members: no pair of rows is looked at.
    """
    means = np.add.reduceat(x, starts) / sizes[:, None]
    spread = np.add.reduceat(((x - means[cluster]) ** 2).sum(axis=1), starts) / sizes
    scores = np.empty(len(x))
    for rows in _blocks(len(x), len(sizes)):
        mean = cdist(x[rows], means, "sqeuclidean") + spread
        scores[rows] = _scores(mean, cluster[rows], sizes)
    return scores


def _pairwise(x: Matrix, cluster: Any, starts: Any, sizes: NDArray[np.intp]) -> Matrix:
    """Silhouettes on Euclidean distance, which needs all pairs: a block of rows at a time."""
    scores = np.empty(len(x))
    for rows in _blocks(len(x), len(x)):
        mean = np.add.reduceat(cdist(x[rows], x), starts, axis=1) / sizes
        scores[rows] = _scores(mean, cluster[rows], sizes)
    return scores


def _blocks(rows: int, columns: int) -> list[slice]:
    step = max(BLOCK // columns, 1)
    return [slice(start, start + step) for start in range(0, rows, step)]


def _scores(mean: Matrix, cluster: Any, sizes: NDArray[np.intp]) -> Matrix:
    """Silhouettes of rows (Rousseeuw 1987) from their mean distances to each cluster."""
    at = np.arange(len(mean))
    # The row itself does not count among the others of its cluster.
    own = mean[at, cluster] * (sizes / np.maximum(sizes - 1, 1))[cluster]
    mean[at, cluster] = np.inf
    other = mean.min(axis=1)
    larger = np.maximum(own, other)
    scores = np.divide(other - own, larger, out=np.zeros(len(mean)), where=larger > 0)
    scores[sizes[cluster] == 1] = 0.0
    return np.asarray(scores)


def elbow(
    points: Rows, k_min: Any, k_max: Any, seed: Any = 42, weights: Any = None
) -> dict[str, Any]:
    """Inertia of every k of a range, and the knee of the curve."""
    mass = mass_of(points, weights)
    check_seed(seed)
    for name, value in (("k_min", k_min), ("k_max", k_max)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SegqlError(f"{name} got {told(value)}; accepted: a whole number of at least 1")
    if k_min > k_max:
        raise SegqlError(f"k_min is {k_min} and k_max is {k_max}; accepted: k_min up to k_max")
    prepared = Points(points.values, mass)
    highest = min(k_max, prepared.distinct)
    ks = list(range(min(k_min, highest), highest + 1))
    inertias = [fit_starts(prepared, k, seed).inertia for k in ks]
    return {"k": find_elbow(ks, inertias), "ks": ks, "inertias": inertias}


MEASURES = (
    SessionFunction(
        name="segql_silhouette",
        parameters=(
            POINTS,
            Parameter(
                "labels",
                "INTEGER[]",
                False,
                "The cluster of each row; rows whose label is NULL or 0 (noise) take no part.",
            ),
        ),
        result=pa.struct(
            [
                ("silhouette", pa.float64()),
                ("values", DOUBLES),
                ("labels", INTEGERS),
                ("silhouettes", DOUBLES),
                ("sizes", INTEGERS),
            ]
        ),
        summary="Measure how much nearer rows are to their own cluster than to the next one, from "
        "−1 to 1: the mean, `values` by row, `silhouettes` by label; NULL when there is only one "
        "cluster.",
        example="select r.silhouette, r.labels, r.sizes from (select segql_silhouette("
        "[[0], [0], [4], [4], [9]], [1, 1, 2, 2, 0]) as r)",
        example_result="{'silhouette': 1.0, 'labels': [1, 2], 'sizes': [2, 2]}",
        compute=silhouette,
        options={
            "metric": "`sqeuclidean`, squared distances, whose time grows with the rows, or "
            "`euclidean`, whose time grows with their square. Default: `sqeuclidean`."
        },
    ),
    SessionFunction(
        name="segql_elbow",
        parameters=(
            POINTS,
            Parameter("k_min", "INTEGER", False, "The smallest number of clusters to try."),
            Parameter(
                "k_max",
                "INTEGER",
                False,
                "The largest number of clusters to try; no more than there are distinct rows.",
            ),
        ),
        result=pa.struct([("k", pa.int32()), ("ks", INTEGERS), ("inertias", DOUBLES)]),
        summary="Cluster by k-means with every k of a range, and find the knee of the inertias, "
        "NULL when the curve has none.",
        example="select segql_elbow([[0], [1], [10], [11], [20], [21]], 1, 6) as r",
        example_result="{'k': 3, 'ks': [1, 2, 3, 4, 5, 6], "
        "'inertias': [401.5, 101.5, 1.5, 1.0, 0.5, 0.0]}",
        compute=elbow,
        options={"seed": SEED, "weights": WEIGHTS},
    ),
)
