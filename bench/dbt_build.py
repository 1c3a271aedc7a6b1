"""Order lines to RFM and learned segments: one dbt build against the same steps in pandas.

    python bench/dbt_build.py --lines 20000000 --customers 2000000 --memory-limit 4GB

Both read the same DuckDB file in processes of their own. dbt runs with a frozen model and frozen
cut points, as a nightly run does; its figure is the whole process, start of dbt included, and the
sum of its models' own seconds stands beside it. The first build, with the fit, is reported too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[1]
STORAGE = {"storage_compatibility_version": "v1.4.0"}
LINES = """
create table raw.order_lines as
select
    (hash(line // 3, 11) % {customers})::bigint as customer_id,
    line // 3 as order_id,
    timestamp '2024-01-01' + to_seconds((hash(line // 3, 13) % 63072000)::bigint) as ordered_at,
    (hash(line, 17) % 5000)::bigint as product_id,
    if(hash(line, 19) % 50 = 0, -1, 1 + hash(line, 23) % 4)::integer as quantity,
    (1 + hash(line, 29) % 10000 / 100.0)::double as unit_price
from range({lines}) as lines (line)
"""
FEATURES = ["recency", "frequency", "monetary", "tenure"]


def main() -> None:
    """Build twice, run pandas, print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=float, default=2e6)
    parser.add_argument("--customers", type=float, default=2e5)
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pandas", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pandas:
        print(json.dumps(pandas_steps(options.pandas)))
        return
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "warehouse.duckdb"
        with duckdb.connect(str(database), config=STORAGE) as connection:
            connection.execute("create schema raw")
            connection.execute(
                LINES.format(lines=int(options.lines), customers=int(options.customers))
            )
        dbt(folder, database, options.memory_limit, "deps")
        figures: dict[str, Any] = {
            "lines": int(options.lines),
            "customers": int(options.customers),
            "memory_limit": options.memory_limit,
            "first build, all models and tests": dbt(folder, database, options.memory_limit,
                                                     "build"),
            "dbt": [],
            "pandas": [],
        }  # fmt: skip
        chosen = ["build", "--select", "+rfm_segments", "+kmeans_segments",
                  "--exclude-resource-type", "test", "unit_test"]  # fmt: skip
        for _ in range(options.runs):
            figures["dbt"].append(dbt(folder, database, options.memory_limit, *chosen))
            figures["pandas"].append(run_pandas(database))
    for place in ("wall", "models"):
        ratios = [
            theirs["wall"] / ours[place]
            for ours, theirs in zip(figures["dbt"], figures["pandas"], strict=True)
        ]
        figures[f"pandas / dbt ({place})"] = sorted(ratios)[len(ratios) // 2]
    text = json.dumps(figures, indent=2)
    print(text)
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / "dbt_build.json").write_text(text, encoding="utf-8")


def dbt(folder: str, database: Path, memory_limit: str, *command: str) -> dict[str, float]:
    """Run dbt on the reference project in a process of its own."""
    profiles = (ROOT / "profiles.yml").read_text(encoding="utf-8")
    limit = f"threads: 2\n      settings: {{memory_limit: {memory_limit}}}"
    (Path(folder) / "profiles.yml").write_text(profiles.replace("threads: 2", limit))
    environment = os.environ | {
        "SEGQL_DATABASE": str(database),
        "DBT_TARGET_PATH": f"{folder}/target",
        "DBT_LOG_PATH": f"{folder}/logs",
    }
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--quiet", *command, "--project-dir",
         str(ROOT / "dbt_project"), "--profiles-dir", folder, "--vars", "{k: 5}"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wall = time.perf_counter() - started
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    figures = {"wall": round(wall, 2)}
    results = Path(folder) / "target" / "run_results.json"
    if command[0] == "build" and results.exists():
        nodes = json.loads(results.read_text(encoding="utf-8"))["results"]
        spans = [
            timing
            for node in nodes
            for timing in node["timing"]
            if timing["name"] == "execute" and node["unique_id"].startswith("model.")
        ]
        # From the start of the first model to the end of the last: threads overlap.
        figures["models"] = round(
            _seconds(max(span["completed_at"] for span in spans))
            - _seconds(min(span["started_at"] for span in spans)), 2,
        )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return figures | {"peak_mb_so_far": peak}


def _seconds(moment: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def run_pandas(database: Path) -> dict[str, float]:
    """Run the same steps in pandas, in a process of its own."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--pandas", str(database)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {"wall": round(time.perf_counter() - started, 2)} | figures


def pandas_steps(database: str) -> dict[str, float]:
    """Features, RFM scores and segments, and the nearest centroid, written back as Parquet."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import pairwise_distances_argmin

    with duckdb.connect(database, read_only=True) as connection:
        lines = connection.sql("from raw.order_lines").df()
        cuts = connection.sql("from segql.rfm_cuts").df().set_index("dimension")
        centroids = connection.sql(
            "pivot (select * from segql.centroids('customers')) on feature"
            " using first(standardized_value) group by centroid_id"
        ).df()[FEATURES]
    started = time.perf_counter()
    lines["day"] = lines["ordered_at"].dt.normalize()
    lines["amount"] = lines["quantity"] * lines["unit_price"]
    as_of = lines["day"].max()
    used = lines[(lines["quantity"] > 0) & (lines["unit_price"] > 0)]
    groups = used.groupby("customer_id")
    features = groups.agg(
        first=("day", "min"), last=("day", "max"), gross=("amount", "sum"),
        frequency=("order_id", "nunique"), distinct_products=("product_id", "nunique"),
    )  # fmt: skip
    returned = lines[lines["quantity"] < 0].groupby("customer_id")["amount"].sum()
    features["monetary"] = features["gross"].add(returned, fill_value=0)
    features["recency"] = (as_of - features["last"]).dt.days
    features["tenure"] = (as_of - features["first"]).dt.days
    features["average_order_value"] = features["gross"] / features["frequency"]
    span = (features["last"] - features["first"]).dt.days
    features["inter_purchase_interval"] = span / (features["frequency"] - 1).replace(0, np.nan)
    for name, sign in (("recency", -1), ("frequency", 1), ("monetary", 1)):
        points = cuts.loc[name, ["cut_1", "cut_2", "cut_3", "cut_4"]].to_numpy(float)
        place = np.searchsorted(points, features[name], side="left")
        features[f"{name}_score"] = 1 + place if sign > 0 else 5 - place
    code = (
        features["recency_score"].astype(str) + features["frequency_score"].astype(str)
        + features["monetary_score"].astype(str)
    )  # fmt: skip
    features["rfm_code"] = code
    logs = np.log1p(features[FEATURES].clip(lower=0))
    points = (logs - logs.mean()) / logs.std(ddof=0)
    features["segment"] = pairwise_distances_argmin(points, centroids)
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        pd.DataFrame(features).to_parquet(file.name)
    return {
        "steps": round(time.perf_counter() - started, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    main()
