"""The parts of the k-means kernel: what each promises, against arithmetic on all pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from support import Matrix, blobs

from segql.clusterers import kmeans
from segql.clusterers.kmeans import (
    Iteration,
    Points,
    Problem,
    canonical_order,
    fit_kmeans,
    plus_plus,
    refine_kmeans,
)
from segql.clusterers.kmeans_starts import _far_apart, fit_starts
from segql.errors import SegqlError

Labels = NDArray[np.intp]


def weighted(seed: int, size: int = 120, width: int = 3) -> tuple[Matrix, Matrix]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (size, width)), rng.uniform(0.2, 3, size)


@pytest.fixture(params=[5, 40], ids=["few", "many"])
def laid_out(request: pytest.FixtureRequest) -> tuple[Problem, Matrix]:
    """Weighted points and some centroids: few, whose sums are a matrix product, and many."""
    points, weights = weighted(request.param)
    rng = np.random.default_rng(1)
    return Problem(points, weights), rng.normal(0, 2, (request.param, 3))


def as_labels(found: Labels | NDArray[np.bool_]) -> Labels:
    if found.ndim == 1:
        return np.asarray(found, dtype=np.intp)
    assert (found.sum(axis=0) == 1).all()
    return np.asarray(found.argmax(axis=0))


def test_every_way_to_assign_finds_the_nearest(laid_out: tuple[Problem, Matrix]) -> None:
    problem, centroids = laid_out
    squared = cdist(problem.x, centroids, "sqeuclidean")
    ordered = np.sort(squared, axis=1)
    members, best = problem.assign(centroids)
    labels, scores = problem.nearest(centroids)
    again, loss = problem.two_nearest(centroids)
    assert (members.ndim == 2) == (len(centroids) <= kmeans.FEW)
    for found in (as_labels(members), labels, again):
        np.testing.assert_array_equal(found, squared.argmin(axis=1))
    norms = (problem.x**2).sum(axis=1)
    np.testing.assert_allclose(best + norms, ordered[:, 0], atol=1e-9)
    np.testing.assert_allclose(scores + norms, ordered[:, 0], atol=1e-9)
    np.testing.assert_allclose(loss, ordered[:, 1] - ordered[:, 0], atol=1e-9)
    inertia = float(problem.w @ ordered[:, 0])
    assert problem.inertia(scores) == pytest.approx(inertia, rel=1e-12)


def test_means_are_weighted(laid_out: tuple[Problem, Matrix]) -> None:
    problem, centroids = laid_out
    k = len(centroids)
    labels = problem.nearest(centroids)[0]
    for given in (labels, problem.assign(centroids)[0]):
        means, mass = problem.means(given, k)
        for index in range(k):
            mine = labels == index
            assert mass[index] == pytest.approx(problem.w[mine].sum(), abs=1e-12)
            if mine.any():
                expected = np.average(problem.x[mine], axis=0, weights=problem.w[mine])
                np.testing.assert_allclose(means[index], expected, atol=1e-12)


@pytest.mark.parametrize("copies", [2, 30])
def test_a_tie_goes_to_the_first_centroid(copies: int) -> None:
    problem = Problem(np.array([[0.0], [4.0]]), np.ones(2))
    centroids = np.repeat([[1.0], [3.0]], copies, axis=0)
    for labels in (problem.assign(centroids)[0], problem.nearest(centroids)[0]):
        assert as_labels(labels).tolist() == [0, copies]
    assert problem.two_nearest(centroids)[1].tolist() == [0, 0]


def test_the_inertia_is_never_negative() -> None:
    problem = Problem(np.array([[1e8, 1.0], [1e8, 1.0]]), np.ones(2))
    assert problem.inertia(problem.nearest(problem.x[:1] * (1 + 1e-16))[1]) >= 0.0


def test_lloyd_ends_at_a_fixed_point_and_tells_how() -> None:
    problem = Problem(*weighted(3, 300))
    history: list[Iteration] = []
    centroids, inertia = problem.lloyd(problem.x[:6], 0.0, history)
    means, _ = problem.means(problem.nearest(centroids)[0], 6)
    np.testing.assert_allclose(centroids, means, atol=1e-12)
    assert history[-1].inertia == inertia
    assert len(history) < 100
    told = [item.inertia for item in history]
    assert told == sorted(told, reverse=True)
    loose, higher = problem.lloyd(problem.x[:6], 0.05)
    assert inertia < higher
    assert higher in told
    # The first step that gained less than a twentieth, and no later one.
    place = told.index(higher)
    gains = [before - after for before, after in itertools.pairwise(told)]
    assert gains[place - 1] <= 0.05 * told[place]
    assert all(gain > 0.05 * now for gain, now in zip(gains[: place - 1], told[1:], strict=False))
    assert not np.array_equal(loose, centroids)


def test_an_empty_cluster_moves_to_the_point_that_is_served_worst() -> None:
    points = np.array([[0.0], [1.0], [2.0], [50.0]])
    centroids, inertia = Problem(points, np.ones(4)).lloyd(np.array([[1.0], [1e6]]), 0.0)
    assert centroids.ravel().tolist() == [1.0, 50.0]
    assert inertia == pytest.approx(2.0)
    # By weight · squared distance: 10 · 2² is less than 1 · 7², 20 · 2² is more.
    for weight, expected in ((10.0, 7.0), (20.0, -2.0)):
        problem = Problem(np.array([[-2.0], [0.0], [7.0]]), np.array([weight, 100.0, 1.0]))
        moved, _ = problem.lloyd(np.array([[0.0], [1e6]]), 0.0)
        assert moved[1, 0] == pytest.approx(expected)


def test_a_sample_is_drawn_by_weight() -> None:
    problem = Problem(np.arange(4.0)[:, None], np.array([1.0, 2.0, 3.0, 94.0]))
    drawn = problem.sample(50_000, np.random.default_rng(0))
    assert drawn.w.sum() == 50_000
    np.testing.assert_allclose(drawn.w / 50_000, problem.w / 100, atol=0.004)
    few = problem.sample(3, np.random.default_rng(0))
    assert few.n < 4
    assert (few.w >= 1).all()


def test_equal_points_are_one_whatever_their_order() -> None:
    rows = np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0], [1.0, 1.0]])
    prepared = Points(rows, np.array([1.0, 2.0, 4.0, 8.0]))
    assert prepared.distinct == 3
    assert prepared.weights.tolist() == [2, 8, 5]
    center = np.average(rows, axis=0, weights=[1, 2, 4, 8])
    np.testing.assert_allclose(prepared.center, center)
    np.testing.assert_allclose(prepared.values + center, [[0, 5], [1, 1], [1, 2]])
    assert prepared.spread(np.array([7, 8, 9])).tolist() == [9, 7, 9, 8]
    # Equal in the first coordinate only: two points.
    assert Points(np.array([[1.0, 2.0], [1.0, 3.0]])).distinct == 2


def test_rows_are_sorted_by_coordinates_then_weights() -> None:
    rows = np.array([[2.0, 0.0], [1.0, 9.0], [1.0, 3.0], [1.0, 3.0]])
    assert canonical_order(rows).tolist() == [2, 3, 1, 0]
    assert canonical_order(rows, np.array([1.0, 1.0, 5.0, 4.0])).tolist() == [3, 2, 1, 0]
    assert canonical_order(rows[:2]).tolist() == [1, 0]


def test_seeds_are_far_apart_points() -> None:
    """Five tight groups far apart: greedy k-means++ takes one of each, almost surely."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(5), 40)
    points = np.arange(5)[group, None] * 100.0 + rng.normal(0, 0.1, (200, 2))
    problem = Problem(points, np.ones(200))
    for seed in range(20):
        seeds = plus_plus(problem, 5, np.random.default_rng(seed))
        assert cdist(seeds, points).min(axis=1).max() == 0
        assert sorted((seeds[:, 0] / 100).round().tolist()) == [0, 1, 2, 3, 4]


