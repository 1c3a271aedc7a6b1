"""How k-means searches: how often, on how many points, how long, and what it draws."""

from __future__ import annotations

import numpy as np
import pytest
from support import Matrix, blobs

from segql.clusterers import kmeans, kmeans_starts
from segql.clusterers.kmeans import Iteration, Points, Problem, fit_kmeans


def drawn_by_weight(weights: list[float]) -> Problem:
    """Points at 0, 1 and 3, of these weights."""
    return Problem(np.array([[0.0], [1.0], [3.0]]), np.array(weights))


@pytest.mark.parametrize(("weights", "share"), [([1.0, 1.0, 1.0], 0.9), ([1.0, 9.0, 1.0], 0.5)])
def test_a_centroid_is_added_by_weight_and_squared_distance(
    weights: list[float], share: float
) -> None:
    """From a centroid at 0 it is 1 to the one and 9 to the other."""
    problem, rng = drawn_by_weight(weights), np.random.default_rng(0)
    added = [kmeans._swap_in(problem, np.zeros((1, 1)), rng)[1, 0] for _ in range(400)]
    assert set(added) == {1.0, 3.0}
    # Four standard errors.
    assert added.count(3.0) / 400 == pytest.approx(share, abs=0.1)


def test_both_first_seeds_are_drawn_by_weight() -> None:
    problem = drawn_by_weight([1.0, 2.0, 7.0])
    seedings = np.array(
        [kmeans_starts._two_seedings(problem, 2, np.random.default_rng(n)) for n in range(400)]
    )
    for first in (seedings[:, 0, 0, 0], seedings[:, 1, 0, 0]):
        shares = [(first == value).mean() for value in (0.0, 1.0, 3.0)]
        assert shares == pytest.approx([0.1, 0.2, 0.7], abs=0.1)


