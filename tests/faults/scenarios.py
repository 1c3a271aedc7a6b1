"""Runs that are killed, and what is there before each of them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / place) for place in (".", "dbt")]
from harness import PROJECT, ROOT, STORAGE, Shop, ensure_packages  # noqa: E402
from support import load_frame, shop_frame  # noqa: E402

import segql  # noqa: E402
from segql.cli import app  # noqa: E402

DATABASE = "shop.duckdb"
NUMBERS = ["recency", "frequency", "monetary"]
#: A shop of sixty customers; each round is a month later, with orders that change every total.
ORDERS = """
select
    'c' || lpad(customer::varchar, 3, '0') as customer_id,
    'o{round}-' || customer || '-' || place as order_id,
    timestamp '2025-06-30 12:00:00' + to_days(30 * {round})
        - to_days((customer * 7) % 29 + place * (9 - 9 * {round})) as ordered_at,
    'p' || (customer * place) % 17 as product_id,
    1 + (place + {round} * customer) % 3 as quantity,
    (5 + customer % 11 + place)::double as unit_price
from range(1, 61) as customers (customer), range(0, 12) as places (place)
where place < 1 + (customer + {round}) % 12
"""
#: Vars of a build: orders of a later day make the model old.
BUILD = {"k": 3, "refit": {"max_age_days": 1}}
Ready = Callable[[], None]


# -- what is run, and killed -----------------------------------------------------------------


def run_command(*arguments: str) -> None:
    """Run the segql command in the current folder."""
    code = app([*arguments], standalone_mode=False)
    if code:
        raise SystemExit(code)


def run_dbt(ready: Ready, *arguments: str, **dbt_vars: Any) -> None:
    """Run dbt in the current folder; ready when the first model is about to start."""
    from dbt.cli.main import dbtRunner

    def listen(event: Any) -> None:
        if event.info.name == "ConcurrencyLine":
            ready()

    done = dbtRunner(callbacks=[listen]).invoke(
        ["--no-use-colors", "--quiet", *arguments, "--project-dir", str(PROJECT),
         "--profiles-dir", str(ROOT), "--vars", json.dumps(dbt_vars)]
    )  # fmt: skip
    if not done.success:
        raise SystemExit(f"dbt {' '.join(arguments)} failed: {done.exception or done.result}")


def fit(ready: Ready) -> None:
    """Fit as `segql fit` does: the same rows and options are no new fit."""
    ready()
    k = (Path.cwd() / "k").read_text()
    run_command("fit", "customers", "t", "--id", "customer_id", "--k", k, "--database", DATABASE,
                "--features", ",".join(NUMBERS))  # fmt: skip


def density(ready: Ready) -> None:
    """Fit a model that scores by a join with its cells."""
    ready()
    run_command("fit", "dense", "t", "--id", "customer_id", "--algorithm", "dbscan",
                "--eps", "0.15", "--database", DATABASE,
                "--features", "recency,monetary")  # fmt: skip


def roll_back(ready: Ready) -> None:
    """Make the version before current."""
    ready()
    run_command("use-version", "customers", "1", "--database", DATABASE)


def drop(ready: Ready) -> None:
    """Drop the version before; one that is gone already is no failure here."""
    ready()
    with duckdb.connect(DATABASE) as con:
        if 1 in set(segql.models(con)["model_version"]):
            segql.drop(con, "customers", 1)


def forget(ready: Ready) -> None:
    """Forget a customer, in a file that somebody left with a log."""
    ready()
    run_command("forget", "c00007", "--yes", "--schema", "main", "--database", DATABASE)


def publish(ready: Ready) -> None:
    """Publish the file and the Parquet folder."""
    ready()
    run_command("publish", "--database", DATABASE, "--parquet", "parquet")


def build(ready: Ready) -> None:
    """Build the reference project."""
    run_dbt(ready, "build", "--exclude-resource-type", "test", "unit_test",
            **BUILD)  # fmt: skip


def history(ready: Ready) -> None:
    """Rebuild the past."""
    run_dbt(ready, "run", "--select", "segment_history", "segment_transitions",
            k=3, history_months=6)  # fmt: skip


# -- what was there before -------------------------------------------------------------------


def a_table(folder: Path) -> None:
    """Make customers; no model yet."""
    with duckdb.connect(str(folder / DATABASE), config=STORAGE) as con:
        load_frame(con, "t", shop_frame(400))
    (folder / "k").write_text("3")


def a_model(folder: Path) -> None:
    """Store a model of three segments; the run asks for four."""
    a_table(folder)
    with duckdb.connect(str(folder / DATABASE)) as con:
        segql.fit(con, "t", id="customer_id", name="customers", k=3, features=NUMBERS)
    (folder / "k").write_text("4")


def two_models(folder: Path) -> None:
    """Store two versions, and what is in the served file."""
    a_model(folder)
    with duckdb.connect(str(folder / DATABASE)) as con:
        segql.fit(con, "t", id="customer_id", name="customers", k=4, features=NUMBERS)


def marts(folder: Path) -> None:
    """Publish, then change what is to be published."""
    a_model(folder)
    database = str(folder / DATABASE)
    for k in (3, 4):
        with duckdb.connect(database) as con:
            if k == 4:
                segql.fit(con, "t", id="customer_id", name="customers", k=4, features=NUMBERS)
            con.execute("create schema if not exists marts; create or replace table "
                        "marts.customer_segments as select customer_id, segment_key, "
                        "segment_id from segql.predict('customers', 't')")  # fmt: skip
        if k == 3:
            with duckdb.connect(database, read_only=True) as con:
                segql.publish(con, folder / "serve.duckdb", folder / "parquet")


def a_log(folder: Path) -> None:
    """Leave a file whose last transactions are in its log, as after a kill."""
    a_model(folder)
    source = folder / DATABASE
    con = duckdb.connect(str(source))
    con.execute("checkpoint; create table late as select customer_id, 1 as one from t")
    for name in (DATABASE, f"{DATABASE}.wal"):
        shutil.copy(folder / name, folder / f"{name}.kept")
    con.close()
    for name in (DATABASE, f"{DATABASE}.wal"):
        os.replace(folder / f"{name}.kept", folder / name)


def orders(folder: Path) -> None:
    """Make a shop that was never built, and have what dbt needs to build it."""
    with tempfile.TemporaryDirectory() as other:
        ensure_packages(Path(other))
    Shop(folder / DATABASE, {}).run_sql(
        f"create schema raw; create table raw.order_lines as {ORDERS.format(round=0)}"
    )


def a_built_shop(folder: Path) -> None:
    """Build a shop, and sell for another month."""
    orders(folder)
    shop = Shop(folder / DATABASE, BUILD)
    # In another process: dbt keeps its connection.
    shop.build()
    shop.run_sql(f"insert into raw.order_lines by name {ORDERS.format(round=1)}")


def within(folder: Path, run: Callable[[Ready], None], ready: Ready = lambda: None) -> None:
    """Run in a folder, with dbt's own files there too, and leave it."""
    back = Path.cwd()
    os.environ |= {
        "SEGQL_DATABASE": DATABASE, "DBT_TARGET_PATH": "target", "DBT_LOG_PATH": "logs",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "PYTHONWARNINGS": "ignore::RuntimeWarning",
    }  # fmt: skip
    os.chdir(folder)
    try:
        run(ready)
    finally:
        os.chdir(back)


@dataclass(frozen=True)
class Scenario:
    """A run, what is there before, and how much of it changes at once."""

    run: Callable[[Ready], None]
    before: Callable[[Path], None]
    #: Whether everything changes in one transaction, or each table in its own.
    at_once: bool
    #: Of 200 kills.
    share: int


SCENARIOS = {
    # The registry is made first, in a transaction of its own.
    "fit": Scenario(fit, a_table, False, 30),
    "refit": Scenario(fit, a_model, True, 40),
    "density": Scenario(density, a_model, True, 20),
    "roll back": Scenario(roll_back, two_models, True, 5),
    "drop": Scenario(drop, two_models, True, 5),
    "forget": Scenario(forget, a_log, False, 20),
    "publish": Scenario(publish, marts, False, 20),
    "first build": Scenario(build, orders, False, 15),
    "build": Scenario(build, a_built_shop, False, 25),
    "history": Scenario(history, a_built_shop, False, 20),
}