def test_seeds_are_drawn_by_weight() -> None:
    problem = Problem(np.array([[0.0], [1.0], [1000.0]]), np.array([1.0, 97.0, 2.0]))
    first = [plus_plus(problem, 1, np.random.default_rng(seed))[0, 0] for seed in range(400)]
    assert first.count(1.0) / 400 == pytest.approx(0.97, abs=0.03)


def test_seeds_of_repeated_points_are_all_there_is() -> None:
    problem = Problem(np.zeros((6, 2)), np.ones(6))
    assert plus_plus(problem, 3, np.random.default_rng(0)).tolist() == [[0.0, 0.0]] * 3


def test_utility_is_what_is_lost_without_a_centroid() -> None:
    """Of two centroids in one group one goes, and the lone far one stays."""
    points = np.concatenate([np.linspace(0, 1, 50), np.linspace(10, 11, 50), [500.0]])[:, None]
    problem = Problem(points, np.ones(101))
    centroids = np.array([[0.25], [0.75], [10.5], [500.0]])
    left = kmeans._exhale(problem, centroids, 1)
    assert left[1:].ravel().tolist() == [10.5, 500.0]
    assert kmeans._exhale(problem, centroids, 2).shape == (2, 1)
    # A weight makes a point worth its centroid.
    heavy = Problem(np.array([[0.0], [1.0], [5.0]]), np.array([1000.0, 1000.0, 1.0]))
    assert kmeans._exhale(heavy, heavy.x, 1).ravel().tolist() == [0.0, 1.0]


def test_neighbours_do_not_go_at_once() -> None:
    """Next to the first that goes, the second least is kept, and the third goes in its place."""
    centroids = np.array([[0.0], [0.2], [10.0], [20.0], [30.0]])
    problem = Problem(centroids, np.array([1.0, 2.0, 1.0, 5.0, 5.0]))
    assert kmeans._exhale(problem, centroids, 2).ravel().tolist() == [0.2, 20.0, 30.0]


