"""Product macros measured: false discoveries on noise, and recommendations against popularity.

    python bench/products.py noise --seeds 100
    python bench/products.py hits --dataset online_retail --data path/to/online_retail
    python bench/products.py hits --dataset complete_journey --data path/to/complete_journey
    python bench/products.py speed --lines 1e6

noise: shops in which nobody's segment has to do with what they buy, forty products; with segments
drawn blindly, and with segments by how much a customer buys. hits: segments and recommendations
from all but the last three months, looked up in what the customers who came back bought then.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import yaml

ROOT = Path(__file__).resolve().parents[1]
STORAGE = {"storage_compatibility_version": "v1.4.0"}
CUTS = {"online_retail": "2011-09-08", "complete_journey": "2017-09-30"}
KINDS = ("blind", "by breadth")
NOISE = """
create or replace table main.segments as
select
    'c' || customer as customer_id,
    'S' || (
        case '{kind}'
            when 'blind' then 1 + (hash(customer, {seed}, 1) % 100 ** 2 / 2000)::integer
            else 1 + (customer % 5)
        end
    ) as segment_key,
    1 + case '{kind}' when 'blind' then hash(customer, {seed}, 2) % 8
        else (customer % 5) ** 2 + hash(customer, {seed}, 2) % 3 end as lines
from range({customers}) as customers (customer);

create or replace table main.lines as
select
    customer_id,
    customer_id || '-' || line as order_id,
    timestamp '2025-01-01' + to_days((hash(customer_id, line, {seed}, 3) % 300)::integer)
        as ordered_at,
    'p' || floor(40 * ((hash(customer_id, line, {seed}, 4) % 1000003) / 1000003e0) ** 1.7)::integer
        as product_id,
    1 as quantity,
    9e0 as unit_price
from main.segments, range(100) as numbers (line)
where line < lines;
"""
SPEED = """
create table main.segments as
select customer as customer_id, 'S' || customer % 6 as segment_key
from range({customers}) as customers (customer);

