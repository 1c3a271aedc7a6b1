"""One contender in one process: prints its times, its inertia and its peak memory as JSON."""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import duckdb
import numpy as np
from generate import COLUMNS

Result = dict[str, Any]


class Clock:
    """Seconds of each phase."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Any:
        """Time a phase."""
        started = time.perf_counter()
        yield
        self.phases[phase] = time.perf_counter() - started


def connect(options: argparse.Namespace) -> duckdb.DuckDBPyConnection:
    """Open the database with the run's limits."""
    connection = duckdb.connect(options.database)
    connection.execute(f"set memory_limit = '{options.memory_limit}'")
    connection.execute(f"set threads = {options.threads}")
    # A first fit, as the peers' is: nothing of an earlier run to match segments with.
    connection.execute("drop schema if exists segql cascade")
    connection.execute("drop table if exists scored")
    return connection


def segql_fixed(options: argparse.Namespace, clock: Clock) -> Result:
    """Fit with k fixed, score, write."""
    return _segql(options, clock, options.k)


def segql_auto(options: argparse.Namespace, clock: Clock) -> Result:
    """Fit with k="auto", score, write."""
    return _segql(options, clock, "auto")


def _segql(options: argparse.Namespace, clock: Clock, k: Any) -> Result:
    import segql

    with connect(options) as connection:
        with clock("fit"):
            model = segql.fit(
                connection,
                "customers",
                id="id",
                name="bench",
                k=k,
                features={name: {"transform": "log1p"} for name in COLUMNS},
            )
        with clock("score and write"):
            connection.execute(
                "create or replace table scored as "
                "select id, segment_id from segql.predict('bench', 'customers')"
            )
        return {
            "inertia": model.metrics["inertia"],
            "silhouette": model.metrics["silhouette"],
            "k": model.k,
            "passes": sum(step.phase == "all rows" for step in model.iterations),
        }


def scoring(options: argparse.Namespace, clock: Clock) -> Result:
    """Write a bare copy, the segment, and all prediction columns."""
    import segql

    predict = "from segql.predict('bench', 'customers')"
    with connect(options) as connection:
        segql.fit(
            connection,
            "customers",
            id="id",
            name="bench",
            k=options.k,
            features={name: {"transform": "log1p"} for name in COLUMNS},
        )
        for _ in range(2):
            with clock("copy"):
                connection.execute("create or replace table t0 as select id, f0 from customers")
            with clock("segment_id"):
                connection.execute(f"create or replace table t1 as select id, segment_id {predict}")
            with clock("all columns"):
                connection.execute(
                    "create or replace table t2 as select id, segment_id, segment_key, distance, "
                    f"next_segment_id, confidence {predict}"
                )
    return {}


def metrics(options: argparse.Namespace, clock: Clock) -> Result:
    """One Lloyd pass and the exact silhouette."""
    import segql
    from segql.engines.duckdb import DuckDBEngine
    from segql.metrics import exact_figures, segment_sums
    from segql.training import aliased

    with connect(options) as connection:
        model = segql.fit(
            connection,
            "customers",
            id="id",
            k=options.k,
            features={name: {"transform": "log1p"} for name in COLUMNS},
        )
        engine = DuckDBEngine(connection)
        source = aliased(engine.relation("customers"))
        bounds = model.space.bounds
        rows = model.info["row_count"]
        with clock("Lloyd pass"):
            sums = segment_sums(engine, source, model.assignment, bounds, rows)
        with clock("silhouette"):
            figures = exact_figures(engine, source, model.assignment, bounds, rows, sums)
    return {"silhouette": figures.metrics["silhouette"]}


def sklearn_1(options: argparse.Namespace, clock: Clock) -> Result:
    """Run the usual pipeline with one start."""
    return _sklearn(options, clock, 1)


def sklearn_10(options: argparse.Namespace, clock: Clock) -> Result:
    """Run the usual pipeline with ten starts."""
    return _sklearn(options, clock, 10)


def _fetch(options: argparse.Namespace, clock: Clock) -> tuple[Any, Any]:
    from sklearn.preprocessing import StandardScaler

    with clock("fetch"), connect(options) as connection:
        frame = connection.execute(f"select id, {', '.join(COLUMNS)} from customers").df()
    with clock("prepare"):
        values = frame[list(COLUMNS)]
        prepared = StandardScaler().fit_transform(np.log1p(values.fillna(values.median())))
    return frame[["id"]], prepared