def test_breathing_adds_centroids_beside_the_largest_errors() -> None:
    points = np.concatenate([np.linspace(-20, 20, 40), np.linspace(99, 101, 40)])[:, None]
    problem = Problem(points, np.ones(80))
    grown = kmeans._inhale(problem, np.array([[100.0], [0.0]]), 1, np.random.default_rng(0))
    assert grown[:2].ravel().tolist() == [100.0, 0.0]
    # A tenth of the root mean square distance of its members.
    away = 0.1 * np.sqrt((points[:40] ** 2).mean())
    assert abs(grown[2, 0]) == pytest.approx(away, rel=1e-9)


def test_breathing_leaves_a_local_optimum() -> None:
    """Two centroids in one group and one for two groups is where Lloyd stays, and no worse."""
    rng = np.random.default_rng(0)
    centers = np.array([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0]])
    points = np.repeat(centers, 60, axis=0) + rng.normal(0, 0.5, (180, 2))
    problem = Problem(points, np.ones(180))
    stuck, high = problem.lloyd(np.array([[-0.3, 0], [0.3, 0], [15.0, 15.0]]), 0.0)
    best, low = kmeans._breathe(problem, stuck, kmeans.BREATH, rng)
    assert low < 0.01 * high
    assert low == pytest.approx(problem.inertia(problem.nearest(best)[1]), rel=1e-9)


@pytest.mark.parametrize("quick", [False, True])
def test_many_points_are_searched_on_a_sample_and_no_worse(quick: bool) -> None:
    points = blobs(2, 10_500, 2, 8, 0.6)
    fit = fit_kmeans(Points(points), 8, 1, quick=quick)
    theirs = KMeans(8, n_init=3, random_state=0).fit(points)
    assert fit.inertia <= theirs.inertia_ * 1.0005


@pytest.mark.parametrize(("quick", "expected"), [(False, [2]), (True, [])])
def test_what_was_found_on_a_sample_is_breathed_on_once(
    monkeypatch: pytest.MonkeyPatch, quick: bool, expected: list[int]
) -> None:
    breathed: list[int] = []
    breathe = kmeans._breathe

    def spy(problem: Problem, centroids: Matrix, breath: int, rng: np.random.Generator) -> object:
        if breath != kmeans.BREATH:
            breathed.append(breath)
        return breathe(problem, centroids, breath, rng)

    monkeypatch.setattr(kmeans, "_breathe", spy)
    fit_kmeans(Points(blobs(2, 10_500, 1, 3, 0.6)), 3, 1, quick=quick)
    assert breathed == expected


def test_a_bootstrap_needs_no_search() -> None:
    points = blobs(4, 500, 2, 4, 0.2)
    theirs = KMeans(4, n_init=10, random_state=0).fit(points)
    found = refine_kmeans(Points(points + 50.0), 4, 3, 5) - 50.0
    inertia = float(cdist(points, found, "sqeuclidean").min(axis=1).sum())
    assert inertia <= theirs.inertia_ * 1.01


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(k: int) -> None:
    with pytest.raises(SegqlError, match=f"k got {k}; accepted: a whole number of at least 1"):
        fit_kmeans(Points(np.ones((3, 1))), k, 0)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 12])
def test_plain_clusters_are_found_at_once(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def searched(*_: object, **__: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr("segql.clusterers.kmeans_starts.fit_kmeans", searched)
    rng = np.random.default_rng(k)
    group = np.repeat(np.arange(k), 30)
    points = np.column_stack([group * 10.0, group % 3 * 10.0]) + rng.normal(0, 0.3, (30 * k, 2))
    fit = fit_starts(Points(points), k, 0)
    means = np.array([points[group == label].mean(axis=0) for label in range(k)])
    assert cdist(means, fit.centroids).min(axis=1).max() < 1e-9
    assert fit.inertia == pytest.approx(((points - means[group]) ** 2).sum(), rel=1e-9)
    gaps = cdist(points, fit.centroids)
    np.testing.assert_array_equal(fit.labels, gaps.argmin(axis=1))


def test_as_many_clusters_as_points_are_the_points() -> None:
    points = np.random.default_rng(0).normal(0, 1, (6, 2))
    fit = fit_starts(Points(points), 6, 0)
    assert fit.inertia == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(fit.centroids[fit.labels], points, atol=1e-12)


def test_clusters_that_touch_are_searched() -> None:
    points = np.random.default_rng(3).random((400, 2))
    ours = fit_starts(Points(points), 5, 42)
    assert ours.inertia == fit_kmeans(Points(points), 5, 42, quick=True).inertia


def test_far_apart_is_four_times_for_all_but_two_per_cent() -> None:
    weights = np.array([49.0, 49.0, 2.0])
    labels = np.array([0, 1, 0])

    def apart(nearest: float, next_one: float) -> bool:
        squared = np.array([[1.0, 9.0, nearest], [9.0, 1.0, next_one]])
        return _far_apart(weights, squared, labels)

    assert apart(1.0, 1.5)
    weights[2] = 3.0
    assert apart(1.0, 4.0)
    assert not apart(1.0, 3.9)
