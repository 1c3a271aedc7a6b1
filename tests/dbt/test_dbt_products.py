"""Products per segment are tested, not guessed; recommendations say why, and beat popularity."""

from __future__ import annotations

import math
import re
from pathlib import Path

import duckdb
import harness
import pytest
from support import load_bench

# Six hundred customers of two segments who buy three products each. In S1 a third buy p1, in S2
# a twelfth; whoever buys p2 also buys p3.
SHOP = (
    "create schema crm",
    """
    create table crm.groups as
    select customer, if(customer % 3 = 0, 'S1', 'S2') as tribe from range(600) as c (customer)
    union all select 1000, 'silent'
    """,
    """
    create table crm.invoices as
    with picked as (
        select
            customer,
            case
                when tribe = 'S1' and hash(customer, 1) % 3 = 0 then ['p1', 'p2', 'p3']
                when tribe = 'S2' and hash(customer, 1) % 12 = 0 then ['p1', 'p2', 'p3']
                when hash(customer, 2) % 3 = 0 then ['p2', 'p3', 'p4']
                else [
                    'p' || (4 + hash(customer, 3) % 4),
                    'p' || (8 + hash(customer, 4) % 4),
                    'p' || (12 + hash(customer, 5) % 4)
                ]
            end as articles
        from crm.groups where tribe <> 'silent'
    )
    select
        customer, customer || '-' || article as invoice, unnest(articles) as article, 1 as units,
        timestamp '2025-01-01' + to_days((hash(customer) % 90)::integer) as booked_at, 5e0 as price
    from picked, (select 1) as one (article)
    """,
    "create table crm.articles as select 'p' || n as code, 'Article ' || n as label,"
    " 'kind ' || n % 2 as kind from range(1, 16) as numbers (n)",
)
COLUMNS = (
    "customer='customer', order='invoice', timestamp='booked_at', product='article',"
    " quantity='units', price='price'"
)
MINE = f"'crm.invoices', 'crm.groups', segment='tribe', id='customer', {COLUMNS}"
UNNAMED = MINE.replace("'article'", "none")
NAMED = "products='crm.articles', product_key='code', product_name='label', category='kind'"

BENCH = load_bench("products")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """Compile the macros on a shop of one's own, and keep the queries as views."""
    folder = tmp_path_factory.mktemp("products")
    with BENCH.connect(folder) as con:
        for statement in SHOP:
            con.execute(statement)
    queries = BENCH.project(
        folder,
        affinity=f"segql.product_affinity({MINE}, {NAMED})",
        recommended=f"segql.recommendations({MINE}, {NAMED})",
        owned=f"segql.recommendations({MINE}, owned=true, per_customer=3)",
        strict=f"segql.recommendations({MINE}, min_support=40)",
        nothing=f"segql.recommendations({UNNAMED})",
        no_affinity=f"segql.product_affinity({UNNAMED})",
    )
    con = BENCH.connect(folder)
    for name, query in queries.items():
        con.execute(f"create view {name} as {query}")
    return con


def tail(found: int, population: int, marked: int, drawn: int) -> float:
    """Add the upper tail of the hypergeometric distribution in whole numbers."""
    ways = sum(
        math.comb(marked, i) * math.comb(population - marked, drawn - i)
        for i in range(found, min(marked, drawn) + 1)
    )
    return ways / math.comb(population, drawn)


def test_p_values_are_exact(shop: duckdb.DuckDBPyConnection) -> None:
    """Everybody bought three products, so that all customers are alike."""
    rows = shop.execute(
        "select buyers, segment_buyers, overall_buyers, share, overall_share, index_100, p_value"
        " from affinity where p_value is not null"
    ).fetchall()

    assert len(rows) >= 20
    for buyers, segment, overall, share, overall_share, index, p_value in rows:
        assert p_value == pytest.approx(tail(buyers, 600, segment, overall), rel=1e-8)
        assert share == buyers / segment
        assert overall_share == overall / 600
        shrunk = (buyers + 50 * overall / 600) / (segment + 50) / (overall / 600)
        assert index == pytest.approx(100 * shrunk)


