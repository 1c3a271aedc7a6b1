"""Polishing by itself: sums of all rows are computed here, so that each pass can be followed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from support import Matrix, blobs

from segql.assignment import NearestCentroid
from segql.clusterers import polish as module
from segql.clusterers.kmeans import Problem
from segql.clusterers.polish import Polished, _corrected, polish
from segql.metrics import SegmentSums


def sums_of(rows: Matrix, centroids: Matrix) -> SegmentSums:
    """What a pass over these rows says."""
    squared = cdist(rows, centroids, "sqeuclidean")
    labels = squared.argmin(axis=1)
    means = centroids.copy()
    for label in np.unique(labels):
        means[label] = rows[labels == label].mean(axis=0)
    sizes = np.bincount(labels, minlength=len(centroids)).astype(float)
    squares = np.bincount(labels, weights=squared.min(axis=1), minlength=len(centroids))
    return SegmentSums(sizes, means, squares, 3)


def polished(
    monkeypatch: pytest.MonkeyPatch, rows: Matrix, centroids: Matrix, sample: Problem | None
) -> Polished:
    def counted(
        engine: Any, source: Any, assignment: NearestCentroid, bounds: Any, size: int
    ) -> SegmentSums:
        assert size == len(rows)
        return sums_of(rows, assignment.centroids)

    monkeypatch.setattr(module, "segment_sums", counted)
    space: Any = SimpleNamespace(bounds=None)
    nothing: Any = None
    return polish(nothing, nothing, space, centroids, sample, len(rows))


def overlapping(seed: int, size: int) -> Matrix:
    return blobs(seed, size, 2, 5, 3.0)


def test_without_a_sample_passes_are_lloyds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = overlapping(1, 800)
    start = rows[:4].copy()
    found = polished(monkeypatch, rows, start, None)
    inertias, centroids = [], start
    for _ in range(module.MAXIMUM_PASSES):
        sums = sums_of(rows, centroids)
        inertias.append(sums.inertia)
        if len(inertias) > 1 and inertias[-2] - inertias[-1] < module.GAIN * inertias[-1]:
            break
        centroids = sums.means
    assert [item.inertia for item in found.passes] == pytest.approx(inertias, rel=1e-12)
    assert found.sums.inertia == pytest.approx(min(inertias), rel=1e-12)
    assert found.sums.unscorable == 3


def test_segments_are_numbered_by_size_then_centroid(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.repeat([[9.0, 1], [0, 5], [0, 2], [5, 5]], [20, 10, 10, 40], axis=0)
    centroids = np.array([[0.0, 5], [9, 1], [0, 2], [5, 5]])
    found = polished(monkeypatch, rows, centroids, None)
    assert found.assignment.centroids.tolist() == [[5, 5], [9, 1], [0, 2], [0, 5]]
    assert found.sums.sizes.tolist() == [40, 20, 10, 10]
    assert found.sums.means.tolist() == found.assignment.centroids.tolist()
    # Nothing is left to gain.
    assert len(found.passes) == 1
    assert found.passes[0].inertia == 0
    assert found.passes[0].sizes == (10, 20, 10, 40)
    assert found.passes[0].radii == (0, 0, 0, 0)


def test_a_radius_is_the_root_mean_square_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.array([[-2.0], [2.0], [-1.0], [1.0], [50.0]])
    found = polished(monkeypatch, rows, np.array([[0.0], [50.0], [1e6]]), None)
    assert found.passes[0].radii == pytest.approx((np.sqrt(10 / 4), 0.0, 0.0))


@pytest.mark.parametrize("seed", range(4))
def test_a_sample_saves_passes_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rows = overlapping(seed, 20_000)
    rng = np.random.default_rng(seed)
    drawn = rows[rng.choice(len(rows), 2_000, replace=False)]
    sample = Problem(drawn, np.full(2_000, 10.0))
    start, _ = sample.lloyd(drawn[:5], 1e-6)
    with_sample = polished(monkeypatch, rows, start, sample)
    without = polished(monkeypatch, rows, start, None)
    assert with_sample.sums.inertia <= without.sums.inertia * (1 + 1e-4)
    assert len(with_sample.passes) <= 0.65 * len(without.passes)
    again = KMeans(5, init=start, n_init=1, max_iter=500, tol=0).fit(rows)
    assert with_sample.sums.inertia <= again.inertia_ * (1 + 5e-5)


def test_a_pass_that_loses_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of other rows leads astray: what was best is kept, whatever came after."""
    rows = overlapping(7, 3_000)
    astray = overlapping(99, 1_000)
    sample = Problem(astray, np.full(1_000, 3.0))
    start, _ = Problem(rows, np.ones(3_000)).lloyd(rows[:5], 1e-2)
    found = polished(monkeypatch, rows, start, sample)
    told = [item.inertia for item in found.passes]
    assert found.sums.inertia == min(told)
    assert found.sums.inertia <= told[0]
    assert len(told) <= module.MAXIMUM_PASSES
    assert sums_of(rows, found.assignment.centroids).inertia == pytest.approx(min(told), rel=1e-12)


