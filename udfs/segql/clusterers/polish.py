"""Lloyd passes over all rows: each one aggregate query, a few are enough after a coreset."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from sqlglot import exp

from segql.assignment import NearestCentroid
from segql.engines.duckdb import DuckDBEngine
from segql.metrics import SegmentSums, segment_sums
from segql.space import Matrix, Space

#: Stop when a pass gains less than this share of the inertia …
GAIN = 1e-5
#: … or after this many.
MAXIMUM_PASSES = 30


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
    engine: DuckDBEngine,
    source: exp.Expr,
    space: Space,
    centroids: Matrix,
) -> Polished:
    """Move the coreset's centroids to a fixed point of the whole table."""
    passes: list[Pass] = []
    previous = np.inf
    while True:
        started = time.perf_counter()
        assignment = NearestCentroid(space, centroids)
        sums = segment_sums(engine, source, assignment, space.bounds)
        passes.append(_summary(sums, time.perf_counter() - started))
        gained = previous - sums.inertia
        if gained < GAIN * sums.inertia or sums.inertia == 0 or len(passes) == MAXIMUM_PASSES:
            break
        previous, centroids = sums.inertia, sums.means
    order = np.lexsort([*centroids.T[::-1], -sums.sizes])
    return Polished(
        NearestCentroid(space, centroids[order]),
        SegmentSums(sums.sizes[order], sums.means[order], sums.squares[order], sums.unscorable),
        tuple(passes),
    )


def _summary(sums: SegmentSums, seconds: float) -> Pass:
    radii = np.sqrt(sums.squares / np.maximum(sums.sizes, 1.0))
    return Pass(
        sums.inertia,
        seconds,
        tuple(int(size) for size in sums.sizes),
        tuple(float(radius) for radius in radii),
    )
