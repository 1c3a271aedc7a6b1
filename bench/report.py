"""The report on a shop of a million customers: how long, how large, how much memory.

    python bench/report.py --customers 1000000 --orders 4

Builds the reference project on generated order lines, then runs `segql report` in processes of
its own. Another database by --database. The peak of memory is that of the largest process, dbt's
included where it was built here.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dbt_build
import duckdb

RESULTS = Path(__file__).with_name("results")


def main() -> None:
    """Build, report, print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=float, default=1e6)
    parser.add_argument("--orders", type=float, default=4, help="of three lines, a customer")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--database", type=Path, help="of a shop that is built")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = options.database or built(Path(folder), options.customers, options.orders)
        figures = report(database, Path(folder), options.runs)
    text = json.dumps(figures, indent=2)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "report.json").write_text(text, encoding="utf-8")


def built(folder: Path, customers: float, orders: float) -> Path:
    """Build the reference project on generated lines."""
    database = folder / "warehouse.duckdb"
    lines = int(customers * orders * 3)
    with duckdb.connect(str(database), config=dbt_build.STORAGE) as connection:
        connection.execute("create schema raw")
        connection.execute(dbt_build.LINES.format(lines=lines, customers=int(customers)))
    dbt_build.dbt(str(folder), database, "8GB", "deps")
    dbt_build.dbt(str(folder), database, "8GB", "build", "--exclude-resource-type", "test",
                  "unit_test")  # fmt: skip
    return database


def report(database: Path, folder: Path, runs: int) -> dict[str, Any]:
    """Run the command some times, each in a process of its own."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "segql.cli", "report", "--database", str(database), "--to",
             str(folder / "report.html"), "--json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds.append(round(time.perf_counter() - started, 2))
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
    said = json.loads(done.stdout.splitlines()[-1])
    with duckdb.connect(str(database), read_only=True) as connection:
        [(customers,)] = connection.execute(
            "select count(*) from marts.customer_segments"
        ).fetchall()
    return {
        "customers": customers,
        "seconds": sorted(seconds),
        "megabytes": round(said["bytes"] / 1e6, 2),
        "charts and tables": len(said["shown"]),
        "absent": said["absent"],
        "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    main()
