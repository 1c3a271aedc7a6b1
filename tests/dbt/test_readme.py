"""Follows the README with a shop of one's own: its YAML, its commands, its SQL, as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import harness
import pytest
from pages import Page

README = Page(harness.ROOT / "README.md")

#: A shop whose names are the README's, with prices as text and credit notes.
SHOP = (
    "create schema sales",
    "create schema crm",
    "create table sales.invoice_rows as select 'K' || (row % 90) as client_no,"
    " case when row % 25 = 0 then 'CR' else 'IN' end || (row // 2) as invoice_no,"
    " timestamp '2024-01-01' + to_hours((row * 37 % 9000)::integer) as booked_at,"
    " 'A' || (row % 12) as article, 1 + row % (1 + row % 90 // 30 * 4) as units,"
    " (5 + row % 7)::varchar || '.50' as net_price from range(3000) as rows (row)",
    "create table crm.clients as select 'K' || client as client_no, 20 + client % 50 as age,"
    " ['f', 'm'][1 + client % 2] as gender, ['north', 'south'][1 + client % 3 // 2] as region"
    " from range(95) as clients (client)",
)


def make_shop(shop: harness.Shop, mapping: str) -> harness.Result:
    """Run what `make shop` runs."""
    file = shop.database.with_name("my_shop.yml")
    file.write_text(mapping, encoding="utf-8")
    command = [sys.executable, str(harness.ROOT / "datasets" / "build.py"), "--shop", str(file)]
    return harness.run([*command, "--database", str(shop.database)], shop.database.parent)


def test_own_shop_by_the_readme(tmp_path: Path, packages: None) -> None:
    mapping = README.block("yaml", "invoice_rows")
    assert len(mapping.splitlines()) < 20
    shop = harness.new_shop(tmp_path, *SHOP)

    result = make_shop(shop, mapping)

    assert result.code == 0, result.output
    assert "Segments" in result.output
    assert shop.rows("select count(*) from marts.customer_segments") == [(95,)]
    assert shop.rows(
        "select count(*) from marts.customer_segments where segment_key = 'prospect'"
    ) == [(5,)]
    credit_notes = shop.rows(
        "select order_lines from marts.data_quality where reason = 'cancellation or return'"
    )
    assert credit_notes == shop.rows(
        "select count(*) from sales.invoice_rows where invoice_no like 'CR%'"
    )
    assert {"age", "gender", "region"} <= {
        column
        for (column,) in shop.rows(
            "select column_name from duckdb_columns() where table_name = 'customer_features'"
        )
    }


def test_sql_of_the_readme_answers(demo: tuple[harness.Shop, harness.Result], cli: str) -> None:
    """In the DuckDB command line, read-only: no Python is near."""
    shop, _ = demo
    done = subprocess.run(
        [cli, "-readonly", "-bail", str(shop.database), README.block("sql", "segql.predict")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "segment_key" in done.stdout
    assert re.search(r"\bS\d\b", done.stdout)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("customers: null", "says nothing of order_lines; accepted: a mapping with them"),
        ("order_lines: [", "is no YAML: "),
        (
            "order_lines: {relation: lines.csv, customer: who, order: nr, timestamp: day,"
            " product: what, quantity: n, price: each}",
            "that are no timestamp, for example '13.02.2025 10:00'; timestamp_format states",
        ),
    ],
)
def test_a_faulty_shop_is_one_clear_line(tmp_path: Path, mapping: str, said: str) -> None:
    lines = tmp_path / "lines.csv"
    lines.write_text("who,nr,day,what,n,each\na,1,13.02.2025 10:00,x,1,2\n", encoding="utf-8")
    result = make_shop(
        harness.Shop(tmp_path / "shop.duckdb", {}), mapping.replace("lines.csv", str(lines))
    )
    assert result.code == 1
    [error] = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert said in error
