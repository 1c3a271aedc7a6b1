"""Bad input is refused with a line that names it, and everything built stays as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import harness
import pytest

LINES = "create or replace table raw.order_lines as select * replace ({}) from raw.order_lines"
AS_TEXT = "case when order_id = 'o7-0' then '{}' else {}::varchar end as {}"

CASES = {
    "empty order table": (
        ["delete from raw.order_lines"],
        {},
        ["order_lines: raw.order_lines is empty"],
    ),
    "text in a number": (
        [LINES.format(AS_TEXT.format("twelve", "unit_price", "unit_price"))],
        {},
        ["column 'unit_price'", "holds 1 values", "no number", "'twelve'"],
    ),
    "text in a quantity": (
        [LINES.format("quantity || ' pcs' as quantity")],
        {},
        ["column 'quantity'", "no number", "'1 pcs'"],
    ),
    "timestamps that do not parse": (
        [LINES.format(AS_TEXT.format("2025-02-30", "ordered_at", "ordered_at"))],
        {},
        ["column 'ordered_at'", "holds 1 values", "no timestamp", "'2025-02-30'"],
    ),
    "a type that cannot be meant": (
        [LINES.format("1.5 as ordered_at")],
        {},
        ["column 'ordered_at' (mapped as timestamp) is DECIMAL(2,1), a timestamp is expected"],
    ),
    "repeated customer": (
        ["insert into raw.customers select * from raw.customers where customer_id = 'c007'"],
        {},
        ["customers: the customer id 'c007' stands in 2 rows of raw.customers", "1 ids are"],
    ),
    "missing order lines": (
        ["drop table raw.order_lines"],
        {},
        ["order_lines: there is no relation raw.order_lines; relations are raw.customers"],
    ),
    "missing column": (
        ["alter table raw.order_lines rename unit_price to unit_prise"],
        {},
        ["order_lines: no column 'unit_price' (mapped as price)", "it has unit_prise, "],
    ),
    "a number that dbt cannot store": (
        [],
        {"k": 10**40},
        ["vars: k got '1000", "accepted are numbers of up to 18 digits"],
    ),
    "misspelled column": (
        [],
        {"order_lines": {"price": "unit_prise"}},
        ["order_lines: no column 'unit_prise' (mapped as price)", "it has unit_price, "],
    ),
    "misspelled key": (
        [],
        {"order_lines": {"prise": "unit_price"}},
        ["order_lines: unknown key 'prise' in the var; known are price, "],
    ),
    "mapped relation that is not there": (
        [],
        {"customers": {"relation": "raw.custommers"}},
        ["customers: there is no relation raw.custommers; relations are raw.customers"],
    ),
    "missing file": (
        [],
        {"order_lines": {"relation": "no/such/lines.parquet"}},
        ["order_lines: there is no file no/such/lines.parquet"],
    ),
    "demographics that are not there": (
        [],
        {"customers": {"demographics": ["agee"]}},
        ["customers: no column 'agee' (mapped in demographics)", "it has age, "],
    ),
    "demographics with a feature's name": (
        [],
        {"customers": {"demographics": {"Recency": "age"}}},
        ["customers: the demographic column 'Recency' bears the name of another column"],
    ),
    "no date": ([], {"as_of_date": "31.12.2025"}, ["as_of_date: '31.12.2025' is no date"]),
    "all orders after the load": (
        [],
        {"loaded_at": "1999-12-31"},
        ["no order is dated on or before the load date 1999-12-31"],
    ),
    "cut points that do not rise": (
        [],
        {"rfm_frequency_cuts": [1, 3, 2, 5]},
        ["rfm_frequency_cuts: four rising numbers are expected"],
    ),
}


@dataclass
class Refusal:
    """A build on bad input: what it said, and the digests of all tables around it."""

    result: harness.Result
    before: dict[str, tuple[int, int]]
    after: dict[str, tuple[int, int]]


@pytest.fixture(scope="module")
def refusals(
    small_shop: harness.Shop, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Refusal]:
    """Run every case on a copy of the shop, two at a time: dbt starts slowly."""

    def refuse(case: str) -> Refusal:
        statements, dbt_vars, _ = CASES[case]
        shop = small_shop.copy(tmp_path_factory.mktemp("refused"))
        before = shop.contents()
        shop.run_sql(*statements)
        result = shop.dbt("build", "--exclude-resource-type", "test", "unit_test", **dbt_vars)
        return Refusal(result, before, shop.contents())

    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(CASES, pool.map(refuse, CASES), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_refused_by_name(case: str, refusals: dict[str, Refusal]) -> None:
    refusal = refusals[case]
    _, _, messages = CASES[case]

    assert refusal.result.code != 0
    for message in messages:
        assert message in refusal.result.output
    assert "Traceback" not in refusal.result.output


@pytest.mark.parametrize("case", CASES)
def test_everything_built_stays(case: str, refusals: dict[str, Refusal]) -> None:
    before, after = refusals[case].before, refusals[case].after
    if case == "all orders after the load":  # the staging views are fine there, and replaced
        before = {name: digest for name, digest in before.items() if "staging" not in name}
        after = {name: digest for name, digest in after.items() if "staging" not in name}

    assert after == before
