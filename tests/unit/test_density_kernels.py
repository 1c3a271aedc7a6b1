"""The density kernels by themselves: every part against a search of all pairs or scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from sklearn.cluster import DBSCAN, HDBSCAN
from sklearn.metrics import adjusted_rand_score
from support import Matrix

from segql.clusterers import dbscan, k_distance, near_components
from segql.clusterers.dbscan import fit_dbscan
from segql.clusterers.hdbscan import Hierarchy, fit_hdbscan
from segql.clusterers.k_distance import chosen, default_min_samples, k_distance_curve
from segql.clusterers.near_components import join_components
from segql.grid import Grid, padded

Labels = NDArray[np.intp]


def scattered(seed: int, size: int, width: int) -> Matrix:
    """Groups of unlike density, some noise, and rows that are repeated."""
    rng = np.random.default_rng(seed)
    centers, spread = rng.uniform(-4, 4, (4, width)), rng.uniform(0.1, 0.6, 4)
    group = rng.integers(0, 4, size)
    values = centers[group] + rng.normal(size=(size, width)) * spread[group, None]
    lost = rng.random(size) < 0.15
    values[lost] = rng.uniform(-6, 6, (int(lost.sum()), width))
    values[: size // 20] = values[-(size // 20) :]
    return values


def latticed(seed: int, size: int, width: int) -> Matrix:
    """Points of a lattice: many of them are exactly as far from each other."""
    return np.random.default_rng(seed).integers(0, 9, (size, width)).astype(float)


def all_pairs(points: Matrix, eps: float) -> Labels:
    """Components of the graph of all pairs within eps."""
    return np.asarray(connected_components(cdist(points, points) <= eps, directed=False)[1])


MAKERS: dict[str, Callable[[int, int, int], Matrix]] = {
    "scattered": scattered,
    "latticed": latticed,
}


@pytest.mark.parametrize("made", MAKERS)
@pytest.mark.parametrize(
    ("width", "eps", "samples"),
    [(1, 0.05, 4), (1, 1.0, 20), (2, 0.4, 5), (2, 1.0, 6), (3, 0.7, 4), (3, 1.0, 3), (4, 1.0, 5),
     (5, 1.5, 8), (2, 0.3, 1)],
)  # fmt: skip
def test_core_points_and_clusters_are_scikit_learns(
    made: str, width: int, eps: float, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = MAKERS[made](width, 700, width)
    theirs = DBSCAN(eps=eps, min_samples=samples).fit(values)
    is_core = np.zeros(len(values), dtype=bool)
    is_core[theirs.core_sample_indices_] = True
    for batch in (dbscan.BATCH, 97):
        monkeypatch.setattr(dbscan, "BATCH", batch)
        ours = fit_dbscan(values, eps, samples)
        np.testing.assert_array_equal(ours.is_core, is_core)
        assert (ours.labels[~is_core] == -1).all()
        assert_same_groups(ours.labels[is_core], theirs.labels_[is_core])


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_weights_count_as_repeated_rows(width: int) -> None:
    rng = np.random.default_rng(width)
    values = np.unique(scattered(width + 20, 400, width), axis=0)
    times = rng.integers(1, 5, len(values))
    weighted = fit_dbscan(values, 0.5, 9, times.astype(float))
    repeated = fit_dbscan(np.repeat(values, times, axis=0), 0.5, 9)
    np.testing.assert_array_equal(np.repeat(weighted.is_core, times), repeated.is_core)
    held = repeated.is_core
    assert_same_groups(np.repeat(weighted.labels, times)[held], repeated.labels[held])


def test_an_eps_too_small_for_a_grid_is_searched_by_the_tree() -> None:
    values = np.vstack([np.repeat([[1e9, 1e9, 1e9]], 5, axis=0), scattered(3, 60, 3)])
    ours = fit_dbscan(values, 1e-12, 5)
    assert ours.is_core.tolist() == [True] * 5 + [False] * 60
    assert ours.labels.tolist() == [0] * 5 + [-1] * 60


def assert_same_groups(one: Labels, other: Labels) -> None:
    """Equal but for the names, which count from 0."""
    if len(one):
        assert len(set(one.tolist())) == int(one.max()) + 1 == len(set(other.tolist()))
        assert adjusted_rand_score(one, other) == 1.0


@pytest.mark.parametrize("made", MAKERS)
@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("eps", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("tiny", [1, 32])
def test_components_are_those_of_all_pairs(
    made: str, width: int, eps: float, tiny: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_components, "TINY", tiny)
    values = MAKERS[made](width + 7, 400, width)
    wanted = all_pairs(values, eps)
    alone = np.arange(len(values))
    # Parts of the true components: by a smaller eps, or every point by itself.
    for parts in (alone, all_pairs(values, eps * 0.7), wanted.astype(np.intp)):
        assert_same_groups(join_components(values, parts, eps), wanted)


@pytest.mark.parametrize(("gap", "expected"), [(1.0, [0] * 5), (1.001, [0, 0, 1, 1, 1])])
def test_neighbouring_cells_are_joined_where_their_middles_are_near(
    gap: float, expected: list[int]
) -> None:
    """Three cells in a row: of each, the point nearest to its middle is compared."""
    points = np.array([[0.0], [0.5], [0.5 + gap], [2.5], [2.9]])
    grid = Grid(padded(points), 1.0, 1)
    cells, cell = np.unique(grid.keys(padded(points)), return_inverse=True)
    assert dbscan._cell_components(grid, cells, cell, points, 1.0).tolist() == expected


@pytest.mark.parametrize("width", [1, 2, 3])
def test_every_neighbouring_cell_is_looked_at(width: int) -> None:
    """One point in the middle of each cell of a block: any two cells that touch are joined."""
    middles = np.stack(np.meshgrid(*[np.arange(3.0)] * width), axis=-1).reshape(-1, width) + 0.5
    inside = len(middles) // 2
    eps = 1.001 * np.sqrt(width)
    for other in range(len(middles)):
        pair = middles[[inside, other]]
        grid = Grid(padded(middles), 1.0, 1)
        cells, cell = np.unique(grid.keys(padded(pair)), return_inverse=True)
        order = np.argsort(cell)
        found = dbscan._cell_components(grid, cells, cell[order], pair[order], eps)
        assert set(found.tolist()) == {0}


def test_tiny_components_are_joined_by_their_neighbours() -> None:
    """Two chains of single points, each without a gap above eps, and one point by itself."""
    points = np.concatenate([np.arange(40.0), 50 + np.arange(20.0), [90.0]])[:, None]
    found = near_components._join_tiny(points, np.arange(61), 1.0)
    assert found.tolist() == [0] * 40 + [1] * 20 + [2]


def test_few_points_are_searched_by_one_thread() -> None:
    assert near_components.search_threads(5_000) == 1
    assert near_components.search_threads(5_001) == -1


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("width", "samples", "smallest"), [(1, 5, 5), (2, 1, 8), (2, 6, 6), (3, 4, 12), (2, 10, 3)]
)
def test_hdbscan_is_scikit_learns(seed: int, width: int, samples: int, smallest: int) -> None:
    values = scattered(seed, 500, width)
    theirs = HDBSCAN(min_cluster_size=smallest, min_samples=samples, copy=True).fit(values)
    ours = fit_hdbscan(values, samples, smallest)
    np.testing.assert_array_equal(ours.labels == -1, theirs.labels_ == -1)
    assert adjusted_rand_score(ours.labels, theirs.labels_) == 1.0
    assert ours.k == theirs.labels_.max() + 1


def test_births_and_stabilities_of_two_plain_groups() -> None:
    """Five points on a line, far away five others: what each is can be counted by hand."""
    line = np.arange(5.0)
    found = fit_hdbscan(np.concatenate([line, 20 + line])[:, None], 2, 3)
    assert found.labels.tolist() == [0] * 5 + [1] * 5
    # They part at 16, and each falls apart at 1, all five points at once.
    np.testing.assert_allclose(found.births, [16, 16])
    np.testing.assert_allclose(found.stabilities, [5 * (1 - 1 / 16)] * 2)


def test_a_cluster_loses_a_point_before_it_falls_apart() -> None:
    near = np.array([0.0, 1, 2, 3, 5])
    found = fit_hdbscan(np.concatenate([near, 21 + near])[:, None], 2, 3)
    assert found.labels.tolist() == [0] * 5 + [1] * 5
    # At 16 they part, the last point is lost at 2, the other four fall apart at 1.
    np.testing.assert_allclose(found.births, [16, 16])
    np.testing.assert_allclose(found.stabilities, [(1 / 2 - 1 / 16) + 4 * (1 - 1 / 16)] * 2)


def test_repeated_points_alone_have_an_infinite_stability() -> None:
    values = np.repeat([[0.0], [5.0]], 4, axis=0)
    found = fit_hdbscan(values, 3, 3)
    assert found.labels.tolist() == [0] * 4 + [1] * 4
    assert np.isinf(found.stabilities).all()
    np.testing.assert_allclose(found.births, [5, 5])


def test_clusters_are_numbered_by_size() -> None:
    labels = np.array([0, 1, 1, 1, 2, 2, -1])
    named = Hierarchy(labels, np.array([1.0, 2, 3]), np.array([10.0, 20, 30])).by_size()
    assert named.labels.tolist() == [2, 0, 0, 0, 1, 1, -1]
    assert named.births.tolist() == [2, 3, 1]
    assert named.stabilities.tolist() == [20, 30, 10]


def test_the_curve_is_the_distance_to_the_neighbour() -> None:
    values = scattered(5, 300, 2)
    curve = k_distance_curve(values, 7)
    distances = np.sort(np.sort(cdist(values, values), axis=1)[:, 6])
    assert len(curve.shares) == len(curve.distances) == 200
    np.testing.assert_allclose(
        curve.distances, np.quantile(distances, np.linspace(0, 1, 200), method="higher")
    )
    few = k_distance_curve(values[:30], 7)
    assert len(few.distances) == 30
    assert few.shares[[0, -1]].tolist() == [0, 1]


def test_at_least_one_other_point_and_at_most_all_make_the_curve() -> None:
    values = np.array([[0.0], [1.0], [3.0]])
    assert k_distance_curve(values, 1).distances.tolist() == [1, 1, 2]
    assert k_distance_curve(values, 9).distances.tolist() == [2, 3, 3]


def test_the_knee_is_where_the_noise_begins() -> None:
    """Nine points in ten are 1 apart, the others farther and farther: the chord says where."""
    distances = np.concatenate([np.full(900, 1.0), np.linspace(1, 101, 100)])
    assert k_distance._knee(distances) == 1.0
    # The farthest half per cent is not looked at, however far it is.
    stretched = np.concatenate([np.linspace(1, 2, 900), np.linspace(2, 12, 99), [1e6]])
    assert 1.9 <= k_distance._knee(stretched) <= 2.2
    assert k_distance._knee(np.zeros(50)) == 0.0
    repeated = np.concatenate([np.zeros(95), np.arange(1.0, 6.0)])
    assert k_distance._knee(repeated) == 1.0
    assert k_distance._knee(np.full(20, 3.0)) == 3.0


def test_eps_has_four_digits() -> None:
    assert k_distance._rounded(0.123456) == 0.1235
    assert k_distance_curve(scattered(6, 200, 2), 4).knee == float(
        f"{k_distance_curve(scattered(6, 200, 2), 4).knee:.4g}"
    )


@pytest.mark.parametrize(
    ("rows", "dimensions", "expected"), [(10, 1, 2), (10, 6, 12), (10**4, 2, 10), (10**8, 3, 100)]
)
def test_the_default_of_min_samples(rows: int, dimensions: int, expected: int) -> None:
    assert default_min_samples(rows, dimensions) == expected


def test_the_draw_has_its_size_and_takes_any_point() -> None:
    values = scattered(8, 2000, 2)
    drawn = chosen(values, 300)
    assert len(np.unique(drawn)) == 300
    assert (np.diff(drawn) > 0).all()
    assert chosen(values[:300], 300).tolist() == list(range(300))
    # A fair draw: the mean of 300 of 2000 is within four standard errors.
    error = values.std(axis=0) / np.sqrt(300)
    assert (np.abs(values[drawn].mean(axis=0) - values.mean(axis=0)) < 4 * error).all()


def test_bits_are_spread_as_by_splitmix() -> None:
    """The first numbers of SplitMix64 from the seed 0, as they are published."""
    steps = np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(value) for value in k_distance._mixed(steps)] == [
        "0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f",
    ]  # fmt: skip
