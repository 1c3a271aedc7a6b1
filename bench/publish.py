"""Publishing under load: readers that never fail or see a half, and kills at random moments.

    python bench/publish.py readers --seconds 120
    python bench/publish.py kills --times 50
    python bench/publish.py speed --customers 1e6

readers: dbt builds a demo shop that grows, segql publishes it, again and again; meanwhile two
processes read the served file, opened anew each time and held open from the start, and the Parquet
files. Torn is a read in which two marts do not agree.
kills: a publish is killed (kill -9) at a random moment; the file must open, be the one before or
the new one, and so must the Parquet folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb

import segql

ROOT = Path(__file__).resolve().parents[1]
STORAGE = {"storage_compatibility_version": "v1.4.0"}
#: What has to agree: totals of two marts, and one model version in marts, macros and registry.
AGREES = """
select
    (select sum(customers)::bigint from {segment_summary}),
    (select count(*) from {customer_segments}),
    (select list(distinct model_version) from {customer_segments} where model_version is not null),
    (select list(distinct model_version) from {segment_trust} where model_version is not null)
"""
SERVED = (
    AGREES.format(
        segment_summary="marts.segment_summary",
        customer_segments="marts.customer_segments",
        segment_trust="marts.segment_trust",
    )
    + """,
    (select list(model_version) from segql.models where model_name = 'customers' and is_current),
    (select sum(customers)::bigint from segql.segments('customers')) > 0,
    segql.customers_segment_key(recency := 30, frequency := 5, monetary := 130, tenure := 500)
        in (select segment_key from segql.segments('customers')),
    (select publication_id from segql.publication),
    (select parquet from segql.publication)
"""
)
#: New customers, each with an order, so that every total changes.
GROW = """
insert into raw.order_lines by name
select
    order_id || '-{round}' as order_id, order_line, customer_id || '-{round}' as customer_id,
    ordered_at, product_id, quantity, unit_price, loaded_at
