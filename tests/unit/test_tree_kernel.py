"""The linkage kernel by itself: heights, cuts and the cophenetic correlation are scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, fcluster, linkage
from scipy.spatial.distance import pdist
from sklearn.metrics import adjusted_rand_score
from support import Matrix, blobs

from segql.clusterers.linkage import LINKAGES, Tree, cophenetic_correlation, fit_tree
from segql.errors import SegqlError

#: Four points of a line, which merge as 0-1, 2-3, and both.
LINE = np.array([[0.0], [1.0], [10.0], [12.0]])


def tree_of(points: Matrix, method: str) -> Tree:
    return fit_tree(points, np.ones(len(points)), method)


@pytest.mark.parametrize("method", LINKAGES)
@pytest.mark.parametrize(("size", "width"), [(2, 1), (3, 2), (40, 1), (150, 3)])
def test_the_table_is_scipys(method: str, size: int, width: int) -> None:
    points = blobs(size, size, width, 3)
    tree, theirs = tree_of(points, method), linkage(points, method)
    assert tree.leaves == size
    np.testing.assert_allclose(tree.counted(), theirs, atol=1e-9)
    np.testing.assert_allclose(tree.sizes, theirs[:, 3])
    for k in range(1, size + 1):
        cut = tree.cut(k)
        height = theirs[size - k - 1, 2] if k < size else 0.0
        assert tree.height_of(k) == pytest.approx(height, abs=1e-9)
        assert adjusted_rand_score(cut, fcluster(theirs, height, "distance")) == 1.0
        # Named by their first leaf.
        assert [int(np.argmax(cut == label)) for label in range(k)] == sorted(
            int(np.argmax(cut == label)) for label in range(k)
        )
        assert cut.max() == k - 1


@pytest.mark.parametrize("method", LINKAGES)
def test_weights_are_repeated_points(method: str) -> None:
    rng = np.random.default_rng(2)
    points, times = rng.standard_normal((40, 2)), rng.integers(1, 6, 40)
    tree = fit_tree(points, times.astype(float), method)
    repeated = linkage(np.repeat(points, times, axis=0), method)
    np.testing.assert_allclose(tree.heights, repeated[-39:, 2], atol=1e-9)
    np.testing.assert_allclose(tree.sizes, repeated[-39:, 3])
    labels = fcluster(repeated, 5, "maxclust")
    assert adjusted_rand_score(np.repeat(tree.cut(5), times), labels) == 1.0


@pytest.mark.parametrize("method", LINKAGES)
def test_ties_and_repeated_points(method: str) -> None:
    points = np.random.default_rng(3).integers(0, 4, (80, 2)).astype(float)
    tree = tree_of(points, method)
    assert (np.diff(tree.heights) >= 0).all()
    assert tree.sizes[-1] == 80
    assert sorted(tree.pairs.ravel().tolist()) == list(range(158))
    distinct = len(np.unique(points, axis=0))
    assert (tree.heights == 0).sum() == 80 - distinct
    if method == "single":
        np.testing.assert_allclose(tree.heights, linkage(points, "single")[:, 2])


def test_a_cut_by_height_merges_what_is_at_it() -> None:
    tree = tree_of(LINE, "single")
    assert tree.heights.tolist() == [1, 2, 9]
    assert tree.pairs.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert tree.cut_at(0.5).tolist() == [0, 1, 2, 3]
    assert tree.cut_at(1.0).tolist() == [0, 0, 1, 2]
    assert tree.cut_at(8.9).tolist() == [0, 0, 1, 1]
    assert tree.cut_at(9.0).tolist() == [0, 0, 0, 0]
    assert [tree.height_of(k) for k in (1, 2, 3, 4)] == [9, 2, 1, 0]


def test_each_linkage_by_hand() -> None:
    assert tree_of(LINE, "complete").heights.tolist() == [1, 2, 12]
    assert tree_of(LINE, "average").heights.tolist() == [1, 2, 10.5]
    np.testing.assert_allclose(tree_of(LINE, "ward").heights, [1, 2, np.sqrt(2) * 10.5])


@pytest.mark.parametrize("method", LINKAGES)
def test_one_point_is_a_tree(method: str) -> None:
    tree = tree_of(np.array([[3.0, 4.0]]), method)
    assert tree.leaves == 1
    assert tree.cut(1).tolist() == [0]
    assert tree.counted().shape == (0, 4)


def test_an_unknown_linkage_is_refused() -> None:
    with pytest.raises(SegqlError, match="unknown linkage 'wards'; did you mean 'ward'"):
        tree_of(LINE, "wards")


@pytest.mark.parametrize("method", LINKAGES)
def test_the_cophenetic_correlation_is_scipys(method: str) -> None:
    points = blobs(7, 60, 2, 3)
    expected = cophenet(linkage(points, method), pdist(points))[0]
    ours = cophenetic_correlation(tree_of(points, method), points, np.ones(60))
    assert ours == pytest.approx(expected, abs=1e-12)


def test_the_cophenetic_correlation_counts_pairs_by_weight() -> None:
    rng = np.random.default_rng(1)
    points, weights = rng.standard_normal((12, 2)), rng.integers(1, 4, 12).astype(float)
    tree = fit_tree(points, weights, "average")
    rows, columns = np.triu_indices(12, 1)
    meet, apart = cophenet(tree.counted()), pdist(points)
    expected = np.cov(meet, apart, aweights=weights[rows] * weights[columns], ddof=0)
    expected = expected[0, 1] / np.sqrt(expected[0, 0] * expected[1, 1])
    assert cophenetic_correlation(tree, points, weights) == pytest.approx(expected, abs=1e-12)


def test_equally_far_pairs_have_no_correlation() -> None:
    points = np.eye(3)
    assert np.isnan(cophenetic_correlation(tree_of(points, "single"), points, np.ones(3)))
