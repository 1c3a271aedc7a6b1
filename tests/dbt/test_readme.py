"""Follows the README with a shop of one's own: its YAML, its commands, its SQL, as printed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import harness
import yaml

README = (harness.ROOT / "README.md").read_text(encoding="utf-8")

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


def block(language: str, holding: str) -> str:
    """Find the fenced block of a language that holds a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    [found] = [text for text in blocks if holding in text]
    return found


def test_own_shop_by_the_readme(tmp_path: Path, packages: None) -> None:
    mapping = block("yaml", "invoice_rows")
    assert len(mapping.splitlines()) < 20
    shop = harness.new_shop(tmp_path, *SHOP)
    (tmp_path / "my_shop.yml").write_text(mapping, encoding="utf-8")

    result = shop.dbt("build", **yaml.safe_load(mapping))

    assert result.code == 0, result.output
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
        [cli, "-readonly", "-bail", str(shop.database), block("sql", "segql.predict")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "segment_key" in done.stdout
    assert re.search(r"\bS\d\b", done.stdout)