from raw.order_lines where strlen(customer_id) = 9 and hash(customer_id) % 40 = {round} % 40
"""


def summary_of(read: tuple[Any, ...]) -> tuple[Any, ...]:
    """The customers, and the model version, of a read in which all agrees."""
    total, count, versions, trusted, *rest = read
    agrees = total == count and versions == trusted and len(versions) == 1
    if rest:
        agrees = agrees and rest[0] == versions and rest[1] and rest[2]
    if not agrees:
        raise ValueError(f"torn: {read}")
    return count, versions[0]


def read_parquet(folder: str) -> tuple[Any, ...]:
    """Read three marts of one folder."""
    names = ("segment_summary", "customer_segments", "segment_trust")
    files = {name: f"'{folder}/{name}.parquet'" for name in names}
    with duckdb.connect() as con:
        return summary_of(con.execute(AGREES.format(**files)).fetchall()[0])


def reader(folder: Path) -> None:
    """Read until the file `stop` is there; print what was seen."""
    served, link = str(folder / "serve.duckdb"), folder / "parquet"
    # Attached: DuckDB would give every later connection of this process the same old file.
    held = duckdb.connect()
    held.execute(f"attach '{served}' as served (read_only); use served")
    first = held.execute(SERVED).fetchall()
    seen: Counter[str] = Counter()
    errors, slowest, publications = [], 0.0, set()
    while not (folder / "stop").exists():
        for kind in ("anew", "held", "parquet", "link"):
            started = time.perf_counter()
            try:
                if kind == "anew":
                    with duckdb.connect(served, read_only=True) as con:
                        read = con.execute(SERVED).fetchall()[0]
                    publications.add((summary_of(read), read[-2]))
                elif kind == "held":
                    if held.execute(SERVED).fetchall() != first:
                        raise ValueError("torn: what is held open has changed")
                elif kind == "parquet":
                    read_parquet(os.path.realpath(link))
                else:
                    duckdb.sql(
                        f"select count(*) from '{link}/customer_segments.parquet'"
                    ).fetchall()
            except (duckdb.Error, ValueError, OSError) as error:
                errors.append(f"{kind}: {error}")
            slowest = max(slowest, time.perf_counter() - started)
            seen[kind] += 1
            # Two busy readers would leave dbt no processor.
            time.sleep(0.03)
    held.close()
    print(json.dumps({
        "reads": seen, "errors": errors, "slowest": round(slowest, 2),
        "publications": len({name for _, name in publications}),
        "contents": len({content for content, _ in publications}),
    }))  # fmt: skip


def build_shop(folder: Path, customers: int) -> Path:
    """Build the demo shop."""
    database = folder / "warehouse.duckdb"
    command = [sys.executable, str(ROOT / "datasets" / "build.py"), "--database", str(database)]
    subprocess.run([*command, "--customers", str(customers)], check=True,
                   env=environment(folder), stdout=subprocess.DEVNULL)  # fmt: skip
    return database


def environment(folder: Path) -> dict[str, str]:
    """Where dbt and segql find the warehouse and write their own files."""
    return os.environ | {
        "SEGQL_DATABASE": str(folder / "warehouse.duckdb"),
        "DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }  # fmt: skip


def dbt_build(folder: Path, *arguments: str) -> None:
    """Build the shop, and publish it from dbt."""
    settings = {
        "publish_to": str(folder / "serve.duckdb"), "publish_parquet": str(folder / "parquet"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "dbt.cli.main", "build", *arguments, "--project-dir",
         str(ROOT / "dbt_project"), "--profiles-dir", str(ROOT), "--vars", json.dumps(settings)],
        env=environment(folder), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode or "segql: published" not in done.stdout:
        raise RuntimeError(done.stdout[-3000:])


def publish_command(folder: Path) -> None:
    """Publish from the command line."""
    subprocess.run(
        [sys.executable, "-m", "segql.cli", "publish", "--parquet", str(folder / "parquet")],
        env=environment(folder), check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def readers(folder: Path, options: argparse.Namespace) -> bool:
    """Build and publish in a loop while two processes read; tell whether all reads agreed."""
    database = build_shop(folder, options.customers)
    publish_command(folder)
    command = [sys.executable, __file__, "reader", "--folder", str(folder)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    builds = publishes = 0
    until = time.monotonic() + options.seconds
    while time.monotonic() < until:
        with duckdb.connect(str(database), config=STORAGE) as con:
            con.execute(GROW.format(round=builds))
        # Every second one learns anew: another model version in every mart.
        dbt_build(folder, *(["--full-refresh"] if builds % 2 else []))
        builds += 1
        for _ in range(options.publishes):
            publish_command(folder)
            publishes += 1
    (folder / "stop").touch()
    fine = True
    for number, process in enumerate(processes):
        said, _ = process.communicate(timeout=120)
        found = json.loads(said)
        print(f"reader {number}: {json.dumps(found)}")
        fine &= not found["errors"] and found["contents"] > 1
    print(f"{builds} dbt builds that published, {publishes} publishes by the command")
    return fine


KILLED = """
import sys, duckdb, segql
con = duckdb.connect(sys.argv[1], read_only=True)
print("ready", flush=True)
segql.publish(con, sys.argv[2], sys.argv[3])
"""


def kills(folder: Path, options: argparse.Namespace) -> bool:
    """Kill publishes; tell whether the served file was whole after each, and the old or new one."""
    database = build_shop(folder, options.customers)
    places = [str(database), str(folder / "serve.duckdb"), str(folder / "parquet")]
    with duckdb.connect(str(database), config=STORAGE) as con:
        con.execute("create table marts.round as select 0 as round")
    started = time.perf_counter()
    with duckdb.connect(places[0], read_only=True) as con:
        segql.publish(con, *places[1:])
    seconds = time.perf_counter() - started
    draw = random.Random(options.seed)
    seen: Counter[str] = Counter()
    before = 0
    for round in range(1, options.times + 1):
        with duckdb.connect(str(database), config=STORAGE) as con:
            con.execute(f"update marts.round set round = {round}")
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, *places], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0, 1.2 * seconds))
        process.kill()
        seen["ended before the kill" if process.wait() == 0 else "killed"] += 1
        seen["left something behind"] += any(
            item.name.endswith((".part", ".part.wal")) for item in folder.iterdir()
        ) or any(item.name.endswith(".part") for item in (folder / ".parquet.versions").iterdir())
        with duckdb.connect(places[1], read_only=True) as con:
            summary_of(con.execute(SERVED).fetchall()[0])
            [(served,)] = con.execute("from marts.round").fetchall()
        linked = os.path.realpath(places[2])
        read_parquet(linked)
        [(parquet,)] = duckdb.sql(f"from '{linked}/round.parquet'").fetchall()
        for kind, found in (("file", served), ("folder", parquet)):
            if found not in (before, round):
                raise ValueError(f"the {kind} is of round {found}, not {before} or {round}")
            seen[f"{kind} {'new' if found == round else 'old'}"] += 1
        # Both are of the one publish from here on.
        before = served if served == parquet else publish_again(places, seen)
    publish_again(places, seen)
    left = [item.name for item in folder.iterdir() if ".part" in item.name]
    print(f"a publish takes {seconds:.2f} s; {options.times} kills: {dict(seen)}; left: {left}")
    return not left


def publish_again(places: list[str], seen: Counter[str]) -> int:
    """Publish whole, and return the round that is served now."""
    seen["published again"] += 1
    with duckdb.connect(places[0], read_only=True) as con:
        segql.publish(con, *places[1:])
        return int(con.execute("from marts.round").fetchall()[0][0])


def speed(folder: Path, options: argparse.Namespace) -> bool:
    """Time a publish of that many customers with ten texts each, beside a bare copy of the file."""
    database = folder / "warehouse.duckdb"
    texts = ", ".join(f"'text {i} of ' || n % {10 ** (i % 6 + 1)} as text_{i}" for i in range(10))
    with duckdb.connect(str(database), config=STORAGE) as con:
        con.execute(
            "create schema marts; create table marts.customer_segments as select n as customer_id, "
            f"{texts}, n % 977 * 1.5 as recency from range({options.customers}) as r (n)"
        )
        segql.fit(con, "marts.customer_segments", id="customer_id", name="customers", k=3,
                  features=["recency"])  # fmt: skip
        con.execute("checkpoint")
        started = time.perf_counter()
        con.execute(f"attach '{folder}/bare.duckdb' as bare (storage_version 'v1.4.0'); "
                    "copy from database warehouse to bare; detach bare")  # fmt: skip
        bare = time.perf_counter() - started
        started = time.perf_counter()
        segql.publish(con, folder / "serve.duckdb")
        served = time.perf_counter() - started
        started = time.perf_counter()
        segql.publish(con, folder / "serve.duckdb", folder / "parquet")
        both = time.perf_counter() - started
    print(f"{options.customers} customers: bare copy {bare:.2f} s, publish {served:.2f} s, "
          f"with Parquet {both:.2f} s")  # fmt: skip
    return True


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("task", choices=["readers", "kills", "speed", "reader"])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--publishes", type=int, default=5, help="by the command, after each build")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--customers", type=lambda text: int(float(text)), default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.task == "reader":
        reader(options.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        tasks = {"readers": readers, "kills": kills, "speed": speed}
        if not tasks[options.task](Path(folder), options):
            sys.exit(1)


if __name__ == "__main__":
    main()
