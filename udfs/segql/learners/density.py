"""Fit DBSCAN and HDBSCAN: labels from the kernel, and the cells or balls that score in SQL."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from segql.bootstrap import Refit
from segql.cells import make_cells
from segql.clusterers.dbscan import fit_dbscan
from segql.clusterers.hdbscan import fit_hdbscan
from segql.clusterers.k_distance import default_min_samples, k_distance_curve
from segql.clusterers.kmeans import Labels, Matrix
from segql.clusterers.near_components import just_above
from segql.errors import SegqlError
from segql.grid import MOST_DIMENSIONS
from segql.learners import cell_counts
from segql.learners.base import Learned, Training, as_number, prepared_points, with_trust
from segql.learners.density_scoring import Clusters, Found, by_balls, by_cells

#: Rows × coordinates that may be fetched (promise 2 of the design).
FETCHED = 30_000_000
#: Rows whose hierarchy of densities is built; of a larger table so many are drawn.
HIERARCHY_ROWS = 50_000
#: Smallest cluster of HDBSCAN, unless min_samples says otherwise: this share of the rows.
SMALLEST_SHARE = 0.01
#: Squares of distances must stay numbers.
SMALLEST_EPS = 1e-100
#: HDBSCAN's clusters are born at so many distances at most when cells score them.
LEVELS = 24
#: Rows that bootstraps of DBSCAN and of HDBSCAN draw from.
DBSCAN_ROWS, HDBSCAN_ROWS = 5_000, 2_000
#: More segments than this are no segments.
MOST_SEGMENTS = 1_000


def check(options: dict[str, Any]) -> None:
    """Refuse eps, min_samples and k that are none."""
    if not (isinstance(options["k"], str) and options["k"].strip().lower() == "auto"):
        raise SegqlError(
            f"k got {options['k']!r}, but algorithm {options['algorithm']!r} finds the number of "
            "segments itself; accepted: leave it out"
        )
    eps, samples = options["eps"], options["min_samples"]
    is_auto = isinstance(eps, str) and eps == "auto"
    if not is_auto and not (0 < as_number(eps) < 1e100):
        raise SegqlError(f'eps got {eps!r}; accepted: a number above 0, or "auto"')
    if not is_auto and as_number(eps) < SMALLEST_EPS:
        raise SegqlError(f"eps got {eps!r}; accepted: a number of at least {SMALLEST_EPS:g}")
    is_whole = isinstance(samples, Integral) and as_number(samples) >= 1
    if samples is not None and not is_whole:
        raise SegqlError(
            f"min_samples got {samples!r}; accepted: a whole number of at least 1, or None"
        )


def learn_dbscan(training: Training) -> Learned:
    """Find eps, core points and clusters, and lay cells around the core points."""
    space, request, rows = training.space, training.request, training.data.rows
    samples = int(request.min_samples or default_min_samples(rows, space.size))
    share = min(1.0, FETCHED / (rows * space.size))
    counted = share < 1.0 and space.size <= MOST_DIMENSIONS
    points = prepared_points(training, share)
    fetched = len(points)
    scaled = samples if share == 1.0 else max(round(samples * share), 2)
    _check_samples(samples, rows)
    curve = k_distance_curve(points, scaled)
    eps = float(curve.knee if isinstance(request.eps, str) else request.eps)
    if eps <= 0:
        raise SegqlError(
            f"eps: more than {samples} rows are equal nearly everywhere, so that no distance "
            "tells clusters from noise; accepted: a number above 0"
        )
    training.report("clustering")
    diagnostics = {
        "eps": (eps, "Largest distance of neighbours, in the model space"
                + (": the knee of the k-distance curve." if isinstance(request.eps, str) else ".")),
        "min_samples": (float(samples), "Neighbours, itself among them, of a core point."),
    }  # fmt: skip
    if share < 1.0:
        diagnostics["sample_rows"] = (
            float(len(points)),
            "Rows that were drawn: "
            + ("eps was read off them." if counted else "core points were looked for among them."),
        )
    if counted:
        cells = cell_counts.count_cells(training, eps)
        found = cell_counts.fit_cells(cells, eps, samples)
        diagnostics["agreement_ari"] = (
            cell_counts.agreement_on(points, eps, scaled),
            "Adjusted Rand index of clusters from counts of cells and exact ones, on a sample.",
        )
        points = cells.points
        mass = cells.weights
    else:
        found = fit_dbscan(points, eps, scaled)
        mass = np.ones(len(points))
    labels, is_core = _by_mass(found.labels, mass), found.is_core
    count = int(labels.max()) + 1
    sentence = f"eps = {eps:.4g} and min_samples = {samples}"
    _check_count(count, sentence, 'a larger eps or a smaller min_samples, or eps "auto"')
    diagnostics["core_points"] = (float(is_core.sum()), "Core points, or cells of them.")
    clusters = Clusters(count, sentence, diagnostics, curve)
    drawn = {"is_exact": share == 1.0, "coreset_rows": fetched}
    if space.size <= MOST_DIMENSIONS:
        laid = make_cells([(eps, points[is_core], labels[is_core] + 1)])
        learned = by_cells(training, laid, clusters)
    else:
        learned = by_balls(training, _with_borders(points, labels, is_core, eps), clusters)
    learned = replace(learned, info=drawn)
    return with_trust(training, learned, _dbscan_again(training, eps, samples), DBSCAN_ROWS)


def learn_hdbscan(training: Training) -> Learned:
    """Find the clusters of the hierarchy, and lay cells around each at the density of its birth."""
    request, space = training.request, training.space
    rows = training.data.rows
    share = min(1.0, HIERARCHY_ROWS / rows)
    points = prepared_points(training, share, by_id=True)
    samples = int(request.min_samples or default_min_samples(len(points), space.size))
    _check_samples(samples, len(points))
    smallest = max(samples, 2)
    if request.min_samples is None:
        smallest = max(samples, int(SMALLEST_SHARE * len(points)))
    training.report("clustering")
    found = fit_hdbscan(points, samples, smallest).by_size()
    sentence = f"min_samples = {samples} and clusters of at least {smallest} rows"
    if share < 1.0:
        sentence += f" among {len(points)} that were drawn"
    _check_count(found.k, sentence, "a smaller min_samples")
    diagnostics = {
        "min_samples": (float(samples), "Neighbour, itself the first, of the core distance."),
        "min_cluster_size": (float(smallest), "Rows that make a cluster."),
        "hierarchy_rows": (float(len(points)), "Rows that the hierarchy was built on."),
    }
    curve = k_distance_curve(points, samples)
    # Of repeated rows, whose λ is infinite, there is no finite figure.
    stabilities = [value if np.isfinite(value) else None for value in found.stabilities.tolist()]
    drawn = {"is_exact": share == 1.0, "coreset_rows": len(points)}
    clusters = Clusters(found.k, sentence, diagnostics, curve, stabilities)
    seen = Found(points, found.labels)
    # A level is a join: of many, balls are the cheaper way.
    if space.size > MOST_DIMENSIONS or len(np.unique(found.births)) > LEVELS:
        learned = by_balls(training, seen, clusters)
    else:
        laid = make_cells(_levels(points, found.labels, found.births), points)
        learned = by_cells(training, laid, clusters, seen)
    learned = replace(learned, info=drawn)
    again = _hdbscan_again(samples, smallest, len(points))
    return with_trust(training, learned, again, HDBSCAN_ROWS)


def _dbscan_again(training: Training, eps: float, samples: int) -> Refit:
    """DBSCAN of drawn rows, at the same density where they are fewer than all.

    So many rows within eps are then so many within a wider eps: neighbours are too few to count
    otherwise.
    """
    rows, width = training.data.rows, training.space.size

    def refit(drawn: Matrix, counts: Matrix) -> Labels:
        wanted = samples * min(1.0, float(counts.sum()) / rows)
        least = max(round(wanted), min(samples, default_min_samples(0, width)))
        reach = eps * (least / wanted) ** (1.0 / width)
        found = fit_dbscan(drawn, reach, least, counts)
        if not found.is_core.any():
            return found.labels
        return _with_borders(drawn, found.labels, found.is_core, reach).labels

    return refit


def _hdbscan_again(samples: int, smallest: int, rows: int) -> Refit:
    """HDBSCAN of drawn rows, each once: repeated ones would be clusters of no extent."""

    def refit(drawn: Matrix, counts: Matrix) -> Labels:
        share = len(drawn) / rows
        neighbours = min(samples, default_min_samples(len(drawn), drawn.shape[1]), len(drawn))
        return fit_hdbscan(drawn, neighbours, max(neighbours, round(smallest * share), 2)).labels

    return refit


def _by_mass(labels: Labels, mass: Matrix) -> Labels:
    """Number clusters by what they hold, so that hardly any has to change its number later."""
    held = np.flatnonzero(labels >= 0)
    order = np.argsort(-np.bincount(labels[held], weights=mass[held]), kind="stable")
    numbers = np.empty(len(order) + 1, dtype=np.intp)
    numbers[order], numbers[-1] = np.arange(len(order)), -1
    return np.asarray(numbers[labels])


def _levels(points: Matrix, labels: Labels, births: Matrix) -> list[tuple[float, Matrix, Labels]]:
    """Clusters by the distance of their birth, the densest first: what is in one is in no other."""
    # Clusters that are born at distance 0 hold equal points.
    tiny = 1e-9 * max(float(np.abs(points).max()), 1e-300)
    levels = []
    for birth in np.unique(births):
        inside = np.flatnonzero(np.isin(labels, np.flatnonzero(births == birth)))
        # Below the birth, not at it, is the cluster on its own.
        eps = max(float(birth) * (1.0 - 1e-12), tiny)
        levels.append((eps, points[inside], labels[inside] + 1))
    return levels


def _check_samples(samples: int, rows: int) -> None:
    if samples > rows:
        raise SegqlError(
            f"min_samples is {samples} but there are only {rows} rows; accepted: at most {rows}"
        )


def _check_count(count: int, sentence: str, accepted: str) -> None:
    if count == 0:
        raise SegqlError(f"every row is noise with {sentence}; accepted: {accepted}")
    if count > MOST_SEGMENTS:
        raise SegqlError(
            f"there are {count} segments with {sentence}; accepted: at most {MOST_SEGMENTS}, by "
            "other eps or a larger min_samples"
        )


def _with_borders(points: Matrix, labels: Labels, is_core: NDArray[np.bool_], eps: float) -> Found:
    """Name points within eps of a core point by the nearest one."""
    cores, others = np.flatnonzero(is_core), np.flatnonzero(~is_core)
    distances, near = cKDTree(points[cores]).query(
        points[others], distance_upper_bound=just_above(eps), workers=-1
    )
    named, hit = labels.copy(), np.isfinite(distances)
    named[others[hit]] = labels[cores[near[hit]]]
    return Found(points, named)
