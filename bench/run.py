"""Run the contenders in turn on the same rows and print medians and ratios."""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from contenders import CONTENDERS
from generate import generate
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
OPTIONAL = {"faiss": "faiss", "spark": "pyspark"}
#: Each ratio that is quoted: its name, the figure above the line, the figure below it.
RATIOS = (
    ("sklearn n_init=1 / segql, seconds", ("sklearn_1", "seconds"), ("segql", "seconds")),
    ("sklearn n_init=10 / segql, seconds", ("sklearn_10", "seconds"), ("segql", "seconds")),
    ("segql / sklearn n_init=10, inertia", ("segql", "inertia"), ("sklearn_10", "inertia")),
    ("sklearn 9 k / segql auto, seconds", ("sklearn_auto", "seconds"), ("segql_auto", "seconds")),
    ("segql auto / segql fixed k, seconds", ("segql_auto", "seconds"), ("segql", "seconds")),
    ("segment_id / copy, seconds", ("scoring", "segment_id"), ("scoring", "copy")),
    ("all columns / copy, seconds", ("scoring", "all columns"), ("scoring", "copy")),
    ("silhouette / Lloyd pass, seconds", ("metrics", "silhouette"), ("metrics", "Lloyd pass")),
    ("faiss / segql, seconds", ("faiss", "seconds"), ("segql", "seconds")),
    ("Spark MLlib fit / segql, seconds", ("spark", "fit"), ("segql", "seconds")),
)  # fmt: skip


def available(names: list[str]) -> list[str]:
    """Leave out peers that are not installed, and say so."""
    kept = []
    for name in names:
        module = OPTIONAL.get(name)
        if module is not None and importlib.util.find_spec(module) is None:
            print(f"{name}: {module} is not installed, left out")
        else:
            kept.append(name)
    return kept


def run(name: str, database: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one contender in a process of its own."""
    command = [
        sys.executable, str(HERE / "contenders.py"), name, "--database", str(database),
        "--k", str(options.k), "--memory-limit", options.memory_limit,
        "--threads", str(options.threads),
    ]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"{name} failed:\n{finished.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result | result.pop("phases")


def medians(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Median of each figure over the runs."""
    return {name: statistics.median(item[name] for item in runs) for name in runs[0]}


def show(results: dict[str, dict[str, float]], ratios: dict[str, float]) -> None:
    """Print both tables."""
    console = Console()
    table = Table("contender", "seconds", "peak MB", "inertia", "k", "phases")
    for name, figures in results.items():
        known = {"seconds", "peak_mb", "inertia", "k"}
        phases = ", ".join(
            f"{key} {value:.3g}" for key, value in figures.items() if key not in known
        )
        table.add_row(
            name, f"{figures['seconds']:.2f}", f"{figures['peak_mb']:.0f}",
            f"{figures['inertia']:.6g}" if "inertia" in figures else "",
            f"{figures.get('k', 0):.0f}", phases,
        )  # fmt: skip
    console.print(table)
    second = Table("ratio", "")
    for name, value in ratios.items():
        second.add_row(name, f"{value:.4f}")
    console.print(second)


def main() -> None:
    """Generate the rows, run everything in turn, print and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--memory-limit", default="1GB")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--directory", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    database = options.directory / f"customers_{options.rows}.duckdb"
    generate(database, options.rows)
    names = available(options.contenders.split(","))
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(options.runs):
        for name in names:
            runs[name].append(run(name, database, options))
    results = {name: medians(found) for name, found in runs.items()}
    ratios = {
        label: results[above[0]][above[1]] / results[below[0]][below[1]]
        for label, above, below in RATIOS
        if above[0] in results and below[0] in results
    }
    show(results, ratios)
    target = options.directory / f"bench_{options.rows}.json"
    stored = {"options": vars(options) | {"directory": None}, "results": results, "ratios": ratios}
    target.write_text(json.dumps(stored, indent=2, default=str) + "\n")
    print(f"written to {target}")


if __name__ == "__main__":
    main()
