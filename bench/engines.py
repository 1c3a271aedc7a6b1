"""Score generated rows in PostgreSQL by the exported function and by the inlined expression."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import duckdb
from generate import COLUMNS, generate

import segql

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "engines"))
from postgres import Postgres

#: The bars: seconds of the function over those of the expression, and bytes of its text.
MOST_RATIO, MOST_BYTES = 3.0, 8 * 1024
TRAINING_ROWS = 100_000


def rows_in_postgres(rows: int) -> str:
    """Write the statement that makes skewed customers, five per cent of each column missing."""
    columns = ", ".join(
        f"case when random() < 0.95 then exp(sqrt(-2 * ln(1 - random())) * cos(6.28318 * random()) "
        f"* {0.5 + 0.1 * index} + (id % 5) * 0.5 * {index % 3}) end as f{index}"
        for index in range(len(COLUMNS))
    )
    return (
        f"create table customers as select id, {columns} from generate_series(1, {rows}) as s(id)"
    )


def main() -> None:
    """Print the seconds of each run, the ratio of the medians, and the size of the text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--segments", type=int, default=8)
    parser.add_argument("--database", type=Path, default=Path(".build/engines.duckdb"))
    options = parser.parse_args()
    reason = Postgres.missing()
    if reason is not None:
        raise SystemExit(reason)
    options.database.parent.mkdir(exist_ok=True)
    generate(options.database, TRAINING_ROWS)
    with duckdb.connect(str(options.database)) as connection:
        model = segql.fit(
            connection, "customers", id="id", name="bench", features=list(COLUMNS),
            k=options.segments,
        )  # fmt: skip
    arguments = ", ".join(f'"{name}"' for name in model.recipe.names)
    text = model.sql("postgres", "function")
    forms = {
        "expression": model.sql("postgres", "expression"),
        "function": f'"bench_segment"({arguments})',
    }
    server = Postgres()
    try:
        server.start()
        server.run("select setseed(0.42)")
        server.run(rows_in_postgres(options.rows))
        server.run("vacuum analyze customers")
        for statement in model.sql_statements("postgres", "function"):
            server.run(statement)
        different = server.rows(
            f"select count(*) from customers "
            f"where {forms['expression']} is distinct from {forms['function']}"
        )[0][0]
        seconds: dict[str, list[float]] = {form: [] for form in forms}
        for _ in range(options.runs):
            for form, segment in forms.items():
                started = time.perf_counter()
                server.rows(f"select sum({segment}) from customers")
                seconds[form].append(time.perf_counter() - started)
        version = server.version()
    finally:
        server.stop()
    for form, runs in seconds.items():
        print(f"{form}: {', '.join(f'{run:.2f}' for run in runs)} s")
    medians = {form: statistics.median(runs) for form, runs in seconds.items()}
    ratio, size = medians["function"] / medians["expression"], len(text.encode())
    print(f"PostgreSQL {version}, {options.rows} rows, {different} labels differ")
    print(f"function / expression: {ratio:.2f} (bar {MOST_RATIO:g})")
    print(f"function: {size} bytes for {len(COLUMNS)} features and {model.k} segments "
          f"(bar {MOST_BYTES})")  # fmt: skip
    if different or ratio > MOST_RATIO or size > MOST_BYTES:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