def test_first_seeds_have_random_numbers_of_their_own() -> None:
    """Those of the later seeds do not decide the first ones too."""
    problem = drawn_by_weight([1.0, 2.0, 7.0])
    for seed in range(20):
        seeds = kmeans_starts._two_seedings(problem, 2, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        # A stride of one point has one place to start from.
        assert rng.integers(1) == 0
        numbers = rng.random((2, 2, 2))[0, :, 0]
        expected = np.where(numbers < 0.1, 0.0, np.where(numbers < 0.3, 1.0, 3.0))
        assert seeds[:, 0, 0].tolist() == expected.tolist()


def test_another_start_must_take_one_cluster_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds at 0 and 4 are both nearest to the first cluster, though 4 is nearest to the second."""
    points = np.array([[-0.1], [0.1], [9.9], [10.1]])
    other = [[0.0], [4.0]]

    def seeded(problem: Problem, k: int, rng: np.random.Generator) -> Matrix:
        return np.array([[[0.0], [10.0]], other]) - points.mean()

    monkeypatch.setattr(kmeans_starts, "_two_seedings", seeded)
    assert kmeans_starts._plain(Points(points), 2, np.random.default_rng(0)) is None
    other[1] = [6.0]
    found = kmeans_starts._plain(Points(points), 2, np.random.default_rng(0))
    assert found is not None
    np.testing.assert_allclose(found.centroids.ravel(), [0.0, 10.0], atol=1e-12)


@pytest.mark.parametrize("k", [3, 4, 5])
def test_seeds_of_few_places_are_different_points(k: int) -> None:
    """After two seeds nothing is far from one: the others are any points."""
    problem = Problem(np.repeat([[0.0], [1.0]], [3, 4], axis=0), np.ones(7))
    seeds = kmeans.plus_plus(problem, k, np.random.default_rng(1)).ravel().tolist()
    assert len(seeds) == k
    assert set(seeds) == {0.0, 1.0}


def test_seeds_that_no_distance_tells_apart_are_drawn_once() -> None:
    """Points so near each other that their squared distances are 0."""
    problem = Problem(np.arange(6.0)[:, None] * 1e-200, np.ones(6))
    for seed in range(20):
        seeds = kmeans.plus_plus(problem, 5, np.random.default_rng(seed)).ravel().tolist()
        assert len(set(seeds[1:])) == 4


def test_two_points_are_two_seeds() -> None:
    problem = Problem(np.array([[0.0], [5.0]]), np.array([9.0, 1.0]))
    for seed in range(20):
        seeds = kmeans.plus_plus(problem, 2, np.random.default_rng(seed))
        assert sorted(seeds.ravel().tolist()) == [0.0, 5.0]


def test_equal_rows_are_found_in_any_columns() -> None:
    prepared = Points(np.array([[1.0, 7.0], [1.0, 7.0], [2.0, 9.0]]))
    assert prepared.weights.tolist() == [2, 1]
    assert prepared.spread(np.array([5, 6])).tolist() == [5, 5, 6]


@pytest.mark.parametrize(("budget", "searches"), [(99, 1), (100, 1), (299, 2), (300, 3), (1e9, 16)])
def test_searches_are_repeated_within_the_budget(
    monkeypatch: pytest.MonkeyPatch, budget: int, searches: int
) -> None:
    sizes: list[int] = []
    search = kmeans._search

    def spy(problem: Problem, k: int, rng: np.random.Generator) -> tuple[Matrix, float]:
        sizes.append(problem.n)
        return search(problem, k, rng)

    monkeypatch.setattr(kmeans, "_search", spy)
    monkeypatch.setattr(kmeans, "SEARCH_BUDGET", int(budget))
    points = Points(blobs(1, 100, 2, 3, 0.5))
    for k, quick, expected in ((3, False, searches), (3, True, 1), (1, False, 1)):
        sizes.clear()
        fit_kmeans(points, k, 0, quick=quick)
        assert sizes == [100] * expected


@pytest.mark.parametrize(
    ("size", "final", "drawn"),
    [
        (400, 1, []),
        (401, 1, [200]),
        (1600, 1, [200]),
        (1601, 1, [200, 800]),
        (1900, 950, [200]),
        (1901, 950, [200, 950]),
    ],
)
def test_how_many_points_are_searched_and_compared(
    monkeypatch: pytest.MonkeyPatch, size: int, final: int, drawn: list[int]
) -> None:
    """A hundred a cluster are searched, four times as many compared, when there are twice those."""
    asked: list[int] = []
    sample = Problem.sample

    def spy(problem: Problem, count: int, rng: np.random.Generator) -> Problem:
        asked.append(count)
        return sample(problem, count, rng)

    monkeypatch.setattr(Problem, "sample", spy)
    monkeypatch.setattr(kmeans, "SEARCH_POINTS", 1)
    monkeypatch.setattr(kmeans, "FINAL_POINTS", final)
    fit_kmeans(Points(blobs(3, size, 1, 2, 0.5)), 2, 0, quick=True)
    assert asked == drawn


def test_only_the_last_run_goes_to_the_fixed_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts and breaths stop where little is gained: most of them could still go on."""
    could_go_on: dict[float, list[bool]] = {}
    lloyd = Problem.lloyd

    def spy(
        problem: Problem, centroids: Matrix, gain: float, history: list[Iteration] | None = None
    ) -> tuple[Matrix, float]:
        ended, inertia = lloyd(problem, centroids, gain, history)
        means, _ = problem.means(problem.nearest(ended)[0], len(ended))
        could_go_on.setdefault(gain, []).append(not np.allclose(means, ended, rtol=0, atol=1e-12))
        return ended, inertia

    monkeypatch.setattr(Problem, "lloyd", spy)
    fit_kmeans(Points(blobs(2, 1000, 2, 6, 3.0)), 6, 0)
    assert np.mean(could_go_on.pop(kmeans.START_GAIN)) > 0.5
    assert np.mean(could_go_on.pop(kmeans.SEARCH_GAIN)) > 0.5
    assert could_go_on == {0.0: [False]}