def test_q_values_are_those_of_benjamini_hochberg(shop: duckdb.DuckDBPyConnection) -> None:
    rows = shop.execute(
        "select p_value, q_value from affinity where p_value is not null order by p_value"
    ).fetchall()
    [products] = shop.execute(
        "select count(distinct product_id) from affinity where overall_buyers >= 20"
    ).fetchone()

    smallest = 1.0
    for place, (p_value, q_value) in reversed(list(enumerate(rows, start=1))):
        smallest = min(smallest, p_value * 2 * products / place)
        assert q_value == pytest.approx(smallest)


def test_the_planted_product_is_found(shop: duckdb.DuckDBPyConnection) -> None:
    found = shop.execute(
        "select segment_key, product_id, product_name, category, distinctive_rank from affinity"
        " where segment_key = 'S1' and distinctive_rank = 1"
    ).fetchall()

    assert found == [("S1", "p1", "Article 1", "kind 1", 1)]


@pytest.mark.parametrize("kind", BENCH.KINDS)
def test_noise_has_no_distinctive_product(kind: str, tmp_path: Path) -> None:
    """At most two of twenty seeds; bench/products.py counts a hundred."""
    found = BENCH.distinctive_on_noise(tmp_path, kind, range(20), 2000)

    assert sum(map(bool, found)) <= 2


def test_everybody_gets_products_they_lack(shop: duckdb.DuckDBPyConnection) -> None:
    assert shop.execute(
        "select n, count(*) from (select customer_id, count(*) as n from recommended group by 1)"
        " group by 1"
    ).fetchall() == [(5, 601)]
    assert shop.execute(
        "select count(*) from recommended as r semi join crm.invoices as i"
        " on r.customer_id = i.customer and r.product_id = i.article"
    ).fetchone() == (0,)
    assert shop.execute(
        "select count(*), count(distinct (customer_id, product_id)), min(rank), max(rank)"
        " from recommended"
    ).fetchone() == (3005, 3005, 1, 5)
    assert {s for (s,) in shop.execute("select distinct source from recommended").fetchall()} <= {
        "co_purchase", "co_purchase_all", "popular_in_segment", "popular",
    }  # fmt: skip
    assert shop.execute(
        "select distinct source from recommended where customer_id = 1000"
    ).fetchall() == [("popular",)]


def test_the_reason_is_true(shop: duckdb.DuckDBPyConnection) -> None:
    """Who bought p2 without p1 hears of p1 by the customers of the segment who bought both."""
    rows = shop.execute(
        "select segment_key, product_id, source, reason from recommended"
        " where source like 'co_purchase%' group by all"
    ).fetchall()
    assert rows
    for segment, product, source, reason in rows:
        match = re.fullmatch(
            r"bought together with Article (\d+) by (\d+) customers( of the same segment)?", reason
        )
        assert match, reason
        assert (match[3] is not None) == (source == "co_purchase")
        where = f"and tribe = '{segment}'" if match[3] else ""
        [both] = shop.execute(
            "select count(*) from (select customer from crm.invoices join crm.groups using"
            f" (customer) where article in ('{product}', 'p{match[1]}') {where}"
            " group by 1 having count(distinct article) = 2)"
        ).fetchone()
        assert both == int(match[2])


def test_small_support_backs_off(shop: duckdb.DuckDBPyConnection) -> None:
    for support, name in ((5, "recommended"), (40, "strict")):
        lowest = shop.execute(
            f"select min(regexp_extract(reason, 'by (\\d+) customers', 1)::integer) from {name}"
            " where source in ('co_purchase', 'co_purchase_all', 'popular_in_segment')"
        ).fetchone()[0]
        assert lowest >= support
    assert shop.execute("select count(*) from strict where source = 'popular'").fetchone()[0] > 5


