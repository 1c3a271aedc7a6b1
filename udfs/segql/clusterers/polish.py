"""Lloyd passes over all rows: each one aggregate query, a few are enough after a coreset."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from sqlglot import exp

from segql.assignment import NearestCentroid
from segql.clusterers.kmeans import Problem
from segql.engines.base import Engine
from segql.metrics import SegmentSums, segment_sums
from segql.space import Matrix, Space
from segql.threads import one_thread

#: Stop when a pass gains less than this share of the inertia …
GAIN = 1e-5
#: … or after this many.
MAXIMUM_PASSES = 30
#: Steps on the corrected coreset between two passes, and the share of the inertia that ends them:
#: in the flat directions that are left then, the coreset's noise is larger than the gain.
CORRECTED_STEPS, NEGLIGIBLE = 200, 1e-7
#: After a pass that did not gain, so many times fewer steps are taken.
RETREAT = 8


@dataclass(frozen=True)
class Pass:
    """One pass over all rows."""

    inertia: float
    seconds: float
    sizes: tuple[int, ...]
    radii: tuple[float, ...]


@dataclass(frozen=True)
class Polished:
    """Centroids, numbered by size, then centroid; the sums of the last pass are theirs."""

    assignment: NearestCentroid
    sums: SegmentSums
    passes: tuple[Pass, ...]


def polish(
    engine: Engine,
    source: exp.Expr,
    space: Space,
    centroids: Matrix,
    sample: Problem | None,
    rows: int,
) -> Polished:
    """Move the coreset's centroids to a fixed point of the whole table.

    Parameters
    ----------
    engine : Engine
    source : sqlglot expression
        FROM item with the alias ``source``.
    space : Space
    centroids : ndarray of shape (k, d)
        Where the coreset left them.
    sample : Problem or None
        The coreset; None when it is the whole table.
    rows : int
        Rows of the source.

    Notes
    -----
    Lloyd's algorithm converges slowly where segments overlap, and each of its steps is a pass.
    Between two passes the coreset takes the small steps: the exact sums of the last pass, plus
    what the coreset says has *changed* since. It only estimates the difference, which shrinks
    with the distance moved (the control variate of Johnson & Zhang 2013, SVRG), so that two or
    three passes reach what plain steps need twenty for. A pass that did not gain is undone, and
    fewer steps are taken from there; one step is a plain one. The coreset also foretells what
    the next pass would gain: below the limit it is not made.
    """
    passes: list[Pass] = []
    taken = 1
    best: tuple[NearestCentroid, SegmentSums] | None = None
    steps = 1 if sample is None else CORRECTED_STEPS
    while True:
        started = time.perf_counter()
        assignment = NearestCentroid(space, centroids)
        sums = segment_sums(engine, source, assignment, space.bounds, rows)
        passes.append(_summary(sums, time.perf_counter() - started))
        gain = np.inf if best is None else best[1].inertia - sums.inertia
        if best is None or gain > 0:
            best = assignment, sums
        if sums.inertia == 0 or len(passes) == MAXIMUM_PASSES:
            break
        if gain < GAIN * sums.inertia:
            if steps == 1 or gain > -GAIN * sums.inertia:
                break
            steps = max(taken // RETREAT, 1)
        assignment, sums = best
        if sample is None:
            centroids = sums.means
            continue
        centroids, taken, foretold = _corrected(sample, assignment.centroids, sums, steps)
        if foretold < GAIN * sums.inertia:
            break
    assignment, sums = best
    order = np.lexsort([*assignment.centroids.T[::-1], -sums.sizes])
    return Polished(
        NearestCentroid(space, assignment.centroids[order]),
        SegmentSums(sums.sizes[order], sums.means[order], sums.squares[order], sums.unscorable),
        tuple(passes),
    )


def _corrected(
    sample: Problem, centroids: Matrix, sums: SegmentSums, steps: int
) -> tuple[Matrix, int, float]:
    """Steps of Lloyd's map, exact at the given centroids and corrected by the coreset.

    Returns
    -------
    ndarray of shape (k, d), int, float
        Where the steps led, how many there were, and the gain in inertia that is to be expected.
    """
    k = len(centroids)
    with one_thread():
        labels, scores = sample.assign(centroids)
        before = sample.inertia(scores)
        means, mass = sample.means(labels, k)
        size_error = sums.sizes - mass
        sum_error = sums.sizes[:, None] * sums.means - mass[:, None] * means
        moved = sums.means
        taken = 1
        while taken < steps:
            taken += 1
            means, mass = sample.means(sample.assign(moved)[0], k)
            sizes = mass + size_error
            if (sizes < 0.5 * sums.sizes).any() or (sizes <= 0).any():
                # The coreset has too few points there to be trusted.
                return sums.means, 1, np.inf
            target = (mass[:, None] * means + sum_error) / sizes[:, None]
            shift = float(((target - moved) ** 2).sum(axis=1) @ sizes)
            moved = target
            if shift <= NEGLIGIBLE * sums.inertia:
                break
        # The inertia's difference on the coreset, with the exact slope in the place of its own.
        after = sample.inertia(sample.assign(moved)[1])
    step = moved - centroids
    slope = 2.0 * (size_error[:, None] * centroids - sum_error) * step
    curve = size_error @ (step**2).sum(axis=1)
    return moved, taken, before - after - float(slope.sum() + curve)


def _summary(sums: SegmentSums, seconds: float) -> Pass:
    radii = np.sqrt(sums.squares / np.maximum(sums.sizes, 1.0))
    return Pass(
        sums.inertia,
        seconds,
        tuple(int(size) for size in sums.sizes),
        tuple(float(radius) for radius in radii),
    )