def _write(options: argparse.Namespace, clock: Clock, ids: Any, labels: Any) -> None:
    with clock("write"), connect(options) as connection:
        scored = ids.assign(segment_id=labels)
        connection.register("scored_frame", scored)
        connection.execute("create or replace table scored as select * from scored_frame")


def _sklearn(options: argparse.Namespace, clock: Clock, starts: int) -> Result:
    from sklearn.cluster import KMeans

    ids, prepared = _fetch(options, clock)
    with clock("fit"):
        model = KMeans(options.k, n_init=starts, random_state=0).fit(prepared)
    _write(options, clock, ids, model.labels_)
    return {"inertia": float(model.inertia_), "k": options.k}


def sklearn_auto(options: argparse.Namespace, clock: Clock) -> Result:
    """Choose k by a sampled silhouette, as tutorials do."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    ids, prepared = _fetch(options, clock)
    with clock("fit"):
        models = [KMeans(k, n_init=10, random_state=0).fit(prepared) for k in range(2, 11)]
        scores = [
            silhouette_score(prepared, model.labels_, sample_size=10_000, random_state=0)
            for model in models
        ]
        chosen = models[int(np.argmax(scores))]
    _write(options, clock, ids, chosen.labels_)
    return {
        "inertia": float(chosen.inertia_),
        "k": int(chosen.n_clusters),
        "silhouette": _exact_silhouette(prepared, chosen.labels_),
    }


def _exact_silhouette(points: Any, labels: Any) -> float:
    """Squared-Euclidean silhouette on all rows, in closed form: comparable with segql's."""
    k = int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=k)
    means = np.stack([points[labels == index].mean(axis=0) for index in range(k)])
    spread = np.array(
        [((points[labels == i] - means[i]) ** 2).sum(axis=1).mean() for i in range(k)]
    )
    distances = np.stack(
        [((points - means[i]) ** 2).sum(axis=1) + spread[i] for i in range(k)], axis=1
    )
    rows = np.arange(len(points))
    own = distances[rows, labels] * (sizes / (sizes - 1))[labels]
    distances[rows, labels] = np.inf
    other = distances.min(axis=1)
    return float(((other - own) / np.maximum(own, other)).mean())


def faiss(options: argparse.Namespace, clock: Clock) -> Result:
    """Cluster with faiss, in single precision as it does."""
    import faiss as library

    ids, prepared = _fetch(options, clock)
    with clock("fit"):
        points = np.ascontiguousarray(prepared, dtype=np.float32)
        kmeans = library.Kmeans(
            points.shape[1], options.k, niter=100, nredo=10, seed=1, max_points_per_centroid=10**9
        )
        kmeans.train(points)
        distances, labels = kmeans.index.search(points, 1)
    _write(options, clock, ids, labels[:, 0])
    return {"inertia": float(distances.sum(dtype=np.float64)), "k": options.k}


def spark(options: argparse.Namespace, clock: Clock) -> Result:
    """Cluster with Spark MLlib on local cores."""
    from pyspark.ml import Pipeline
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.feature import StandardScaler, VectorAssembler
    from pyspark.sql import SparkSession

    ids, prepared = _fetch(options, clock)
    with clock("start"):
        session = SparkSession.builder.master(f"local[{options.threads}]").getOrCreate()
        frame = session.createDataFrame([tuple(map(float, row)) for row in prepared], list(COLUMNS))
    with clock("fit"):
        stages = [
            VectorAssembler(inputCols=list(COLUMNS), outputCol="raw"),
            StandardScaler(inputCol="raw", outputCol="features", withMean=True),
            KMeans(k=options.k, maxIter=20, seed=1),
        ]
        fitted = Pipeline(stages=stages).fit(frame)
    cost = float(fitted.stages[-1].summary.trainingCost)
    session.stop()
    return {"inertia": cost, "k": options.k, "rows": len(ids)}


CONTENDERS: dict[str, Callable[[argparse.Namespace, Clock], Result]] = {
    "segql": segql_fixed,
    "segql_auto": segql_auto,
    "scoring": scoring,
    "metrics": metrics,
    "sklearn_1": sklearn_1,
    "sklearn_10": sklearn_10,
    "sklearn_auto": sklearn_auto,
    "faiss": faiss,
    "spark": spark,
}


def main() -> None:
    """Run one contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("--database", required=True)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    clock = Clock()
    started = time.perf_counter()
    result = CONTENDERS[options.contender](options, clock)
    result |= {
        "seconds": time.perf_counter() - started,
        "phases": clock.phases,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
