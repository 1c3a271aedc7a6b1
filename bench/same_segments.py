"""Fit shuffled copies of the same rows under 1, 2 and 4 threads and compare every label."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import duckdb
from generate import COLUMNS, generate

import segql

HERE = Path(__file__).resolve().parent


def labelled(connection: duckdb.DuckDBPyConnection, seed: int, threads: int, k: str) -> int:
    """Shuffle, fit, and return a fingerprint of (id, segment_id) over all rows."""
    connection.execute(f"set threads = {threads}")
    connection.execute(
        "create or replace temp table shuffled as "
        f"select * from customers order by hash(id, {seed})"
    )
    model = segql.fit(
        connection,
        "shuffled",
        id="id",
        k=int(k) if k.isdigit() else k,
        features={name: {"transform": "log1p"} for name in COLUMNS},
    )
    query = model.sql(relation="shuffled")
    row = connection.execute(
        f"select sum(hash(id, segment_id)::hugeint), count(segment_id) from ({query})"
    ).fetchone()
    assert row is not None
    return hash(row)


def main() -> None:
    """Run the fits and say how many different answers there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--fits", type=int, default=20)
    parser.add_argument("--k", default="8")
    options = parser.parse_args()
    database = HERE / "results" / f"customers_{options.rows}.duckdb"
    database.parent.mkdir(exist_ok=True)
    generate(database, options.rows)
    with duckdb.connect(str(database), read_only=True) as connection:
        answers = {
            labelled(connection, seed, threads, options.k)
            for seed, threads in zip(range(options.fits), itertools.cycle((1, 2, 4)))
        }
    print(f"{options.fits} fits of {options.rows} rows: {len(answers)} different labelling(s)")
    raise SystemExit(len(answers) != 1)


if __name__ == "__main__":
    main()