def test_a_sample_that_is_all_rows_takes_lloyds_steps() -> None:
    rows = overlapping(3, 600)
    problem = Problem(rows, np.ones(600))
    start = rows[:4].copy()
    sums = sums_of(rows, start)
    one = _corrected(problem, start, sums, 1)
    assert one[1] == 1
    np.testing.assert_allclose(one[0], sums.means)
    moved = start
    for _ in range(3):
        moved = sums_of(rows, moved).means
    three = _corrected(problem, start, sums, 3)
    assert three[1] == 3
    np.testing.assert_allclose(three[0], moved, atol=1e-9)
    gained = sums.inertia - sums_of(rows, moved).inertia
    assert three[2] == pytest.approx(gained, rel=1e-9)
    many = _corrected(problem, start, sums, 200)
    assert many[1] < 200
    fixed = sums_of(rows, many[0])
    shift = float(((fixed.means - many[0]) ** 2).sum(axis=1) @ fixed.sizes)
    assert shift <= 10 * module.NEGLIGIBLE * sums.inertia


def test_a_sample_is_corrected_by_the_sums_of_all_rows() -> None:
    """Near the fixed point the corrected steps end nearer to it than the sample's own."""
    rows = overlapping(5, 20_000)
    rng = np.random.default_rng(0)
    sample = Problem(rows[rng.choice(20_000, 4_000, replace=False)], np.full(4_000, 5.0))
    start, _ = Problem(rows, np.ones(20_000)).lloyd(rows[:4], 1e-3)
    fixed, lowest = Problem(rows, np.ones(20_000)).lloyd(start, 0.0)
    sums = sums_of(rows, start)
    corrected, _, foretold = _corrected(sample, start, sums, 200)
    own, _ = sample.lloyd(start, 0.0)
    gap = ((corrected - fixed) ** 2).sum()
    assert gap < 0.05 * ((own - fixed) ** 2).sum()
    gained = sums.inertia - sums_of(rows, corrected).inertia
    assert foretold == pytest.approx(gained, rel=0.15)
    assert gained > 0.9 * (sums.inertia - lowest)


@pytest.mark.parametrize(("doubtful", "is_trusted"), [(2.0, False), (1.4, True)])
def test_a_segment_that_loses_half_of_its_sample_is_not_trusted(
    doubtful: float, is_trusted: bool
) -> None:
    """The point between changes sides at the first step: 1 of 3, or 1.6 of 3 customers stay."""
    rows = np.array([[0.0], [1.0], [9.0], [10.0], [11.0]])
    centroids = np.array([[0.0], [10.0]])
    sums = sums_of(rows, centroids)
    sample = Problem(np.array([[0.0], [5.1], [10.0]]), np.array([1.0, doubtful, 1.0]))
    moved, taken, foretold = _corrected(sample, centroids, sums, 10)
    assert (taken > 1) == is_trusted
    assert np.isfinite(foretold) == is_trusted
    assert np.array_equal(moved, sums.means) != is_trusted


@pytest.mark.filterwarnings("error")
def test_a_segment_without_customers_is_left_where_it_is() -> None:
    """Its size is 0 in the sample too, and nothing is divided by it."""
    rows = np.array([[0.0], [1.0], [9.0], [11.0]])
    sums = sums_of(rows, np.array([[0.0], [10.0], [1e3]]))
    sample = Problem(rows, np.ones(4))
    moved, taken, foretold = _corrected(sample, np.array([[0.0], [10.0], [1e3]]), sums, 10)
    assert moved.ravel().tolist() == [0.5, 10.0, 1e3]
    assert (taken, foretold) == (1, np.inf)