def test_owned_products_come_first_when_asked(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("begin")
    shop.execute(
        "insert into crm.invoices select customer, 'again', 'p4', 1, timestamp '2025-03-30', 5"
        " from crm.invoices where article = 'p4'"
    )
    again = shop.execute(
        "select rank, source, reason, count(*) from owned where product_id = 'p4' and customer_id"
        " in (select customer from crm.invoices where article = 'p4') group by all"
    ).fetchall()
    shop.execute("rollback")

    assert [row[:3] for row in again] == [(1, "bought_before", "bought before, in 2 orders")]


def test_without_products_there_are_no_rows(shop: duckdb.DuckDBPyConnection) -> None:
    assert shop.execute("select count(*) from nothing").fetchone() == (0,)
    assert shop.execute("select count(*) from no_affinity").fetchone() == (0,)


def test_order_of_rows_and_threads_do_not_matter(shop: duckdb.DuckDBPyConnection) -> None:
    names = ("affinity", "recommended", "owned")
    before = [shop.execute(f"from {name} order by all").fetchall() for name in names]
    shop.execute("begin")
    shop.execute(
        "create or replace table crm.invoices as from crm.invoices as i order by hash(i, 7)"
    )
    shop.execute("create or replace table crm.groups as from crm.groups as g order by hash(g, 7)")
    after = [shop.execute(f"from {name} order by all").fetchall() for name in names]
    shop.execute("rollback")

    assert after == before


BAD = {
    "unknown option": ("product_affinity", "fdrr=0.1", "unknown option 'fdrr'"),
    "no such segment": (
        "product_affinity", "segment='tribes'", "no column 'tribes' (segment) in crm.groups",
    ),
    "no such product": (
        "recommendations", "product='articel'", "no column 'articel' (product) in crm.invoices",
    ),
    "no such name": (
        "recommendations", "products='crm.articles'", "no column 'product_id' (product_key)",
    ),
    "a share above one": ("product_affinity", "fdr=5", "fdr got '5'; accepted is a number from 0"),
    "no products": ("recommendations", "per_customer=0", "per_customer got '0'"),
    "text for a flag": ("recommendations", "owned='no'", "owned got 'no'; accepted are true and"),
    "too small a support": ("recommendations", "min_support=0.5", "min_support got '0.5'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_refused_by_name(case: str, tmp_path: Path) -> None:
    macro, option, message = BAD[case]
    with BENCH.connect(tmp_path) as con:
        for statement in SHOP:
            con.execute(statement)
    given = dict(re.findall(r"(\w+)=('\w+')", MINE)) | dict([option.split("=", 1)])
    call = ", ".join(f"{name}={value}" for name, value in given.items())

    with pytest.raises(SystemExit) as error:
        BENCH.project(
            tmp_path, run=False, model=f"segql.{macro}('crm.invoices', 'crm.groups', {call})"
        )

    assert f"{macro}: " in str(error.value)
    assert message in str(error.value)


def test_shop_without_a_products_source(small_shop: harness.Shop) -> None:
    assert (
        small_shop.value(
            "select count(*) from marts.customer_recommendations where product_name <> product_id"
        )
        == 0
    )
    assert small_shop.value("select count(*) from marts.customer_recommendations") > 0
    assert small_shop.rows(
        "select count(*) from marts.segment_products where note = 'no distinctive product'"
    ) == small_shop.rows("select count(*) from marts.segment_summary")


def test_shop_without_product_ids(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)
    shop.run_sql("update raw.order_lines set product_id = null")

    result = shop.build("--select", "segment_products", "customer_recommendations")

    for macro in ("product_affinity", "recommendations"):
        assert result.output.count(f"segql: {macro} has no rows: no order line of ") == 1
    assert shop.value("select count(*) from marts.customer_recommendations") == 0
    assert shop.rows("select distinct note from marts.segment_products") == [
        ("no distinctive product",)
    ]
