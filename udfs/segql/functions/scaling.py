"""Session functions that prepare points: scale, encode, project."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from segql.clusterers.kmeans import canonical_order
from segql.errors import SegqlError
from segql.functions.arrow import DOUBLES, MATRIX, Matrix, Rows, Texts
from segql.functions.declared import Parameter, SessionFunction
from segql.space import fit_projection

POINTS = Parameter(
    "points",
    "DOUBLE[][]",
    False,
    "One list of numbers a row, e.g. `list([recency, frequency])`; a row that is NULL or holds "
    "NULL, NaN or infinity takes no part and is NULL in the result.",
)
#: Numbers of a one-hot encoding.
MOST_ONES = 100_000_000


# -- scales --------------------------------------------------------------------------------------


def standardize(points: Rows) -> dict[str, Any] | None:
    """Scale each column to mean 0 and deviation 1 (divisor n)."""
    if not len(points.values):
        return None
    means, variances = _moments(points.values)
    count, tiny = len(points.values), np.finfo(np.float64).eps
    # A variance that rounding of the mean explains is none (as scikit-learn has it).
    varies = variances > count * tiny * variances + (count * means * tiny) ** 2
    deviations = np.where(varies, np.sqrt(variances), 0.0)
    return _scaled(points, means, deviations, ("means", "deviations"))


def _moments(values: Matrix) -> tuple[Matrix, Matrix]:
    """Means and variances, added in the order of size: the same whatever order the rows had."""
    ordered = np.sort(values, axis=0)
    means = ordered.mean(axis=0)
    # Twice, so that a mean far from 0 keeps its digits.
    means = means + (ordered - means).mean(axis=0)
    means = np.clip(means, ordered[0], ordered[-1])
    return means, np.sort((ordered - means) ** 2, axis=0).mean(axis=0)


def minmax(points: Rows) -> dict[str, Any] | None:
    """Scale each column to the range from 0 to 1."""
    if not len(points.values):
        return None
    minima, maxima = points.values.min(axis=0), points.values.max(axis=0)
    scaled = _scaled(points, minima, maxima - minima, ("minima", "ranges"))
    return {"values": scaled["values"], "minima": minima, "maxima": maxima}


def robust(points: Rows) -> dict[str, Any] | None:
    """Subtract the median of each column and divide by its interquartile range."""
    if not len(points.values):
        return None
    low, medians, high = np.percentile(points.values, (25, 50, 75), axis=0)
    return _scaled(points, medians, high - low, ("medians", "iqrs"))


def _scaled(points: Rows, center: Matrix, scale: Matrix, names: tuple[str, str]) -> dict[str, Any]:
    values = (points.values - center) / np.where(scale > 0, scale, 1.0)
    return {"values": points.spread(values), names[0]: center, names[1]: scale}


# -- categories ----------------------------------------------------------------------------------


def onehot(categories: Texts, top: Any = None) -> dict[str, Any]:
    """Encode each category as a column of 0 and 1."""
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise SegqlError(f"top got {top!r}; accepted: a whole number of at least 1")
    codes, names = categories.codes, categories.names
    counts = np.bincount(codes + 1, minlength=len(names) + 1)
    missing, present = counts[0] > 0, np.flatnonzero(counts[1:])
    kept = present
    if top is not None and top < len(present):
        # Among levels that are as frequent, the first by name.
        kept = np.sort(present[np.argsort(-counts[1:][present], kind="stable")[:top]])
    is_pooled = len(kept) < len(present)
    listed = [*names[kept], *(["other"] if is_pooled else []), *([None] if missing else [])]
    if len(codes) * len(listed) > MOST_ONES:
        raise SegqlError(
            f"categories holds {len(present)} names in {len(codes)} rows; "
            "accepted: fewer, e.g. {top: 20}"
        )
    # NULL, which is −1, is the last level; what is not kept is the one before it.
    column = np.full(len(names) + 1, len(kept))
    column[kept] = np.arange(len(kept))
    column[-1] = len(listed) - 1
    values = np.zeros((len(codes), len(listed)))
    values[np.arange(len(codes)), column[codes]] = 1.0
    return {"values": values, "categories": listed}


# -- projection ----------------------------------------------------------------------------------


def pca(points: Rows, n: Any = None) -> dict[str, Any] | None:
    """Find the principal components of the points, centred and not scaled."""
    if not len(points.values):
        return None
    count, width = points.values.shape
    wanted = check_components(width if n is None else n, width)
    means, _ = _moments(points.values)
    centred = points.values - means
    ordered = centred[canonical_order(centred)]
    projection = fit_projection(ordered.T @ ordered / count, means, count, wanted)
    ratio = projection.explained_variance_ratio if projection.total_variance > 0 else None
    return {
        "scores": points.spread(centred @ projection.components.T),
        "components": projection.components,
        "explained_variance": projection.eigenvalues,
        "explained_variance_ratio": ratio,
        "means": means,
    }


def check_components(wanted: Any, available: int) -> int | float:
    """Check a number of components or a share of variance."""
    if hasattr(wanted, "as_tuple"):
        wanted = float(wanted)
    accepted = f"accepted: a whole number from 1 to {available}, or a share of variance in (0, 1)"
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        raise SegqlError(f"pca got {wanted!r}; {accepted}")
    if isinstance(wanted, int) and 1 <= wanted <= available:
        return wanted
    if isinstance(wanted, float) and 0 < wanted < 1:
        return wanted
    raise SegqlError(f"pca got {wanted!r}; {accepted}")


# -- declarations --------------------------------------------------------------------------------

SCALING = (
    SessionFunction(
        name="segql_standardize",
        parameters=(POINTS,),
        result=pa.struct([("values", MATRIX), ("means", DOUBLES), ("deviations", DOUBLES)]),
        summary="Scale each column to mean 0 and standard deviation 1 (divisor n); a constant "
        "column becomes 0.",
        example="select segql_standardize([[1, 5], [3, 5]]) as r",
        example_result="{'values': [[-1.0, 0.0], [1.0, 0.0]], 'means': [2.0, 5.0], "
        "'deviations': [1.0, 0.0]}",
        compute=standardize,
    ),
    SessionFunction(
        name="segql_minmax",
        parameters=(POINTS,),
        result=pa.struct([("values", MATRIX), ("minima", DOUBLES), ("maxima", DOUBLES)]),
        summary="Scale each column to the range from 0 to 1; a constant column becomes 0.",
        example="select segql_minmax([[1, 5], [2, 5], [5, 5]]) as r",
        example_result="{'values': [[0.0, 0.0], [0.25, 0.0], [1.0, 0.0]], 'minima': [1.0, 5.0], "
        "'maxima': [5.0, 5.0]}",
        compute=minmax,
    ),
    SessionFunction(
        name="segql_robust",
        parameters=(POINTS,),
        result=pa.struct([("values", MATRIX), ("medians", DOUBLES), ("iqrs", DOUBLES)]),
        summary="Subtract the median of each column and divide by its interquartile range, so that "
        "a few outliers do not set the scale; a column whose range is 0 is only centred.",
        example="select segql_robust([[1], [2], [3], [4], [100]]) as r",
        example_result="{'values': [[-1.0], [-0.5], [0.0], [0.5], [48.5]], 'medians': [3.0], "
        "'iqrs': [2.0]}",
        compute=robust,
    ),
    SessionFunction(
        name="segql_onehot",
        parameters=(
            Parameter(
                "categories",
                "VARCHAR[]",
                False,
                "One category a row, e.g. `list(channel)`; numbers, booleans, dates and enums are "
                "taken by their text.",
            ),
        ),
        result=pa.struct([("values", MATRIX), ("categories", pa.list_(pa.string()))]),
        summary="Encode each category as a column of 0 and 1, sorted by name; NULL is a category "
        "of its own, the last.",
        example="select segql_onehot(['web', 'shop', null, 'web']) as r",
        example_result="{'values': [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], "
        "[0.0, 1.0, 0.0]], 'categories': [shop, web, NULL]}",
        compute=onehot,
        options={
            "top": "Categories that keep a column of their own, the most frequent ones; the others "
            "share the column `other`. Default: all."
        },
    ),
    SessionFunction(
        name="segql_pca",
        parameters=(
            POINTS,
            Parameter(
                "n",
                "INTEGER or DOUBLE",
                True,
                "Number of components, or the share of the variance between 0 and 1 that they must "
                "reach; all components when it is left out.",
            ),
        ),
        result=pa.struct(
            [
                ("scores", MATRIX),
                ("components", MATRIX),
                ("explained_variance", DOUBLES),
                ("explained_variance_ratio", DOUBLES),
                ("means", DOUBLES),
            ]
        ),
        summary="Find the principal components of the points, which are centred but not scaled.",
        example="select segql_pca([[1, 5], [2, 5], [3, 5]], 1) as r",
        example_result="{'scores': [[-1.0], [0.0], [1.0]], 'components': [[1.0, 0.0]], "
        "'explained_variance': [1.0], 'explained_variance_ratio': [1.0], 'means': [2.0, 5.0]}",
        compute=pca,
    ),
)
