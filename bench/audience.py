"""Holdouts measured: how alike both sides spend, who moves when one customer goes, seconds.

    python bench/audience.py balance --database warehouse.duckdb --seeds 300
    python bench/audience.py speed --customers 1e6

balance: in each segment of the reference project, the mean spend of the held out against that of
the others (root mean square over seeds), and how many of those who stay change sides when one
customer goes. "every tenth" is the systematic draw that segql does not make.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

import segql

SEGMENTS = "marts.customer_segments"
FEATURES = "marts.rfm_segments"
STRATA: dict[str, dict[str, Any]] = {
    "no strata": {"value": None},
    "RFM segments": {"value": None, "strata": "rfm_segment"},
    "deciles of spend": {},
    "both": {"strata": "rfm_segment"},
    "fifty groups of spend": {"value_groups": 50},
}
EVERY_TENTH = """
select customer_id, segment_key, (place + {seed} * 7919) % 10 = 0 as is_holdout
from (
    select segments.customer_id, segments.segment_key, row_number() over (
        partition by segments.segment_key order by monetary, segments.customer_id
    ) as place
    from ({source}) as segments left join marts.rfm_segments using (customer_id)
)
"""
SHOP = """
create schema marts;
create table marts.customer_segments as
select
    'C' || lpad(customer::varchar, 8, '0') as customer_id,
    'S' || 1 + hash(customer) % 5 as segment_key,
    1 as model_version,
    date '2025-12-31' as as_of_date
from range({customers}) as customers (customer);
create table marts.rfm_segments as
select customer_id, exp(4 + 2.5 * (hash(customer_id, 1) % 100000 / 1e5 - 0.5)) as monetary
from marts.customer_segments;
"""


def draw(
    con: duckdb.DuckDBPyConnection, kind: str, seed: int, source: str = SEGMENTS
) -> duckdb.DuckDBPyRelation:
    """Draw a holdout of a tenth."""
    if kind in STRATA:
        return segql.audience(con, source, seed=seed, features=FEATURES, **STRATA[kind])
    query = source if " " in source else f"from {source}"
    return con.sql(EVERY_TENTH.format(seed=seed, source=query))


def balance(database: Path, seeds: int) -> None:
    """Print a line per kind of strata and segment."""
    with duckdb.connect(str(database), read_only=True) as con:
        keys = con.execute(
            f"select segment_key, count(*), min(customer_id) from {SEGMENTS} "
            f"semi join {FEATURES} using (customer_id) group by 1 order by 1"
        ).fetchall()
        for kind in (*STRATA, "every tenth"):
            squares: dict[str, float] = {}
            for seed in range(seeds):
                found = draw(con, kind, seed).query(
                    "drawn",
                    "select segment_key, avg(monetary) filter (is_holdout) "
                    "/ avg(monetary) filter (not is_holdout) - 1 "
                    f"from drawn inner join {FEATURES} using (customer_id) group by 1",
                )
                for key, ratio in found.fetchall():
                    squares[key] = squares.get(key, 0) + ratio**2
            for key, customers, _ in keys:
                off = (squares[key] / seeds) ** 0.5
                print(
                    f"{kind:<22} {key:<4} {customers:>6} customers: {off:6.2%} apart, "
                    f"{moved(con, kind, key):6.1f} move"
                )


def moved(con: duckdb.DuckDBPyConnection, kind: str, key: str, trials: int = 20) -> float:
    """Count who changes sides when a customer of a segment goes, on average."""
    where = f"segment_key = '{key}'"
    ids = con.execute(
        f"select customer_id from {SEGMENTS} where {where} "
        f"order by hash(customer_id) limit {trials}"
    ).fetchall()
    before = _held(draw(con, kind, 42), where)
    count = 0
    for (id,) in ids:
        rest = f"select * from {SEGMENTS} where customer_id <> '{id}'"
        count += len((before ^ _held(draw(con, kind, 42, rest), where)) - {id})
    return count / len(ids)


def _held(rows: duckdb.DuckDBPyRelation, where: str) -> set[str]:
    return {
        id for (id,) in rows.filter(f"is_holdout and {where}").project("customer_id").fetchall()
    }


def speed(customers: int) -> None:
    """Print the seconds of an audience of all segments and of one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(str(Path(folder) / "shop.duckdb")) as con,
    ):
        con.execute(SHOP.format(customers=customers))
        for kind, only in (("parquet", None), ("csv", "S1")):
            started = time.perf_counter()
            rows = segql.audience(con, only=only, features=FEATURES)
            checked = time.perf_counter()
            con.execute(f"copy ({rows.sql_query()}) to '{folder}/a.{kind}' (format {kind})")
            ended = time.perf_counter()
            print(
                f"{customers} customers, {only or 'all segments'}, {kind}: "
                f"{checked - started:.2f} s to check, {ended - checked:.2f} s to draw and write"
            )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    balanced = commands.add_parser("balance")
    balanced.add_argument("--database", type=Path, default=Path("warehouse.duckdb"))
    balanced.add_argument("--seeds", type=int, default=300)
    timed = commands.add_parser("speed")
    timed.add_argument("--customers", type=float, default=1e6)
    asked = parser.parse_args()
    if asked.command == "balance":
        balance(asked.database, asked.seeds)
    else:
        speed(int(asked.customers))


if __name__ == "__main__":
    main()