create table main.lines as
select
    (hash(line // 3, 11) % {customers})::bigint as customer_id,
    line // 3 as order_id,
    timestamp '2024-01-01' + to_seconds((hash(line // 3, 13) % 63072000)::bigint) as ordered_at,
    floor(5000 * ((hash(line, 17) % 1000003) / 1000003e0) ** 2)::bigint as product_id,
    1 as quantity,
    9e0 as unit_price
from range({lines}) as lines (line)
"""


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=["noise", "hits", "speed"])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--customers", type=float, default=3000)
    parser.add_argument("--lines", type=float, default=1e6)
    parser.add_argument("--dataset", choices=list(CUTS), default="online_retail")
    parser.add_argument("--data", default=".")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.task == "noise":
            noise(Path(folder), options.seeds, int(options.customers))
        elif options.task == "hits":
            hits(Path(folder), options.dataset, options.data)
        else:
            speed(Path(folder), int(options.lines))


def noise(folder: Path, seeds: int, customers: int) -> None:
    """Count the seeds with a distinctive product where there is none."""
    for kind in KINDS:
        found = distinctive_on_noise(folder, kind, range(seeds), customers)
        print(
            f"segments {kind}: {sum(map(bool, found))} of {seeds} seeds with a distinctive"
            f" product, {sum(found)} products in all"
        )


def distinctive_on_noise(folder: Path, kind: str, seeds: range, customers: int) -> list[int]:
    """Count the distinctive products of each seed."""
    with connect(folder) as con:
        con.execute(NOISE.format(kind=kind, seed=0, customers=100))
    queries = project(folder, affinity="segql.product_affinity('main.lines', 'main.segments')")
    found = []
    with connect(folder) as con:
        for seed in seeds:
            con.execute(NOISE.format(kind=kind, seed=seed, customers=customers))
            found += con.execute(
                f"select count(*) filter (is_distinctive) from ({queries['affinity']})"
            ).fetchone()
    return found


def hits(folder: Path, dataset: str, data: str) -> None:
    """Print the share of returning customers with a hit among their ten recommendations."""
    cut = CUTS[dataset]
    place = ROOT / "datasets" / dataset
    settings = yaml.safe_load((place / "vars.yml").read_text(encoding="utf-8")) or {}
    given = "".join(f", {key}={value!r}" for key, value in settings.items())
    with connect(folder) as con:
        con.execute("create schema raw; set variable data = ?", [data])
        con.execute((place / "load.sql").read_text(encoding="utf-8"))
    segments = "'(select *, 1 as everybody from ' ~ ref('customer_segments') ~ ')'"
    asked = (
        f"'raw.order_lines', {segments}, '{cut}', none, buyers=1000000,"
        f" segmentations={{'segments': 'segment_key', 'everybody': 'everybody'}}{given}"
    )
    project(
        folder,
        run=True,
        customer_features=f"segql.rfm_features('raw.order_lines', '{cut}'{given})",
        new=f"segql.recommendation_hits({asked})",
        bought=f"segql.recommendation_hits({asked}, owned=true)",
    )
    with connect(folder) as con:
        print(f"{dataset}, recommended on {cut}; share of customers with a hit among ten")
        for truth in ("new", "bought"):
            for row in con.execute(f"""
                select segmentation, buyers, hit_rate, precision_rate, popular_hit_rate,
                    popular_precision_rate
                from {truth}
            """).fetchall():
                print(
                    "  {:6} {:9} {} customers  hit rate {:.4f}  precision {:.4f}"
                    "  of popular {:.4f}  precision {:.4f}".format(truth, *row)
                )


def speed(folder: Path, lines: int) -> None:
    """Time both macros on made-up order lines."""
    with connect(folder) as con:
        con.execute(SPEED.format(lines=lines, customers=lines // 10))
    queries = project(
        folder,
        affinity="segql.product_affinity('main.lines', 'main.segments')",
        recommended="segql.recommendations('main.lines', 'main.segments')",
    )
    with connect(folder) as con:
        for name, query in queries.items():
            started = time.perf_counter()
            con.execute(f"create or replace table main.{name} as {query}")
            print(f"{name}: {time.perf_counter() - started:.1f} s for {lines} lines")


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open the shop of the folder."""
    return duckdb.connect(str(folder / "shop.duckdb"), config=STORAGE)


def project(folder: Path, *, run: bool = False, **macros: str) -> dict[str, str]:
    """Write a dbt project of one model a macro; compile or run it, and return its queries."""
    files = {
        "dbt_project.yml": "name: bench\nprofile: bench\n",
        "packages.yml": f"packages:\n  - local: {ROOT / 'macros'}\n",
        "profiles.yml": "bench:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n"
        "      path: shop.duckdb\n      config_options:"
        " {storage_compatibility_version: v1.4.0}\n"
        "      plugins: [{module: segql.dbt_plugin, alias: segql}]\n",
    }
    for name, call in macros.items():
        files[f"models/{name}.sql"] = "{{ config(materialized='table') }}\n{{ " + call + " }}\n"
    if run:
        files["models/customer_segments.sql"] = (
            "{{ config(materialized='segmentation', id='customer_id', features={"
            + ", ".join(
                f"'{name}': {{'transform': 'log1p'}}"
                for name in ("recency", "frequency", "monetary", "tenure")
            )
            + "}) }}\nselect * from {{ ref('customer_features') }}\n"
        )
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    dbt(folder, "deps")
    dbt(folder, "run" if run else "compile")
    compiled = folder / "target" / "compiled" / "bench" / "models"
    return {name: (compiled / f"{name}.sql").read_text(encoding="utf-8") for name in macros}


def dbt(folder: Path, command: str) -> None:
    """Run dbt in the folder."""
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", command, "--profiles-dir", "."],
        cwd=folder,
        env=os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


if __name__ == "__main__":
    main()
