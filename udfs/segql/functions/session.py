"""Session functions: the kernels of a fit, callable on any list of points while Python is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from segql.clusterers.kmeans import KMeansFit, Points
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, unknown
from segql.functions.arrow import DOUBLES, LABELS, MATRIX, by_row, rows_of
from segql.selection import Trial, choose_k, parse_k
from segql.space import fit_projection

STANDARDIZE = pa.struct([("values", MATRIX), ("means", DOUBLES), ("deviations", DOUBLES)])
PCA = pa.struct(
    [
        ("scores", MATRIX),
        ("components", MATRIX),
        ("explained_variance", DOUBLES),
        ("explained_variance_ratio", DOUBLES),
        ("means", DOUBLES),
    ]
)
TRIAL = pa.struct(
    [(name, pa.int32() if name == "k" else pa.float64()) for name in Trial.__dataclass_fields__]
)
KMEANS = pa.struct(
    [
        ("labels", LABELS),
        ("centroids", MATRIX),
        ("inertia", pa.float64()),
        ("k", pa.int32()),
        ("reason", pa.string()),
        ("elbow", pa.int32()),
        ("prefers_one", pa.bool_()),
        ("iterations", DOUBLES),
        ("trials", pa.list_(TRIAL)),
    ]
)


@dataclass(frozen=True)
class SessionFunction:
    """One function: its SQL name, its result and what computes it."""

    name: str
    result: Any
    sql_type: str
    compute: Callable[..., Any]


def standardize(points: Any) -> dict[str, Any] | None:
    """Scale each column to mean 0 and deviation 1 (divisor n)."""
    rows = rows_of("segql_standardize", points)
    if rows is None or not len(rows.values):
        return None
    means, deviations = rows.values.mean(axis=0), rows.values.std(axis=0)
    scaled = (rows.values - means) / np.where(deviations > 0, deviations, 1.0)
    return {
        "values": rows.matrix(scaled),
        "means": means.tolist(),
        "deviations": deviations.tolist(),
    }


def pca(points: Any, n_components: Any = None) -> dict[str, Any] | None:
    """Principal components of the points, centred and not scaled."""
    rows = rows_of("segql_pca", points)
    if rows is None or not len(rows.values):
        return None
    wanted = n_components.as_py() if n_components is not None else None
    width = rows.values.shape[1]
    wanted = check_components(width if wanted is None else wanted, width)
    means = rows.values.mean(axis=0)
    centred = rows.values - means
    covariance = centred.T @ centred / len(centred)
    projection = fit_projection(covariance, means, len(centred), wanted)
    return {
        "scores": rows.matrix(centred @ projection.components.T),
        "components": projection.components.tolist(),
        "explained_variance": projection.eigenvalues.tolist(),
        "explained_variance_ratio": projection.explained_variance_ratio.tolist(),
        "means": means.tolist(),
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


def kmeans(points: Any, k: Any, options: Any = None) -> dict[str, Any] | None:
    """k-means of the points; options: seed, weights."""
    rows = rows_of("segql_kmeans", points)
    if rows is None:
        return None
    if not len(rows.values):
        raise SegqlError("segql_kmeans: there is no row without NULL, NaN or infinity")
    given = dict(options.as_py() or {}) if options is not None else {}
    for name in given:
        if name not in ("seed", "weights"):
            raise SegqlError(f"segql_kmeans: {unknown('option', name, ('seed', 'weights'))}")
    seed = given.get("seed", 42)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise SegqlError(f"segql_kmeans: seed got {seed!r}; accepted: a whole number of at least 0")
    weights = given.get("weights")
    if weights is not None:
        if len(weights) != len(rows.usable):
            raise SegqlError(
                f"segql_kmeans: {len(weights)} weights for {len(rows.usable)} rows; "
                "accepted: one a row"
            )
        weights = np.asarray(weights, dtype=np.float64)[rows.usable]
    low, high = parse_k(k.as_py())
    choice = choose_k(Points(rows.values, weights), low, high, seed)
    mass = np.ones(len(rows.values)) if weights is None else weights
    centroids, labels = _by_size(choice.fit, mass)
    return {
        "labels": rows.labels(labels),
        "centroids": centroids.tolist(),
        "inertia": choice.fit.inertia,
        "k": len(centroids),
        "reason": choice.reason,
        "elbow": choice.elbow,
        "prefers_one": choice.prefers_one,
        "iterations": [iteration.inertia for iteration in choice.fit.iterations],
        "trials": [asdict(trial) for trial in choice.trials],
    }


def _by_size(fit: KMeansFit, weights: Any) -> tuple[Any, Any]:
    """Number clusters by size, then centroid, from 1."""
    mass = np.bincount(fit.labels, weights=weights, minlength=len(fit.centroids))
    order = np.lexsort([*fit.centroids.T[::-1], -mass])
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(1, len(order) + 1)
    return fit.centroids[order], rank[fit.labels]


_SCALARS = {
    "int64": "BIGINT",
    "double": "DOUBLE",
    "int32": "INTEGER",
    "string": "VARCHAR",
    "bool": "BOOLEAN",
}


def _sql_type(kind: Any) -> str:
    """DuckDB's name of an Arrow type, so that each result is declared once."""
    if pa.types.is_struct(kind):
        fields = ", ".join(f'"{field.name}" {_sql_type(field.type)}' for field in kind)
        return f"STRUCT({fields})"
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    return _SCALARS[str(kind)]


FUNCTIONS = tuple(
    SessionFunction(name, result, _sql_type(result), compute)
    for name, result, compute in (
        ("segql_standardize", STANDARDIZE, standardize),
        ("segql_pca", PCA, pca),
        ("segql_kmeans", KMEANS, kmeans),
    )
)


def register(con: duckdb.DuckDBPyConnection) -> None:
    """Register segql's session functions on a connection and its cursors.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        Registering twice is harmless.

    Raises
    ------
    SegqlError
        Inside a transaction, where DuckDB creates no function.

    Warns
    -----
    UserWarning
        When the file's storage version shuts out DuckDB 1.x clients.
    """
    from segql.functions.models import register_model_functions

    register_functions(con)
    register_model_functions(con)
    DuckDBEngine(con).warn_about_storage()


def register_functions(con: duckdb.DuckDBPyConnection) -> None:
    """Register the functions that the connection does not have yet."""
    names = ", ".join(f"'{function.name}'" for function in FUNCTIONS)
    known = {
        row[0]
        for row in con.execute(
            "select distinct function_name from duckdb_functions() "
            f"where function_name in ({names})"
        ).fetchall()
    }
    missing = [function for function in FUNCTIONS if function.name not in known]
    if missing and DuckDBEngine(con).in_transaction():
        # A rollback would take them back, and the connection would refuse to make them again.
        raise SegqlError(
            "functions are not created inside a transaction: call segql.register(con) before BEGIN"
        )
    for function in missing:
        # parameters None: any number of arguments of any type reach the function.
        con.create_function(
            function.name,
            by_row(function.result, function.compute),
            None,
            duckdb.sqltype(function.sql_type),
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )
