"""Trees and densities against their peers on the same points: seconds, peak memory, agreement."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

Points = np.ndarray[Any, np.dtype[np.float64]]
#: Task: rows, columns, contenders; the first is segql's, the second what it is compared with.
TASKS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "ward": (10_000_000, 6, ("segql_ward", "segql_kmeans")),
    "ward exact": (5_000, 6, ("segql_ward", "scipy_ward", "fastcluster_ward")),
    "ward 20k": (20_000, 6, ("segql_ward", "scipy_ward", "fastcluster_ward")),
    "dbscan": (200_000, 3, ("segql_dbscan", "sklearn_dbscan", "dbscan_library")),
    "dbscan 1M x 6": (1_000_000, 6, ("segql_dbscan", "dbscan_library")),
    "dbscan 10M": (10_000_000, 3, ("segql_dbscan", "dbscan_library")),
    "hdbscan": (50_000, 3, ("segql_hdbscan", "sklearn_hdbscan", "hdbscan_library")),
}
GROUPS, EPS, SAMPLES = 8, {3: 0.1, 6: 0.25}, 12


def points(rows: int, columns: int) -> tuple[Points, Any]:
    """Groups of unlike spread, one row in ten anywhere; standardized."""
    rng = np.random.default_rng(0)
    centers = rng.uniform(-10, 10, (GROUPS, columns))
    spread = rng.uniform(0.5, 1.5, GROUPS)
    group = rng.integers(0, GROUPS, rows)
    values = centers[group] + rng.standard_normal((rows, columns)) * spread[group, None]
    lost = rng.random(rows) < 0.1
    values[lost] = rng.uniform(-12, 12, (int(lost.sum()), columns))
    return (values - values.mean(axis=0)) / values.std(axis=0), np.where(lost, -1, group)


def segql_fit(values: Points, algorithm: str, **options: Any) -> tuple[float, Any]:
    """Fit in a file, next to the table, and score it: seconds of the fit, labels."""
    import segql

    names = [f"x{index}" for index in range(values.shape[1])]
    with tempfile.TemporaryDirectory() as folder:
        connection = duckdb.connect(
            str(Path(folder) / "points.duckdb"),
            config={"storage_compatibility_version": "v1.4.0"},
        )
        connection.execute("set threads = 2")
        columns = {name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(names)}
        connection.register("given", pa.table({"id": np.arange(len(values)), **columns}))
        connection.execute("create table given_points as from given")
        features = {name: {"transform": "none", "scale": "none"} for name in names}
        started = time.perf_counter()
        segql.fit(
            connection, "given_points", id="id", name="bench", algorithm=algorithm,
            features=features, **options,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        told = connection.execute(
            "select segment_id from segql.predict('bench', 'given_points') order by id"
        ).fetchnumpy()["segment_id"]
        return seconds, np.asarray(told) - 1


def timed(compute: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    started = time.perf_counter()
    result = compute()
    return time.perf_counter() - started, result


def contender(name: str, values: Points) -> tuple[float, Any]:
    """Seconds and labels (−1 noise) of one way."""
    eps = EPS.get(values.shape[1], 0.1)
    if name == "segql_ward":
        return segql_fit(values, "hierarchical", k=GROUPS)
    if name == "segql_kmeans":
        return segql_fit(values, "kmeans", k=GROUPS)
    if name == "segql_dbscan":
        return segql_fit(values, "dbscan", eps=eps, min_samples=SAMPLES)
    if name == "segql_hdbscan":
        return segql_fit(values, "hdbscan", min_samples=SAMPLES)
    return timed(lambda: _peer(name, values, eps))


def _peer(name: str, values: Points, eps: float) -> Any:
    if name in ("scipy_ward", "fastcluster_ward"):
        import fastcluster
        from scipy.cluster import hierarchy

        tree = hierarchy.linkage if name == "scipy_ward" else fastcluster.linkage_vector
        return hierarchy.fcluster(tree(values, method="ward"), GROUPS, "maxclust")
    if name == "sklearn_dbscan":
        from sklearn.cluster import DBSCAN

        return DBSCAN(eps=eps, min_samples=SAMPLES, n_jobs=2).fit_predict(values)
    if name == "dbscan_library":
        import dbscan

        return dbscan.DBSCAN(values, eps=eps, min_samples=SAMPLES)[0]
    if name == "sklearn_hdbscan":
        from sklearn.cluster import HDBSCAN

        return HDBSCAN(min_cluster_size=SAMPLES, min_samples=SAMPLES, copy=True).fit_predict(values)
    if name == "hdbscan_library":
        import hdbscan

        # Its min_samples does not count the point itself.
        found = hdbscan.HDBSCAN(min_cluster_size=SAMPLES, min_samples=SAMPLES - 1)
        return found.fit_predict(values)
    raise ValueError(name)


def run_one(task: str, name: str, out: Path) -> None:
    """Run a contender in this process and leave its labels behind."""
    rows, columns, _ = TASKS[task]
    values, truth = points(rows, columns)
    seconds, labels = contender(name, values)
    np.savez(out, labels=labels, truth=truth)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": round(seconds, 2), "peak_mb": peak}))


def main() -> None:
    """Run each task's contenders one after the other and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one[0], options.one[1], Path(options.one[2]))
        return
    from sklearn.metrics import adjusted_rand_score

    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for task in options.tasks:
            found: dict[str, Any] = {}
            labels: dict[str, Any] = {}
            for name in TASKS[task][2]:
                out = Path(folder) / f"{name}.npz"
                command = [sys.executable, __file__, "--one", task, name, str(out)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    found[name] = done.stderr.strip().splitlines()[-1:]
                    continue
                found[name] = json.loads(done.stdout.strip().splitlines()[-1])
                labels[name] = np.load(out)["labels"]
            ours = TASKS[task][2][0]
            for name, theirs in labels.items():
                if name != ours and ours in labels:
                    found[name]["times_ours"] = round(
                        found[name]["seconds"] / found[ours]["seconds"], 2
                    )
                    found[name]["agreement_ari"] = round(
                        float(adjusted_rand_score(theirs, labels[ours])), 4
                    )
            report[task] = found
            print(json.dumps({task: found}, indent=1), flush=True)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "clusterings.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
