"""Wide models: the text of their macros, and what scoring costs per row, feature and segment."""

from __future__ import annotations

import argparse
import time

import duckdb

import segql

COLUMNS = "segment_id, segment_key, distance, next_segment_id, confidence"


def main() -> None:
    """Print a line per shape; the ratio is to the first one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", nargs="+", default=["6x8", "50x20"], help="features x segments")
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    first: dict[str, float] = {}
    for shape in options.shapes:
        features, segments = (int(part) for part in shape.split("x"))
        text, costs, fitted = measure(features, segments, int(options.rows), options.runs)
        ratios = ", ".join(
            f"{name} {cost:.2f} ns ({cost / first.setdefault(name, cost):.2f} x)"
            for name, cost in costs.items()
        )
        print(f"{shape}: fit {fitted:.1f} s, largest macro {text:,} characters, "
              f"per row and product: {ratios}")  # fmt: skip


def measure(
    features: int, segments: int, rows: int, runs: int
) -> tuple[int, dict[str, float], float]:
    """Fit on a part of the rows and score all of them."""
    names = [f"f{number}" for number in range(features)]
    columns = ", ".join(
        f"((hash(i, {j}) % 1000003) / 1e5 + 7 * (hash(i % {segments}, {j}, 7) % 10))::double as {n}"
        for j, n in enumerate(names)
    )
    with duckdb.connect() as con:
        con.execute(f"create table t as select i as id, {columns} from range({rows}) as r (i)")
        con.execute("create view few as from t limit 20000")
        started = time.perf_counter()
        segql.fit(con, "few", id="id", name="m", k=segments, features=names)
        fitted = time.perf_counter() - started
        [(text,)] = con.execute(
            "select max(length(macro_definition)) from duckdb_functions() "
            "where schema_name = 'segql' and starts_with(function_name, 'm_')"
        ).fetchall()
        costs = {}
        for name, listed in (("segment_id", "segment_id"), ("all columns", COLUMNS)):
            seconds = []
            for _ in range(runs):
                started = time.perf_counter()
                con.execute(
                    f"create or replace table o as select id, {listed} from segql.predict('m', 't')"
                )
                seconds.append(time.perf_counter() - started)
            costs[name] = min(seconds) / rows / features / segments * 1e9
    return int(text), costs, fitted


if __name__ == "__main__":
    main()
