"""Growth of each phase of a job on Spark: processor seconds and bytes over the network, by rows.

Spark's own event log counts both.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spark_fit import fitted, prepared, session

import segql
from segql import lifecycle
from segql.engines import spark as spark_engine

RESULTS = Path(__file__).parent / "results"
#: Order lines of a customer.
LINES = 10
#: What a customer's features need of the order lines: two shuffles, of lines and of orders.
RFM = """
    select customer_id, max(ordered_at) as last_order, count(*) as frequency, sum(value) as monetary
    from (
        select customer_id, order_id, max(ordered_at) as ordered_at, sum(price * quantity) as value
        from lines group by customer_id, order_id
    ) as orders
    group by customer_id
"""


def main() -> None:
    """Print processor seconds and bytes of each phase, by rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, nargs="+", default=[5e5, 1e6, 2e6])
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--master", default="local-cluster[2,1,1024]")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/segql-bench"))
    parser.add_argument("--wide-sums", action="store_true", help="as beyond 2^31 rows")
    options = parser.parse_args()
    if options.wide_sums:
        spark_engine.CUT_ROWS = 0
    spark, log = logged_session(options.master, options.folder)
    spark.read.parquet(str(prepared(options.folder, int(options.rows[0])))).createOrReplaceTempView(
        "customers"
    )
    fitted(spark, "customers", options.k)  # the first fit of a JVM compiles what the others find
    for rows in options.rows:
        job(spark, options.folder, int(rows), options.k)
    spark.stop()
    result: dict[str, Any] = {"phases": measured(log)}
    # The driver's side that is segql's own, with its DuckDB; Spark's JVM is beside it.
    result["driver_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "spark_scale.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))


def logged_session(master: str, folder: Path) -> tuple[Any, Path]:
    """A cluster on this machine that logs what each task used, and where."""
    events = folder / f"events_{time.time_ns()}"
    events.mkdir(parents=True)
    settings = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.dir": events.as_uri(),
    }
    return session(master, folder, settings), events


def job(spark: Any, folder: Path, rows: int, k: int) -> None:
    """Features, fit and scoring of so many customers, each phase under its name in the log."""
    context = spark.sparkContext

    def begin(phase: str) -> None:
        context.setJobGroup(f"{rows} {phase}", phase)

    @contextmanager
    def reported(title: str) -> Iterator[Any]:
        yield begin

    spark.read.parquet(str(prepared(folder, rows))).createOrReplaceTempView("customers")
    spark.sql(
        f"create or replace temporary view lines as select id div {LINES} as customer_id, "
        f"id div 2 as order_id, date_add(date'2024-01-01', cast(id % 700 as int)) as ordered_at, "
        f"1 + id % 3 as quantity, 9.5D + id % 90 as price "
        f"from range({rows * LINES})"
    )
    begin("features")
    spark.sql(RFM).write.format("noop").mode("overwrite").save()
    ordinary, lifecycle.progress = lifecycle.progress, reported
    try:
        model = fitted(spark, "customers", k)
    finally:
        lifecycle.progress = ordinary
    begin("scoring")
    scored = segql.predict(spark, model, "customers")
    scored.select("id", "segment_id", "segment_key", "distance").write.format("noop").mode(
        "overwrite"
    ).save()


def measured(log: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Processor seconds, shuffled and fetched bytes of each phase, by rows."""
    group_of_stage: dict[int, str] = {}
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    (path,) = log.iterdir()
    with path.open() as lines:
        for line in lines:
            event = json.loads(line)
            if event["Event"] == "SparkListenerJobStart":
                group = event["Properties"].get("spark.jobGroup.id")
                for stage in event["Stage IDs"]:
                    group_of_stage[stage] = group
            if event["Event"] != "SparkListenerTaskEnd" or not event.get("Task Metrics"):
                continue
            group = group_of_stage.get(event["Stage ID"])
            if group is None:
                continue
            metrics = event["Task Metrics"]
            sums = totals[group]
            sums["processor_seconds"] += metrics["Executor CPU Time"] / 1e9
            sums["shuffled_bytes"] += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
            sums["driver_bytes"] += metrics["Result Size"]
    found: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for group, sums in totals.items():
        rows, phase = group.split(" ", 1)
        found[phase][rows] = {name: round(value, 3) for name, value in sums.items()}
    return dict(found)


if __name__ == "__main__":
    main()
