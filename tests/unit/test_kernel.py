"""The k-means kernel: never worse than scikit-learn's best of ten, canonical, weights exact."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)
from support import Matrix, blobs

from segql.clusterers.kmeans import KMeansFit, Points, fit_kmeans, nearest
from segql.diagnostics import quality
from segql.errors import SegqlError


def inertia_of(points: Matrix, fit: KMeansFit, weights: Matrix | None = None) -> float:
    """Recompute the inertia from the centroids alone."""
    gaps = ((points[:, None, :] - fit.centroids[None]) ** 2).sum(axis=2).min(axis=1)
    return float(gaps.sum() if weights is None else weights @ gaps)


def small_sets() -> dict[str, tuple[Matrix, int]]:
    rng = np.random.default_rng(0)
    return {
        "uniform-300": (rng.random((300, 2)), 7),
        "uniform-40": (rng.random((40, 3)), 6),
        "heavy-tail": (np.exp(rng.normal(0, 1.5, (400, 3))), 8),
        "ties": (rng.integers(0, 4, (500, 3)).astype(float), 9),
        "line": (np.sort(rng.exponential(1, 250))[:, None], 10),
        "unequal": (np.vstack([rng.normal(0, 1, (900, 2)), rng.normal(9, 0.1, (30, 2))]), 4),
    }


@pytest.mark.parametrize("name", list(small_sets()))
def test_not_worse_than_best_of_ten_on_small_sets(name: str) -> None:
    points, k = small_sets()[name]
    ours = fit_kmeans(Points(points), k, 42)
    theirs = KMeans(k, n_init=10, random_state=0).fit(points).inertia_
    assert ours.inertia == pytest.approx(inertia_of(points, ours), rel=1e-9)
    assert ours.inertia <= theirs * 1.0005


@pytest.mark.parametrize(
    ("clusters", "width", "size"), [(15, 2, 3000), (30, 2, 3000), (50, 2, 5000), (100, 2, 5000),
                                    (40, 5, 4000)],
)  # fmt: skip
def test_at_or_below_the_true_centres_and_the_best_of_ten(
    clusters: int, width: int, size: int
) -> None:
    rng = np.random.default_rng(clusters)
    centers = rng.uniform(-10, 10, (clusters, width))
    labels = rng.integers(0, clusters, size)
    points = centers[labels] + rng.normal(0, 0.35, (size, width))
    truth = float(((points[:, None] - centers[None]) ** 2).sum(axis=2).min(axis=1).sum())
    ours = fit_kmeans(Points(points), clusters, 42)
    theirs = KMeans(clusters, n_init=10, random_state=0).fit(points).inertia_
    assert ours.inertia == pytest.approx(inertia_of(points, ours), rel=1e-9)
    assert ours.inertia <= truth
    assert ours.inertia <= theirs * 1.0005


def test_order_of_the_points_does_not_matter() -> None:
    points = blobs(3, 2000, 4, 9)
    first = fit_kmeans(Points(points), 9, 7)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(points))
        again = fit_kmeans(Points(points[order]), 9, 7)
        np.testing.assert_array_equal(again.centroids, first.centroids)
        np.testing.assert_array_equal(again.labels, first.labels[order])
        assert again.inertia == first.inertia


def test_the_fit_is_a_fixed_point_and_labels_are_the_nearest() -> None:
    points = blobs(4, 1500, 3, 6)
    fit = fit_kmeans(Points(points), 6, 1)
    np.testing.assert_array_equal(nearest(points, fit.centroids), fit.labels)
    means = np.array([points[fit.labels == label].mean(axis=0) for label in range(6)])
    np.testing.assert_allclose(fit.centroids, means, rtol=0, atol=1e-9)
    assert np.all(np.diff([i.inertia for i in fit.iterations])
                  <= 1e-9)  # fmt: skip


def test_weights_are_repeated_points() -> None:
    rng = np.random.default_rng(5)
    points = np.unique(blobs(5, 400, 2, 5), axis=0)
    times = rng.integers(1, 6, len(points))
    repeated = np.repeat(points, times, axis=0)
    weighted = fit_kmeans(Points(points, times.astype(float)), 5, 42)
    plain = fit_kmeans(Points(repeated[rng.permutation(len(repeated))]), 5, 42)
    np.testing.assert_allclose(weighted.centroids, plain.centroids, rtol=1e-12)
    assert weighted.inertia == pytest.approx(plain.inertia, rel=1e-9)
    assert weighted.inertia == pytest.approx(
        inertia_of(points, weighted, times.astype(float)), rel=1e-9
    )
    theirs = KMeans(5, n_init=10, random_state=0).fit(points, sample_weight=times)
    assert weighted.inertia <= theirs.inertia_ * 1.0005


def test_duplicates_are_one_point() -> None:
    points = np.repeat([[0.0, 0.0], [1.0, 1.0], [5.0, 5.0]], [50, 30, 20], axis=0)
    fit = fit_kmeans(Points(points), 3, 0)
    assert fit.inertia == pytest.approx(0, abs=1e-12)
    assert len({tuple(row) for row in fit.centroids.round(9)}) == 3
    assert [len(set(fit.labels[points[:, 0] == v])) for v in (0, 1, 5)] == [1, 1, 1]
    with pytest.raises(SegqlError, match="k is 4 but there are only 3 distinct"):
        fit_kmeans(Points(points), 4, 0)


@pytest.mark.parametrize("k", [1, 2, 5, 20])
def test_k_up_to_the_number_of_points(k: int) -> None:
    points = np.random.default_rng(6).normal(0, 1, (20, 3))
    fit = fit_kmeans(Points(points), k, 0)
    assert fit.centroids.shape == (k, 3)
    assert len(np.unique(fit.labels)) == k
    if k == 1:
        np.testing.assert_allclose(fit.centroids[0], points.mean(axis=0), atol=1e-12)
    if k == 20:
        assert fit.inertia == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("points", [[[np.nan]], [[np.inf]], [], [[]], [1.0, 2.0]], ids=repr)
def test_unusable_points_are_refused(points: list[object]) -> None:
    with pytest.raises(SegqlError, match="points must be"):
        Points(np.array(points, dtype=float))


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, -1.0], [1.0, np.nan]], ids=repr)
def test_unusable_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(SegqlError, match="weights must be"):
        Points(np.array([[1.0], [2.0]]), np.array(weights))


def test_far_offsets_keep_their_digits() -> None:
    near = np.round(blobs(9, 800, 2, 4) * 2**20) / 2**20
    far = fit_kmeans(Points(near + 2.0**30), 4, 42)
    plain = fit_kmeans(Points(near), 4, 42)
    np.testing.assert_array_equal(far.labels, plain.labels)
    assert far.inertia == pytest.approx(plain.inertia, rel=1e-9)


@pytest.mark.parametrize("k", [2, 4, 9])
def test_quality_equals_scikit_learn(k: int) -> None:
    points = blobs(k, 900, 3, 4, 2.0)
    prepared = Points(points)
    fit = fit_kmeans(prepared, k, 42)
    measured = quality(prepared, nearest(prepared.values, fit.centroids - prepared.center))
    labels = fit.labels
    assert measured.silhouette == pytest.approx(
        silhouette_score(points, labels, metric="sqeuclidean"), abs=1e-9
    )
    assert measured.davies_bouldin == pytest.approx(davies_bouldin_score(points, labels), rel=1e-9)
    assert measured.calinski_harabasz == pytest.approx(
        calinski_harabasz_score(points, labels), rel=1e-9
    )
    assert measured.smallest_share == np.bincount(labels).min() / len(points)


def test_quality_of_weights_equals_repeated_points() -> None:
    rng = np.random.default_rng(10)
    points = np.unique(np.round(blobs(10, 300, 2, 4), 1), axis=0)
    times = rng.integers(1, 5, len(points)).astype(float)
    weighted = Points(points, times)
    fit = fit_kmeans(weighted, 4, 42)
    ours = quality(weighted, nearest(weighted.values, fit.centroids - weighted.center))
    repeated = np.repeat(points, times.astype(int), axis=0)
    labels = np.repeat(fit.labels, times.astype(int))
    assert ours.silhouette == pytest.approx(
        silhouette_score(repeated, labels, metric="sqeuclidean"), abs=1e-9
    )
    assert ours.davies_bouldin == pytest.approx(davies_bouldin_score(repeated, labels), rel=1e-9)
    assert ours.calinski_harabasz == pytest.approx(
        calinski_harabasz_score(repeated, labels), rel=1e-9
    )
    assert ours.silhouette_low <= ours.silhouette <= ours.silhouette_high
