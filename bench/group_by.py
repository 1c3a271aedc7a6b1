"""k-means of every group in one query against pandas' groupby with scikit-learn: whole ratios."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import segql

Array = np.ndarray[Any, np.dtype[Any]]
#: Case: columns, clusters, standard deviation of a cluster; centres are at least 10 apart in the
#: planted cases, anywhere from -10 to 10 in the overlapping ones.
CASES = {
    "planted d=2 k=4": (2, 4, 0.8, True),
    "planted d=4 k=6": (4, 6, 0.8, True),
    "overlapping d=2 k=4": (2, 4, 3.0, False),
    "overlapping d=4 k=6": (4, 6, 3.0, False),
}


def rows(groups: int, size: int, case: str) -> pa.Table:
    """Groups of rows, each with clusters of its own."""
    width, k, spread, is_planted = CASES[case]
    rng = np.random.default_rng(0)
    centers = rng.uniform(-10, 10, (groups, k, width))
    if is_planted:
        grid = np.stack(np.meshgrid(*[np.arange(3) * 10.0] * width), -1).reshape(-1, width)
        centers = np.stack([rng.permutation(grid)[:k] for _ in range(groups)])
    truth = rng.integers(0, k, (groups, size))
    values = np.take_along_axis(centers, truth[:, :, None], axis=1)
    values = (values + rng.normal(0, spread, values.shape)).reshape(-1, width)
    order = rng.permutation(groups * size)
    columns = {f"x{j}": values[order, j] for j in range(width)}
    group = np.repeat(np.arange(groups), size)[order]
    return pa.table({"g": group, "id": order, "truth": truth.ravel()[order], **columns})


def by_segql(con: duckdb.DuckDBPyConnection, names: list[str], k: int) -> pa.Table:
    """Ids, labels and inertia of every group by one query."""
    return con.sql(
        f"select g, list(id) as ids, segql_kmeans(list([{', '.join(names)}]), {k}) as r "
        "from t group by g"
    ).to_arrow_table()


def by_pandas(con: duckdb.DuckDBPyConnection, names: list[str], k: int) -> Any:
    """The same by pandas, from the same table."""
    frame = con.execute("from t").df()

    def fit(part: pd.DataFrame) -> tuple[Array, Array, float]:
        model = KMeans(k, random_state=0).fit(part[names].to_numpy())
        return part["id"].to_numpy(), model.labels_, float(model.inertia_)

    return frame.groupby("g")[[*names, "id"]].apply(fit)


def timed(compute: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    started = time.perf_counter()
    result = compute()
    return time.perf_counter() - started, result


def best_of_ten(table: pa.Table, names: list[str], k: int, groups: int) -> Array:
    """Inertia of scikit-learn's best of ten starts for the first groups."""
    frame = table.to_pandas()
    return np.array(
        [
            KMeans(k, n_init=10, random_state=0).fit(part[names].to_numpy()).inertia_
            for _, part in frame[frame["g"] < groups].groupby("g")
        ]
    )


def measure(case: str, groups: int, size: int, runs: int) -> None:
    """Run one case and print its figures."""
    width, k, _, _ = CASES[case]
    table = rows(groups, size, case)
    names = [f"x{j}" for j in range(width)]
    con = duckdb.connect(":memory:", config={"threads": 2})
    segql.register(con)
    con.register("given", table)
    con.execute("create table t as from given")
    ours, theirs = [], []
    for _ in range(runs):
        seconds, result = timed(lambda: by_segql(con, names, k))
        ours.append(seconds)
        seconds, fitted = timed(lambda: by_pandas(con, names, k))
        theirs.append(seconds)
    con.close()
    truth = np.empty(groups * size, dtype=np.int64)
    truth[table["id"].to_numpy()] = table["truth"].to_numpy()
    result = result.to_pandas().sort_values("g")
    agreed = [
        adjusted_rand_score(truth[ids], r["labels"])
        for ids, r in zip(result["ids"], result["r"], strict=True)
    ]
    found = np.array([r["inertia"] for r in result["r"]])
    few = min(groups, 100)
    best = best_of_ten(table, names, k, few)
    theirs_found = np.array([item[2] for item in fitted])
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(
        f"{case}: {ratio:.2f} x as fast "
        f"(segql {1e3 * statistics.median(ours) / groups:.2f} ms a group, "
        f"pandas and scikit-learn {1e3 * statistics.median(theirs) / groups:.2f}); "
        f"groups with ARI 1: {np.mean(np.array(agreed) == 1.0):.1%}; "
        f"inertia over best of ten: mean {np.mean(found[:few] / best):.5f}, "
        f"max {np.max(found[:few] / best):.4f} "
        f"(scikit-learn's one start: mean {np.mean(theirs_found[:few] / best):.5f}, "
        f"max {np.max(theirs_found[:few] / best):.4f})",
        flush=True,
    )


def main() -> None:
    """Parse the command line and run the cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000, help="rows of each group")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    given = parser.parse_args()
    for case in given.cases:
        measure(case, given.groups, given.rows, given.runs)


if __name__ == "__main__":
    main()
