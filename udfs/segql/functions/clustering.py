"""Session functions that cluster points: k-means, trees, densities."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.cluster.hierarchy import cophenet
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from segql.clusterers.dbscan import fit_dbscan
from segql.clusterers.k_distance import default_min_samples, k_distance_curve
from segql.clusterers.kmeans import Labels, Points, canonical_order
from segql.clusterers.kmeans_starts import fit_starts
from segql.clusterers.linkage import LINKAGES, Tree, cophenetic_correlation, fit_tree
from segql.clusterers.near_components import just_above
from segql.errors import SegqlError, unknown
from segql.functions.arrow import DOUBLES, INTEGERS, LABELS, MATRIX, Mask, Matrix, Rows
from segql.functions.declared import Parameter, SessionFunction
from segql.functions.scaling import POINTS
from segql.selection import Trial, choose_k, parse_k

#: Rows of a tree: its memory grows with their square, 0.8 GB and a little for so many.
MOST_LEAVES = 10_000
TRIAL = pa.struct(
    [(name, pa.int32() if name == "k" else pa.float64()) for name in Trial.__dataclass_fields__]
)
SEED = "Seed of everything random, a whole number. Default: 42."
WEIGHTS = "A list of one number above 0 a row: how many rows it counts as. Default: 1 each."
#: Squares of distances must stay numbers.
SMALLEST_EPS, LARGEST_EPS = 1e-100, 1e100


# -- k-means -------------------------------------------------------------------------------------


def kmeans(
    points: Rows, k: Any, seed: Any = 42, weights: Any = None, thorough: Any = False
) -> dict[str, Any]:
    """Cluster by k-means; a k that is given is searched for quickly unless thorough."""
    mass = mass_of(points, weights)
    check_seed(seed)
    if not isinstance(thorough, bool):
        raise SegqlError(f"thorough got {thorough!r}; accepted: true or false")
    low, high = parse_k(k)
    prepared = Points(points.values, mass)
    if low < high or thorough:
        choice = choose_k(prepared, low, high, seed)
        fit, trials = choice.fit, [asdict(trial) for trial in choice.trials]
        reason, elbow, prefers_one = choice.reason, choice.elbow, choice.prefers_one
    else:
        if low > prepared.distinct:
            raise SegqlError(f"k is {low} but there are only {prepared.distinct} distinct rows")
        fit, trials = fit_starts(prepared, low, seed), []
        reason, elbow, prefers_one = f"k = {low} was asked for", None, None
    labels, order = _by_size(fit.labels, fit.centroids, mass)
    return {
        "labels": points.spread(labels),
        "centroids": fit.centroids[order],
        "inertia": fit.inertia,
        "k": len(fit.centroids),
        "reason": reason,
        "elbow": elbow,
        "prefers_one": prefers_one,
        "iterations": [iteration.inertia for iteration in fit.iterations],
        "trials": trials,
    }


# -- trees ---------------------------------------------------------------------------------------


def hierarchical(
    points: Rows, k: Any, linkage: Any = "ward", weights: Any = None
) -> dict[str, Any]:
    """Merge rows from the bottom up, and cut the tree at a number of clusters or a height."""
    mass = mass_of(points, weights)
    count = len(points.values)
    if linkage not in LINKAGES:
        raise SegqlError(unknown("linkage", linkage, LINKAGES))
    height = _check_cut(k, count)
    if count > MOST_LEAVES:
        raise SegqlError(
            f"points holds {count} rows; accepted: at most {MOST_LEAVES}, since memory grows with "
            "their square; for more use segql_fit with {algorithm: 'hierarchical'}"
        )
    # In canonical order, so that ties are broken alike whatever order the rows had.
    order = canonical_order(points.values, mass)
    ordered, ordered_mass = points.values[order], mass[order]
    tree, correlation = _tree(ordered, ordered_mass, linkage, is_weighted=weights is not None)
    cut = tree.cut(k) if height is None else tree.cut_at(height)
    found = np.empty(count, dtype=np.intp)
    found[order] = cut
    centroids = _means(ordered, ordered_mass, cut)
    labels, by_size = _by_size(found, centroids, mass)
    # A leaf is named by its place in the list, the places of unusable rows being counted.
    leaves = np.flatnonzero(points.usable)[order]
    size = len(points.usable)
    names = np.concatenate([leaves, size + np.arange(count - 1)])
    return {
        "labels": points.spread(labels),
        "k": len(centroids),
        "centroids": centroids[by_size],
        "merges": np.sort(names[tree.pairs], axis=1).reshape(-1, 2),
        "heights": tree.heights,
        "sizes": tree.sizes,
        "cophenetic_correlation": correlation,
    }


def _check_cut(k: Any, count: int) -> float | None:
    """The height of a cut; None when k is a number of clusters."""
    if isinstance(k, dict):
        if set(k) != {"height"}:
            raise SegqlError(f"k got {k!r}; accepted: a whole number, or {{height: h}}")
        height = k["height"]
        if isinstance(height, bool) or not isinstance(height, int | float) or not height >= 0:
            raise SegqlError(f"height got {told(height)}; accepted: a number of at least 0")
        return float(height)
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise SegqlError(
            f"k got {told(k)}; accepted: a whole number of at least 1, or {{height: h}}"
        )
    if k > count:
        raise SegqlError(f"k is {k} but there are only {count} rows")
    return None


def _tree(
    points: Matrix, mass: Matrix, linkage: str, *, is_weighted: bool
) -> tuple[Tree, float | None]:
    """The tree, and how true it is; None where all pairs are equally far or there is one pair."""
    if len(points) < 2:
        return fit_tree(points, mass, linkage), None
    if is_weighted:
        tree = fit_tree(points, mass, linkage)
        correlation = cophenetic_correlation(tree, points, mass)
    else:
        distances = pdist(points)
        table = scipy_linkage(distances, linkage)
        tree = Tree(table[:, :2].astype(np.intp), table[:, 2], table[:, 3])
        correlation = _correlation(cophenet(table), distances)
    return tree, correlation if np.isfinite(correlation) else None


def _correlation(left: Matrix, right: Matrix) -> float:
    left -= left.mean()
    right -= right.mean()
    spread = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / spread if spread > 0 else float("nan")


# -- densities -----------------------------------------------------------------------------------


def dbscan(
    points: Rows, eps: Any = None, min_samples: Any = None, weights: Any = None
) -> dict[str, Any]:
    """Cluster by density; rows in no cluster are noise."""
    mass = mass_of(points, weights, least=1.0)
    if isinstance(eps, str) and eps.strip().lower() == "auto":
        eps = None
    whole = isinstance(min_samples, int) and not isinstance(min_samples, bool) and min_samples >= 1
    if min_samples is not None and not whole:
        raise SegqlError(f"min_samples got {min_samples!r}; accepted: a whole number of at least 1")
    if eps is not None:
        is_number = isinstance(eps, int | float) and not isinstance(eps, bool)
        if not is_number or not SMALLEST_EPS <= eps < LARGEST_EPS:
            raise SegqlError(f"eps got {eps!r}; accepted: a number above 0, or 'auto'")
    count, width = points.values.shape
    least = int(min_samples or default_min_samples(count, width))
    order = canonical_order(points.values, mass)
    ordered, ordered_mass = points.values[order], mass[order]
    labels, is_core = np.full(count, -1, dtype=np.intp), np.zeros(count, dtype=bool)
    # Too few rows for a core point are noise whatever eps is.
    if mass.sum() >= least:
        if eps is None:
            eps = _knee(ordered, least)
        found = fit_dbscan(ordered, float(eps), least, ordered_mass)
        labels = _with_borders(ordered, found.labels, found.is_core, float(eps))
        is_core = found.is_core
    held = labels >= 0
    centroids = _means(ordered[held], ordered_mass[held], labels[held])
    numbered, by_size = _by_size(labels[held], centroids, ordered_mass[held])
    labels[held], labels[~held] = numbered, 0
    back = np.argsort(order)
    return {
        "labels": points.spread(labels[back]),
        "is_core": points.spread(is_core[back]),
        "k": len(centroids),
        "noise": int((~held).sum()),
        "eps": None if eps is None else float(eps),
        "min_samples": least,
        "centroids": centroids[by_size],
    }


def _knee(points: Matrix, min_samples: int) -> float:
    eps = k_distance_curve(points, min_samples).knee
    if eps <= 0:
        raise SegqlError(
            f"eps: nearly every row has {min_samples} rows equal to it, so that no distance tells "
            "clusters from noise; accepted: a number above 0"
        )
    return eps


def _with_borders(points: Matrix, labels: Labels, is_core: Mask, eps: float) -> Labels:
    """Name rows within eps of a core point by the nearest one."""
    cores, others = np.flatnonzero(is_core), np.flatnonzero(~is_core)
    named = labels.copy()
    if len(cores) and len(others):
        distances, near = cKDTree(points[cores]).query(
            points[others], distance_upper_bound=just_above(eps)
        )
        hit = np.isfinite(distances)
        named[others[hit]] = labels[cores[near[hit]]]
    return named


# -- what they share -----------------------------------------------------------------------------


def mass_of(points: Rows, weights: Any, least: float | None = None) -> Matrix:
    """Weight of each usable row, 1 when none are given."""
    if not len(points.values):
        raise SegqlError("points has no row without NULL, NaN or infinity")
    if weights is None:
        return np.ones(len(points.values))
    if not isinstance(weights, np.ndarray):
        raise SegqlError(f"weights got {weights!r}; accepted: a list of one number a row")
    if len(weights) != len(points.usable):
        raise SegqlError(
            f"weights holds {len(weights)} weights for {len(points.usable)} rows; "
            "accepted: one a row"
        )
    mass = weights[points.usable]
    if least is not None:
        accepted, wanted = mass >= least, f"at least {least:g}"
    else:
        accepted, wanted = mass > 0, "above 0"
    if not (accepted & np.isfinite(mass)).all():
        raise SegqlError(f"weights must be one number {wanted} for each row")
    return mass


def check_seed(seed: Any) -> None:
    """Refuse a seed that is none."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise SegqlError(f"seed got {seed!r}; accepted: a whole number of at least 0")


def told(value: Any) -> str:
    """Word a value for an error."""
    return "NULL" if value is None else repr(value)


def _means(points: Matrix, mass: Matrix, labels: Labels) -> Matrix:
    """Weighted mean of each cluster, labels from 0."""
    k, width = int(labels.max(initial=-1)) + 1, points.shape[1]
    sums = np.bincount(labels, weights=mass, minlength=k)
    columns = [np.bincount(labels, weights=mass * column, minlength=k) for column in points.T]
    return np.stack(columns, axis=1).reshape(k, width) / sums[:, None]


def _by_size(labels: Labels, centroids: Matrix, mass: Matrix) -> tuple[Labels, Labels]:
    """Number clusters by size, then centroid, from 1; and the order of the centroids."""
    sizes = np.bincount(labels, weights=mass, minlength=len(centroids))
    order = np.lexsort([*centroids.T[::-1], -sizes])
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(1, len(order) + 1)
    return rank[labels], order


# -- declarations --------------------------------------------------------------------------------

CLUSTERING = (
    SessionFunction(
        name="segql_kmeans",
        parameters=(
            POINTS,
            Parameter(
                "k",
                "INTEGER",
                False,
                "Number of clusters; a range `[min, max]` or `'auto'`, which is `[2, 10]`, chooses "
                "among several and tells in `reason` and `trials` why.",
            ),
        ),
        result=pa.struct(
            [
                ("labels", LABELS),
                ("centroids", MATRIX),
                ("inertia", pa.float64()),
                ("k", pa.int32()),
                ("reason", pa.string()),
                ("elbow", pa.int32()),
                ("prefers_one", pa.bool_()),
                ("iterations", DOUBLES),
                ("trials", pa.list_(TRIAL)),
            ]
        ),
        summary="Cluster points by k-means; clusters are numbered from 1 by size, the largest "
        "first.",
        example="select r.labels, r.centroids, r.inertia from (select segql_kmeans("
        "[[1, 1], [1, 3], [9, 9], null, [1, 2]], 2) as r)",
        example_result="{'labels': [1, 1, 2, NULL, 1], 'centroids': [[1.0, 2.0], [9.0, 9.0]], "
        "'inertia': 2.0}",
        compute=kmeans,
        options={
            "seed": SEED,
            "weights": WEIGHTS,
            "thorough": "Search longer, and fill `trials` and `prefers_one` for a k that is given "
            "as well. Default: false.",
        },
    ),
    SessionFunction(
        name="segql_hierarchical",
        parameters=(
            POINTS,
            Parameter(
                "k",
                "INTEGER",
                False,
                "Number of clusters to cut the tree into, or a struct `{height: h}` to merge all "
                "that is joined at a height of at most h.",
            ),
        ),
        result=pa.struct(
            [
                ("labels", LABELS),
                ("k", pa.int32()),
                ("centroids", MATRIX),
                ("merges", pa.list_(INTEGERS)),
                ("heights", DOUBLES),
                ("sizes", DOUBLES),
                ("cophenetic_correlation", pa.float64()),
            ]
        ),
        summary="Merge rows from the bottom up (agglomerative clustering) and cut the tree. "
        "`merges` is in SciPy's numbering: a number below n, the length of the list, is the row at "
        "that place, counted from 0; n + m is what merge m made.",
        example="select r.labels, r.merges, r.heights from (select segql_hierarchical("
        "[[0], [1], [9]], 2, {linkage: 'single'}) as r)",
        example_result="{'labels': [1, 1, 2], 'merges': [[0, 1], [2, 3]], 'heights': [1.0, 8.0]}",
        compute=hierarchical,
        options={
            "linkage": "`ward`, `average`, `complete` or `single`. Default: `ward`.",
            "weights": WEIGHTS,
        },
    ),
    SessionFunction(
        name="segql_dbscan",
        parameters=(
            POINTS,
            Parameter(
                "eps",
                "DOUBLE",
                True,
                "Largest distance of neighbours; `'auto'`, NULL or nothing takes the knee of the "
                "k-distance curve.",
            ),
            Parameter(
                "min_samples",
                "INTEGER",
                True,
                "Neighbours, the row itself among them, that make a core point; NULL or nothing "
                "takes twice the number of columns, or the fourth root of the rows if it is more.",
            ),
        ),
        result=pa.struct(
            [
                ("labels", LABELS),
                ("is_core", pa.list_(pa.bool_())),
                ("k", pa.int32()),
                ("noise", pa.int32()),
                ("eps", pa.float64()),
                ("min_samples", pa.int32()),
                ("centroids", MATRIX),
            ]
        ),
        summary="Cluster points by density (DBSCAN); the label 0 is noise, and a row that is no "
        "core point belongs to the cluster of the nearest one within eps.",
        example="select r.labels, r.is_core, r.noise from (select segql_dbscan("
        "[[0], [1], [2], [9]], 1, 3) as r)",
        example_result="{'labels': [1, 1, 1, 0], 'is_core': [false, true, false, false], "
        "'noise': 1}",
        compute=dbscan,
        options={
            "weights": "A list of one number of at least 1 a row: how many rows it counts as. "
            "Default: 1 each."
        },
    ),
)
