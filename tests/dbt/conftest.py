"""Shops that several tests share; each is built once, and copied to be changed."""

from __future__ import annotations

import shutil

import harness
import pytest

# Sixty customers with 1 to 12 orders each.
SMALL_SHOP = """
create table raw.order_lines as
select
    'c' || lpad(customer::varchar, 3, '0') as customer_id,
    'o' || customer || '-' || place as order_id,
    timestamp '2025-06-30 12:00:00' - to_days((customer * 7) % 90 + place * 9) as ordered_at,
    'p' || (customer * place) % 17 as product_id,
    1 + place % 3 as quantity,
    (5 + customer % 11 + place)::double as unit_price
from range(1, 61) as customers (customer), range(0, 12) as places (place)
where place < 1 + customer % 12
"""

REGISTERED = """
create table raw.customers as
select
    'c' || lpad(customer::varchar, 3, '0') as customer_id,
    20 + customer % 50 as age,
    ['f', 'm'][1 + customer % 2] as gender
from range(1, 65) as customers (customer)
"""


@pytest.fixture(scope="session", autouse=True)
def packages(tmp_path_factory: pytest.TempPathFactory) -> None:
    harness.ensure_packages(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory, packages: None) -> harness.Shop:
    """Build sixty customers with order lines and registrations; built whole, and published."""
    with harness.alone("small") as shared:
        built = harness.Shop(shared / "small" / "shop.duckdb", {"k": 3})
        if not built.database.exists():
            harness.new_shop(built.database.parent, SMALL_SHOP, REGISTERED)
            built.build(tests=True, publish_to="serve.duckdb", publish_parquet="parquet")
    return built.copy(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def demo(
    tmp_path_factory: pytest.TempPathFactory, packages: None
) -> tuple[harness.Shop, harness.Result]:
    """Run `make demo` with 3,000 customers."""
    with harness.alone("demo") as shared:
        said = shared / "demo.txt"
        built = harness.Shop(shared / "demo" / "warehouse.duckdb", {})
        if not said.exists():
            _, result = harness.build_dataset(built.database.parent, "--customers", "3000")
            assert result.code == 0, result.output
            said.write_text(result.output, encoding="utf-8")
    # With dbt's artefacts: they are looked at too.
    mine = tmp_path_factory.mktemp("shops") / "demo"
    shutil.copytree(built.database.parent, mine)
    output = said.read_text(encoding="utf-8")
    return harness.Shop(mine / built.database.name, {}), harness.Result(0, output)
