"""Fit DBSCAN and HDBSCAN: labels from the kernel, and the cells or balls that score in SQL."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from segql.assignment import Assignment
from segql.balls import cover
from segql.cells import MOST_DIMENSIONS, Cells, make_cells
from segql.clusterers.dbscan import fit_dbscan
from segql.clusterers.hdbscan import fit_hdbscan
from segql.clusterers.k_distance import Curve, chosen, default_min_samples, k_distance_curve
from segql.clusterers.kmeans import Labels, Matrix
from segql.density_cells import DensityCells
from segql.errors import SegqlError
from segql.learners import cell_counts
from segql.learners.base import Learned, Training, agreement, measure, prepared_points
from segql.named_points import NamedPoints

#: Rows × coordinates that may be fetched (promise 2 of the design).
FETCHED = 30_000_000
#: Rows whose hierarchy of densities is built; of a larger table so many are drawn.
HIERARCHY_ROWS = 50_000
#: Smallest cluster of HDBSCAN, unless min_samples says otherwise: this share of the rows.
SMALLEST_SHARE = 0.01
#: Balls that score above three dimensions, and the points that they are laid on and judged by.
BALLS, BALL_POINTS, JUDGED = 128, 40_000, 100_000
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
    is_number = isinstance(eps, int | float) and not isinstance(eps, bool)
    if eps != "auto" and not (is_number and 0 < eps < 1e100):
        raise SegqlError(f'eps got {eps!r}; accepted: a number above 0, or "auto"')
    whole = isinstance(samples, int) and not isinstance(samples, bool)
    if samples is not None and not (whole and samples >= 1):
        raise SegqlError(
            f"min_samples got {samples!r}; accepted: a whole number of at least 1, or None"
        )


@dataclass(frozen=True)
class _Found:
    """Labels of the points that were seen; 0-based, −1 noise, borders named by the nearest core."""

    points: Matrix
    labels: Labels
    is_core: NDArray[np.bool_]


def learn_dbscan(training: Training) -> Learned:
    """Find eps, core points and clusters, and lay cells around the core points."""
    space, request, rows = training.space, training.request, training.data.rows
    samples = request.min_samples or default_min_samples(rows, space.size)
    training.report("clustering")
    share = min(1.0, FETCHED / (training.data.rows * space.size))
    counted = share < 1.0 and space.size <= MOST_DIMENSIONS
    points = prepared_points(training, share)
    scaled = samples if share == 1.0 else max(round(samples * share), 2)
    _check_samples(samples, rows)
    curve = k_distance_curve(points, scaled)
    eps = float(curve.knee if request.eps == "auto" else request.eps)
    if eps <= 0:
        raise SegqlError(
            f"eps: more than {samples} rows are equal nearly everywhere, so that no distance "
            "tells clusters from noise; accepted: a number above 0"
        )
    training.report("clustering")
    diagnostics = {
        "eps": (eps, "Largest distance of neighbours, in the model space"
                + (": the knee of the k-distance curve." if request.eps == "auto" else ".")),
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
    if space.size <= MOST_DIMENSIONS:
        laid = make_cells([(eps, points[is_core], labels[is_core] + 1)])
        return _by_cells(training, laid, count, sentence, diagnostics, curve)
    seen = _with_borders(_Found(points, labels, is_core), eps)
    return _by_balls(training, seen, count, sentence, diagnostics, curve)


def learn_hdbscan(training: Training) -> Learned:
    """Find the clusters of the hierarchy, and lay cells around each at the density of its birth."""
    request, space = training.request, training.space
    rows = training.data.rows
    share = min(1.0, HIERARCHY_ROWS / rows)
    points = prepared_points(training, share, by_id=True)
    samples = request.min_samples or default_min_samples(len(points), space.size)
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
    stabilities = found.stabilities.tolist()
    if space.size > MOST_DIMENSIONS:
        seen = _Found(points, found.labels, found.labels >= 0)
        return _by_balls(training, seen, found.k, sentence, diagnostics, curve, stabilities)
    laid = make_cells(_levels(points, found.labels, found.births), points)
    return _by_cells(training, laid, found.k, sentence, diagnostics, curve, stabilities)


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


def _with_borders(found: _Found, eps: float) -> _Found:
    """Name points within eps of a core point by the nearest one."""
    cores = np.flatnonzero(found.is_core)
    others = np.flatnonzero(~found.is_core)
    bound = float(np.nextafter(eps, np.inf))
    distances, near = cKDTree(found.points[cores]).query(
        found.points[others], distance_upper_bound=bound, workers=-1
    )
    labels = found.labels.copy()
    hit = np.isfinite(distances)
    labels[others[hit]] = found.labels[cores[near[hit]]]
    return _Found(found.points, labels, found.is_core)


def _by_cells(
    training: Training,
    laid: Cells,
    count: int,
    sentence: str,
    diagnostics: dict[str, tuple[float, str]],
    curve: Curve,
    stabilities: list[float] | None = None,
) -> Learned:
    """Score by an equi-join with the cells."""
    training.report("measuring")
    engine, space = training.engine, training.space
    with ExitStack() as stack:
        table = engine.upload(laid.arrow(), "cells")
        stack.callback(engine.drop, table)
        provisional = DensityCells(space, np.zeros((count, space.size)), laid.levels, table)
        measured = measure(training, provisional)
        if np.array_equal(measured.numbers, np.arange(count + 1)):
            training.stack.callback(engine.drop, table)
            stack.pop_all()
        else:
            table = engine.upload(laid.renumbered(measured.numbers).arrow(), "cells")
            training.stack.callback(engine.drop, table)
    diagnostics["cells"] = (float(len(laid.level)), "Cells that rows are looked up in.")
    return _learned(
        training,
        DensityCells(space, measured.centroids, laid.levels, table),
        measured, count, sentence, diagnostics, curve, stabilities,
    )  # fmt: skip


def _by_balls(
    training: Training,
    found: _Found,
    count: int,
    sentence: str,
    diagnostics: dict[str, tuple[float, str]],
    curve: Curve,
    stabilities: list[float] | None = None,
) -> Learned:
    """Score by balls, and say how often they agree with the labels themselves."""
    training.report("measuring")
    space = training.space
    used = chosen(found.points, BALL_POINTS)
    order = np.lexsort(found.points[used].T[::-1])
    used = used[order]
    # A cluster that the sample misses keeps a ball of its own.
    missing = np.setdiff1d(np.arange(count), found.labels[used])
    extra = [int(np.flatnonzero(found.labels == label)[0]) for label in missing]
    used = np.concatenate([used, np.array(extra, dtype=np.intp)])
    balls = cover(found.points[used], found.labels[used], max(BALLS, 2 * count),
                  training.request.seed)  # fmt: skip
    judged = chosen(found.points, JUDGED)
    told = balls.label(found.points[judged])
    ones = np.ones(len(judged))
    exactly = "the exact clusters"
    diagnostics |= {
        "agreement": (
            float((told == found.labels[judged]).mean()),
            f"Share of the rows whose segment in SQL is that of {exactly}, on a sample.",
        ),
        "agreement_ari": (
            agreement(told, found.labels[judged], ones),
            f"Adjusted Rand index of the segments in SQL and {exactly}, on a sample.",
        ),
        "agreement_rows": (float(len(judged)), "Rows of that sample."),
        "balls": (float(len(balls.centers)), "Balls that score above three dimensions."),
    }
    provisional = NamedPoints(space, np.zeros((count, space.size)), balls.centers,
                              balls.labels + 1, balls.radii)  # fmt: skip
    measured = measure(training, provisional)
    assignment = NamedPoints(space, measured.centroids, balls.centers,
                             measured.numbers[balls.labels + 1], balls.radii)  # fmt: skip
    return _learned(
        training, assignment, measured, count, sentence, diagnostics, curve, stabilities
    )


def _learned(
    training: Training,
    assignment: Assignment,
    measured: Any,
    count: int,
    sentence: str,
    diagnostics: dict[str, tuple[float, str]],
    curve: Curve,
    stabilities: list[float] | None,
) -> Learned:
    noise = measured.figures.metrics["noise_share"]
    diagnostics["noise_share"] = (noise, "Share of the customers that belong to no segment.")
    ordered = None
    if stabilities is not None:
        ordered = np.empty(count)
        ordered[measured.numbers[1:] - 1] = stabilities
    return Learned(
        assignment=assignment,
        figures=measured.figures,
        trials=[],
        reason=f"{count} {'segment' if count == 1 else 'segments'} and {noise:.1%} noise with "
        f"{sentence}",
        diagnostics=diagnostics,
        stabilities=None if ordered is None else ordered.tolist(),
        curve=curve,
    )
