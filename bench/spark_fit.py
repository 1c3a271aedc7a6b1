"""Fit on a Spark cluster of two workers: segql against MLlib, and with a worker that is killed."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from generate import COLUMNS, generate
from spark_workers import executors

import segql

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Print seconds, inertia and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=5e6)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--master", default="local-cluster[2,1,1024]")
    parser.add_argument("--kill", action="store_true", help="kill a worker during another fit")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/segql-bench"))
    options = parser.parse_args()
    folder = prepared(options.folder, int(options.rows))
    spark = session(options.master, options.folder)
    spark.read.parquet(str(folder)).createOrReplaceTempView("customers")
    spark.sql("select * from customers limit 200000").write.mode("overwrite").parquet(
        str(options.folder / "few")
    )
    spark.read.parquet(str(options.folder / "few")).createOrReplaceTempView("few")
    contenders: dict[str, Callable[..., Any]] = {"segql": ours, "mllib": theirs}
    for contender in contenders.values():
        contender(spark, "few", options.k)  # both find a JVM that has run
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    inertia: dict[str, float] = {}
    for _ in range(options.runs):
        for name, contender in contenders.items():
            started = time.perf_counter()
            found = contender(spark, "customers", options.k)
            seconds[name].append(time.perf_counter() - started)
            inertia[name] = exact_inertia(folder, found)
            print(f"{name}: {seconds[name][-1]:.1f} s, inertia {inertia[name]:.6g}", flush=True)
    result = {
        "rows": int(options.rows),
        "k": options.k,
        "seconds": {name: min(values) for name, values in seconds.items()},
        "inertia": inertia,
        "MLlib / segql, seconds": min(seconds["mllib"]) / min(seconds["segql"]),
        "segql / MLlib, inertia": inertia["segql"] / inertia["mllib"],
    }
    if options.kill:
        result["killed_worker"] = killed(spark, options.k, min(seconds["segql"]) / 2)
    print(json.dumps(result, indent=2))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "spark_fit.json").write_text(json.dumps(result, indent=2))
    spark.stop()


def prepared(folder: Path, rows: int) -> Path:
    """Parquet of complete columns, so that both contenders standardize and cluster the same."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"complete_{rows}"
    if not target.exists():
        generate(folder / "spark.duckdb", rows)
        with duckdb.connect(str(folder / "spark.duckdb"), read_only=True) as con:
            listed = ", ".join(f"ln(1 + coalesce({name}, 1)) as {name}" for name in COLUMNS)
            con.execute(
                f"copy (select id, {listed} from customers) to '{target}' "
                "(format parquet, per_thread_output true)"
            )
    return target


def session(master: str, folder: Path, settings: dict[str, str] | None = None) -> Any:
    """A cluster on this machine: the executors are processes of their own."""
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.master(master)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.executor.memory", "1g")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config(map=settings or {})
        .getOrCreate()
    )


def ours(spark: Any, table: str, k: int) -> np.ndarray:
    """Fit segql; return the centroids in the standardized space."""
    return fitted(spark, table, k).scaled_centroids()


def fitted(spark: Any, table: str, k: int) -> segql.Model:
    """Fit on the columns as they are."""
    features = {name: {"transform": "none"} for name in COLUMNS}
    return segql.fit(spark, table, id="id", features=features, k=k)


def theirs(spark: Any, table: str, k: int) -> np.ndarray:
    """Fit MLlib; return the centroids in the standardized space."""
    from pyspark.ml import Pipeline
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.feature import StandardScaler, VectorAssembler

    stages = [
        VectorAssembler(inputCols=list(COLUMNS), outputCol="raw"),
        StandardScaler(inputCol="raw", outputCol="features", withMean=True),
        KMeans(k=k, maxIter=20, seed=1),
    ]
    model = Pipeline(stages=stages).fit(spark.table(table))
    return np.array(model.stages[-1].clusterCenters())


def exact_inertia(folder: Path, centroids: np.ndarray) -> float:
    """Sum of squared distances of all rows to the nearest centroid, by one measure for both."""
    fetched = duckdb.sql(f"from '{folder}/*.parquet'").fetchnumpy()
    points = np.column_stack([fetched[name] for name in COLUMNS])
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    total = 0.0
    for part in np.array_split(points, 50):
        total += float(((part[:, None, :] - centroids[None]) ** 2).sum(axis=2).min(axis=1).sum())
    return total


def killed(spark: Any, k: int, after: float) -> dict[str, Any]:
    """Fit, and fit again while a worker is killed."""
    whole = fitted(spark, "customers", k)
    victims = executors(spark)
    timer = threading.Timer(after, os.kill, [victims[0], signal.SIGKILL])
    timer.start()
    started = time.perf_counter()
    model = fitted(spark, "customers", k)
    seconds = time.perf_counter() - started
    timer.join()
    return {
        "killed_after_seconds": after,
        "seconds": seconds,
        "same_centroids": bool(np.array_equal(whole.points, model.points)),
        "same_metrics": whole.metrics == model.metrics,
        "worker_is_gone": victims[0] not in executors(spark),
    }


if __name__ == "__main__":
    main()
