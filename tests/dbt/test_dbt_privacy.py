"""Nobody is named: what is personal in the sources is nowhere else, and ids can be hashed."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import duckdb
import harness
import pytest

#: In each value of a personal column of the sources.
PERSONAL = "Zz9Secret"
#: In each customer's id.
ID = "Qx7Id"
SALT = "a salt of this test alone"
SOURCES = f"""
create table raw.order_lines as
select
    '{ID}' || lpad(customer::varchar, 3, '0') as customer_id,
    'o' || hash(customer * 100 + place) as order_id,
    timestamp '2025-06-30 12:00:00' - to_days((customer * 7) % 90 + place * 9) as ordered_at,
    'p' || (customer * place) % 17 as product_id,
    1 + place % 3 as quantity,
    (5 + customer % 11 + place)::double as unit_price,
    '{PERSONAL} ' || customer as customer_name,
    'leave it with {PERSONAL} next door' as delivery_note
from range(1, 61) as customers (customer), range(0, 12) as places (place)
where place < 1 + customer % 12;
create table raw.customers as
select
    '{ID}' || lpad(customer::varchar, 3, '0') as customer_id,
    20 + customer % 50 as age,
    ['f', 'm'][1 + customer % 2] as gender,
    'Ann {PERSONAL}' as first_name, '{PERSONAL}' as last_name,
    '{PERSONAL}' || customer || '@example.org' as email,
    '+49 151 {PERSONAL} ' || customer as phone,
    '1 {PERSONAL} Road' as street_address, '{PERSONAL}ville' as postal_address,
    'calls often, says {PERSONAL}' as notes, date '1980-01-01' + customer::int as date_of_birth
from range(1, 65) as customers (customer);
create table raw.events as
select customer_id, ordered_at as occurred_at, 'view' as event_type,
    '10.0.0.7 {PERSONAL}' as ip_address, 'wrote: {PERSONAL}' as message
from raw.order_lines;
create table raw.products as
select distinct product_id, 'Thing ' || product_id as product_name, 'things' as category,
    'call {PERSONAL}' as supplier_contact
from raw.order_lines
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> harness.Shop:
    """Build it with hashed ids, publish, and export everything that can be."""
    folder = tmp_path_factory.mktemp("privacy")
    shop = harness.new_shop(folder, *SOURCES.split(";"), k=3, hash_customer_ids=True, id_salt=SALT)
    built = shop.build(publish_to="serve.duckdb", publish_parquet="parquet")
    said = [built.output]
    for command in (
        ["report", "--to", "report.html", "--database", "serve.duckdb"],
        ["export-audience", "S1", "--to", "audience.csv"],
        ["export", "customers"], ["export", "customers", "--form", "rules"],
        ["models", "--json"], ["predict", "customers", "features.customer_features", "--json"],
    ):  # fmt: skip
        done = harness.run(
            [sys.executable, "-m", "segql.cli", *command], folder, folder,
            SEGQL_DATABASE=shop.database.name,
        )  # fmt: skip
        assert done.code == 0, done.output
        said.append(done.output)
    (folder / "said.txt").write_text("\n".join(said), encoding="utf-8")
    return shop


def rows_with(path: Path, words: list[str], schemas: str) -> dict[str, int]:
    """Rows of each table and view that hold a word, whatever the column."""
    found = {}
    with duckdb.connect(str(path), read_only=True) as con:
        for schema, table in con.execute(
            "select table_schema, table_name from information_schema.tables "
            f"where {schemas} order by all"
        ).fetchall():
            name = f'"{schema}"."{table}"'
            held = " or ".join("contains(t::varchar, ?)" for _ in words)
            [(count,)] = con.execute(f"select count(*) from {name} as t where {held}", words
                                     ).fetchall()  # fmt: skip
            if count:
                found[name] = count
    return found


@pytest.mark.parametrize("word", [PERSONAL, ID])
def test_no_table_outside_the_sources(shop: harness.Shop, word: str) -> None:
    assert rows_with(shop.database, [word], "table_schema = 'raw'") != {}
    assert rows_with(shop.database, [word], "table_schema <> 'raw'") == {}
    served = shop.database.with_name("serve.duckdb")
    assert rows_with(served, [word], "true") == {}


@pytest.mark.parametrize("word", [PERSONAL, ID])
def test_no_file_that_leaves(shop: harness.Shop, word: str) -> None:
    """Exports, the report, Parquet, logs, and what dbt writes beside them."""
    folder = shop.database.parent
    files = [
        item for item in folder.rglob("*")
        if item.is_file() and not item.is_symlink() and item.suffix not in (".duckdb", ".parquet")
    ]  # fmt: skip
    assert {"report.html", "audience.csv", "dbt.log", "manifest.json", "said.txt"} <= {
        item.name for item in files
    }
    assert [str(item) for item in files if word.encode() in item.read_bytes()] == []
    for file in sorted((folder / "parquet").resolve().glob("*.parquet")):
        query = f"select count(*) from '{file}' as t where contains(t::varchar, '{word}')"
        assert duckdb.sql(query).fetchall() == [(0,)]


def test_the_registry_holds_no_ids(shop: harness.Shop) -> None:
    """Hashed or not, no id is in it; and the marts hold the hashes."""
    hashed = [hashlib.sha256(f"{SALT}{ID}{number:03}".encode()).hexdigest() for number in (1, 33)]
    held = rows_with(shop.database, hashed, "table_schema <> 'raw'")
    assert '"marts"."customer_segments"' in held
    assert [name for name in held if name.startswith('"segql"')] == []
    [(wrong,)] = shop.rows(
        "select count(*) from marts.customer_segments where not "
        "regexp_full_match(customer_id, '[0-9a-f]{64}')"
    )
    assert wrong == 0
    # As many customers as there are, and the salt is not where BI reads.
    assert shop.value("select count(*) from marts.customer_segments") == 64
    assert SALT.encode() not in shop.database.with_name("serve.duckdb").read_bytes()


def test_points_of_the_map_are_of_many(shop: harness.Shop) -> None:
    fewest, customers = shop.rows(
        "select min(customers), sum(customers) from segql.map_points where model_name = 'customers'"
    )[0]
    assert fewest >= 11
    assert customers <= 60


@pytest.mark.parametrize("salt", [1234567890123456789])
def test_ids_are_not_hashed_without_a_salt(shop: harness.Shop, salt: object) -> None:
    result = shop.dbt("run", "--select", "stg_order_lines", id_salt=salt)
    assert result.code == 1
    assert "hash_customer_ids is true, but id_salt is" in result.output
