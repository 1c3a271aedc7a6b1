"""The rule that chooses k, on made-up figures, and the checking of the k argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from support import blobs

from segql.clusterers.kmeans import Points, nearest
from segql.diagnostics import quality
from segql.errors import SegqlError
from segql.selection import Trial, choose_k, decide, parse_k


def trial(k: int, silhouette: float, stability: float = 0.9, share: float = 0.1) -> Trial:
    figures = {
        "k": k, "inertia": 100.0 / k, "silhouette": silhouette,
        "silhouette_low": silhouette - 0.01, "silhouette_high": silhouette + 0.01,
        "davies_bouldin": 1.0, "calinski_harabasz": 10.0, "stability": stability,
        "smallest_share": share,
    }  # fmt: skip
    missing = set(Trial.__dataclass_fields__) - set(figures)
    return Trial(**figures, **dict.fromkeys(missing))


@pytest.mark.parametrize(
    ("trials", "chosen", "says"),
    [
        ([trial(2, 0.5), trial(3, 0.6), trial(4, 0.4)], 3, "best silhouette (0.600)"),
        ([trial(2, 0.6), trial(3, 0.585), trial(4, 0.4)], 3, "within 0.02 of the best"),
        ([trial(2, 0.6), trial(3, 0.585), trial(4, 0.581)], 4, "k = 2: 0.600"),
        ([trial(2, 0.6), trial(3, 0.57)], 2, "best silhouette"),
        # Exactly 0.02 below still counts; a hair more does not.
        ([trial(2, 0.5), trial(3, 0.48)], 3, "within 0.02"),
        ([trial(2, 0.5), trial(3, 0.4799)], 2, "best silhouette"),
        # The best is ruled out: too small a segment, or not stable.
        ([trial(2, 0.5), trial(3, 0.9, share=0.0199)], 2, "best silhouette (0.500)"),
        ([trial(2, 0.5), trial(3, 0.9, stability=0.7499)], 2, "best silhouette (0.500)"),
        ([trial(2, 0.5), trial(3, 0.9, stability=0.75, share=0.02)], 3, "(0.900)"),
        # Within 0.02 of the best sound one, not of the best one.
        ([trial(2, 0.5), trial(3, 0.49), trial(4, 0.9, stability=0.1)], 3, "k = 2: 0.500"),
        # None qualifies: the best silhouette, and the sentence says so.
        ([trial(2, 0.3, stability=0.5), trial(3, 0.4, share=0.001)], 3, "no k tried"),
        # k = 1 has no silhouette and only stands alone.
        ([trial(1, 0.0), trial(2, -0.1)], 2, "k = 2"),
        ([trial(1, 0.0)], 1, "k = 1"),
        # The order of the trials does not matter.
        ([trial(4, 0.581), trial(3, 0.585), trial(2, 0.6)], 4, "k = 2: 0.600"),
    ],
)
def test_rule(trials: list[Trial], chosen: int, says: str) -> None:
    k, reason = decide(trials)
    assert k == chosen
    assert says in reason
    assert f"k = {chosen}" in reason


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        (4, (4, 4)), (1, (1, 1)), ("auto", (2, 10)), (" AUTO ", (2, 10)), ("5", (5, 5)),
        ((2, 6), (2, 6)), ([3, 3], (3, 3)),
    ],
)  # fmt: skip
def test_k_is_parsed(given: Any, parsed: tuple[int, int]) -> None:
    assert parse_k(given) == parsed


@pytest.mark.parametrize(
    "given",
    [0, -1, 2.0, 2.5, True, None, "many", "", "-3", "2.0", (3, 2), (0, 4), (1, 2, 3), (2,),
     (2.0, 4), ("2", "4"), {}, {"min": 2}, float("nan")],
)  # fmt: skip
def test_k_is_refused_by_name(given: Any) -> None:
    with pytest.raises(SegqlError) as caught:
        parse_k(given)
    assert repr(given) in str(caught.value)
    assert '(min, max), or "auto"' in str(caught.value)


@pytest.mark.parametrize("groups", [3, 4, 5])
def test_planted_groups_are_found(groups: int) -> None:
    rng = np.random.default_rng(groups)
    centers = 12 * rng.permutation(np.eye(5))[:groups]
    points = Points(centers[rng.integers(0, groups, 1500)] + rng.normal(0, 1, (1500, 5)))
    choice = choose_k(points, 2, 8, 42)
    assert len(choice.fit.centroids) == groups
    assert [t.k for t in choice.trials] == list(range(2, 9))
    by_k = {t.k: t for t in choice.trials}
    assert by_k[groups].stability > 0.95
    assert by_k[groups].silhouette > 0.9


def test_intervals_cover_the_figures_of_all_rows() -> None:
    """A 95 % interval from a weighted sample holds the population's figure about that often."""
    rng = np.random.default_rng(8)
    everyone = blobs(8, 20_000, 3, 4, spread=2.5)
    centroids = KMeans(4, n_init=3, random_state=0).fit(everyone).cluster_centers_
    population = Points(everyone)
    truth = quality(population, nearest(population.values, centroids - population.center))
    names = ("inertia", "silhouette", "davies_bouldin", "calinski_harabasz")
    distances = ((everyone - everyone.mean(axis=0)) ** 2).sum(axis=1)
    probability = np.minimum(1.0, 1500 * (0.5 / len(everyone) + 0.5 * distances / distances.sum()))
    held = dict.fromkeys(names, 0)
    runs = 100
    for _ in range(runs):
        kept = rng.random(len(everyone)) < probability
        sample = Points(everyone[kept], 1.0 / probability[kept])
        found = quality(sample, nearest(sample.values, centroids - sample.center))
        for name in names:
            low, value, high = (getattr(found, name + end) for end in ("_low", "", "_high"))
            assert low < value < high
            held[name] += low <= getattr(truth, name) <= high
    # 95 of a hundred, less four standard errors of that count and what the asymptotics owe.
    assert min(held.values()) >= 84, held


def test_intervals_of_all_rows_are_points() -> None:
    points = Points(blobs(3, 400, 2, 3))
    found = quality(points, nearest(points.values, points.values[[5, 100, 300]]))
    assert found.inertia_low == found.inertia_high
    assert found.davies_bouldin_low == found.davies_bouldin == found.davies_bouldin_high
    assert found.calinski_harabasz_low == found.calinski_harabasz_high


@pytest.mark.parametrize(
    ("values", "weights"),
    [([[1.0]], [0.5]), ([[1.0], [2.0]], [0.5, 1.5]), ([[1.0], [2.0], [5.0]], [0.5, 1.5, 2.5])],
)
def test_few_weighted_points_have_trials(values: list[list[float]], weights: list[float]) -> None:
    """Where no group can be left out, an interval says that nothing is known."""
    choice = choose_k(Points(np.array(values), np.array(weights)), 1, len(values), 42)
    assert [trial.k for trial in choice.trials] == list(range(1, len(values) + 1))
    for trial in choice.trials:
        assert trial.inertia_low <= trial.inertia <= trial.inertia_high
        assert trial.silhouette_low <= trial.silhouette <= trial.silhouette_high
