"""Fit a tree: rows or micro-clusters as leaves, a cut, and few points that name segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from segql.clusterers.kmeans import Labels, Matrix, Points
from segql.clusterers.linkage import LINKAGES, Tree, cophenetic_correlation, fit_tree
from segql.diagnostics import BOOTSTRAPS, quality
from segql.errors import SegqlError, TooFewRowsError, unknown
from segql.learners.base import (
    Learned,
    Training,
    agreement_in_sql,
    as_number,
    measure,
    with_trust,
)
from segql.microclusters import Named, micro_clusters, name_segments, nearest_center
from segql.named_points import NamedPoints
from segql.selection import Trial, decide, find_elbow, parse_k
from segql.space import Space

#: A table of no more rows is its own tree.
EXACT_ROWS = 5_000
#: Micro-clusters beyond: of a table that was seen whole, and of one that may be of any size.
LEAVES_EXACT, LEAVES = 512, 128
#: Micro-clusters that name the segments of all rows are fewer than the leaves when a quarter of
#: them give this share of the weight the tree's own segment.
ENOUGH = 0.99
#: Leaves, or rows, of a bootstrap.
BOOTSTRAP_LEAVES = 500


def check(options: dict[str, Any]) -> None:
    """Refuse an unknown linkage and a cut that is none."""
    if options["linkage"] not in LINKAGES:
        raise SegqlError(unknown("linkage", options["linkage"], LINKAGES))
    _cut(options["k"])


def _cut(k: Any) -> float | tuple[int, int]:
    """Read k: the height to cut at, or the range of k."""
    if isinstance(k, Mapping):
        height: Any = k.get("height") if list(k) == ["height"] else None
        if not 0 <= as_number(height) < 1e300:
            raise SegqlError(
                f'k got {dict(k)!r}; accepted: {{"height": h}} with a number of at least 0, a '
                'whole number, (min, max), or "auto"'
            )
        return float(height)
    return parse_k(k)


def learn(training: Training) -> Learned:
    """Merge the leaves, cut the tree, and find points that name the segments in SQL."""
    points, weights = training.points.x, training.points.w
    request, is_exact = training.request, training.coreset.exact
    own_tree = is_exact and len(points) <= EXACT_ROWS
    most = LEAVES_EXACT if is_exact else LEAVES
    training.report("clustering")
    if own_tree:
        leaves, mass, leaf = points, weights, np.arange(len(points))
    else:
        found = micro_clusters(points, weights, most, request.seed)
        leaves, mass, leaf = found.points, found.weights, found.labels
    kind = "rows" if own_tree else "micro-clusters"
    tree = fit_tree(leaves, mass, request.linkage)
    k, trials, reason = _choose(training, tree, leaves, mass, leaf, kind, most)
    named = _named(points, weights, tree.cut(k), leaves, leaf, most, is_exact=own_tree)
    training.report("measuring")

    def scorer(own: Space) -> NamedPoints:
        return NamedPoints(own, np.zeros((k, own.size)), named.points, named.labels + 1)

    measured = measure(training, scorer(training.space))
    assignment = NamedPoints(
        training.space, measured.centroids, named.points, measured.numbers[named.labels + 1]
    )
    diagnostics = agreement_in_sql(training, points, tree.cut(k)[leaf], scorer, weights) | {
        "cophenetic_correlation": (
            cophenetic_correlation(tree, leaves, mass),
            "Correlation of the heights at which two leaves meet with their distance.",
        ),
        "cut_height": (tree.height_of(k), "Height of the last merge below the cut."),
        "leaves": (float(tree.leaves), f"Leaves of the tree: {kind}."),
        "micro_clusters": (
            float(len(named.points)),
            "Micro-clusters in SQL: a customer takes the segment of the nearest.",
        ),
    }

    def refit(drawn: Matrix, counts: Matrix) -> Labels:
        return fit_tree(drawn, counts, request.linkage).cut(min(k, len(drawn)))

    learned = Learned(
        assignment=assignment,
        figures=measured.figures,
        trials=trials,
        reason=reason,
        info={"elbow": find_elbow([t.k for t in trials], [t.inertia for t in trials])},
        diagnostics={name: item for name, item in diagnostics.items() if np.isfinite(item[0])},
        tree=replace(tree, segments=measured.numbers[tree.cut(k) + 1]),
    )
    return with_trust(training, learned, refit, BOOTSTRAP_LEAVES)


def _named(
    points: Matrix,
    weights: Matrix,
    cut: Labels,
    leaves: Matrix,
    leaf: Labels,
    most: int,
    *,
    is_exact: bool,
) -> Named:
    """Micro-clusters by which SQL tells the segments apart: few, or all leaves."""
    if is_exact:
        return name_segments(points, weights, cut[leaf], most)
    few = max(most // 4, int(cut.max()) + 1)
    named = name_segments(points, weights, cut[leaf], few, ENOUGH)
    told = named.labels[nearest_center(named.points, points)[1]]
    both, all_told, all_cut = (
        np.bincount(label, weights=weights * mask, minlength=int(cut.max()) + 1)
        for label, mask in (
            (told, told == cut[leaf]),
            (told, np.ones(len(told))),
            (cut[leaf], np.ones(len(told))),
        )
    )
    # Every segment, the small ones too.
    if (both >= ENOUGH * (all_told + all_cut - both)).all():
        return named
    # Whoever is nearest to a leaf belongs to it.
    return Named(leaves, cut)


def _choose(
    training: Training,
    tree: Tree,
    leaves: Matrix,
    mass: Matrix,
    leaf: Labels,
    kind: str,
    most: int,
) -> tuple[int, list[Trial], str]:
    """Cut by height, by k, or by the rule that chooses k."""
    wanted = _cut(training.request.k)
    points = Points(training.points.x, training.points.w)
    if isinstance(wanted, float):
        low = high = int(tree.cut_at(wanted).max()) + 1
        reason = f"cut at height {wanted:g}: {low} segment{'s' if low > 1 else ''}"
        if low > most:
            raise SegqlError(
                f"k: height {wanted:g} leaves {low} segments; accepted: a height that leaves at "
                f"most {most} ({tree.height_of(most):.6g} does)"
            )
    else:
        low, high = wanted
        reason = f"k = {low} was asked for"
    distinct = len(np.unique(leaves, axis=0))
    if low > min(distinct, most):
        limit = f"{distinct} distinct {kind}" if distinct < most else f"{most} micro-clusters"
        raise TooFewRowsError(f"k is {low} but there are only {limit}")
    high = min(high, distinct, most)
    labels = {k: tree.cut(k) for k in range(low, high + 1)}
    stable = _stabilities(leaves, mass, labels, training.request)
    trials = [_trial(points, labels[k][leaf], stable[k]) for k in labels]
    if low < high:
        low, reason = decide(trials)
    return low, trials, reason


def _trial(points: Points, labels: Labels, stability: float) -> Trial:
    """Measure one cut; rows that are equal are in one leaf or merged at height 0."""
    distinct = np.zeros(points.distinct, dtype=np.intp)
    distinct[points.positions] = labels
    measured = quality(points, distinct)
    return Trial(
        k=int(labels.max()) + 1, gap=None, gap_low=None, gap_high=None, gap_error=None,
        stability=stability, **asdict(measured),
    )  # fmt: skip


def _stabilities(
    leaves: Matrix, mass: Matrix, labels: dict[int, Labels], request: Any
) -> dict[int, float]:
    """Weakest cluster of each cut by bootstrap Jaccard (Hennig 2007), one tree a bootstrap."""
    scores, used = {k: np.zeros(k) for k in labels}, dict.fromkeys(labels, 0)
    rng = np.random.default_rng([request.seed, 23])
    share = mass / mass.sum()
    for _ in range(BOOTSTRAPS):
        drawn = rng.choice(len(leaves), min(len(leaves), BOOTSTRAP_LEAVES), p=share)
        kept, counts = np.unique(drawn, return_counts=True)
        again = fit_tree(leaves[kept], counts.astype(np.float64), request.linkage)
        for k, original in labels.items():
            if len(kept) < k:
                continue
            used[k] += 1
            pairs = np.bincount(
                original[kept] * k + again.cut(k), weights=counts, minlength=k * k
            ).reshape(k, k)
            either = pairs.sum(axis=1)[:, None] + pairs.sum(axis=0)[None, :] - pairs
            scores[k] += (pairs / np.maximum(either, 1)).max(axis=1)
    return {k: float(found.min()) / max(used[k], 1) for k, found in scores.items()}
