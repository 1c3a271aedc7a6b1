"""The report: its figures are those of the marts, and what is missing says why."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import harness
import pytest

import segql
from segql.errors import SegqlError
from segql.report.contents import Absent, Chart, Sheet
from segql.report.reading import Shop
from segql.report.writing import PARTS, write_report

#: Charts and tables whose figures are columns of a mart, and those columns.
OF_MARTS = {
    "revenue": ("segment_summary", ["customers", "share", "revenue", "revenue_share"], ""),
    "expected": ("segment_value", ["expected_revenue", "expected_revenue_low",
                                   "expected_revenue_high", "expected_profit"],
                 "where expected_revenue is not null"),
    "budget": ("segment_budget", ["spend", "uniform_spend", "incremental_profit", "roi"], ""),
    "profile": ("segment_profiles", ["mean", "index_100", "z_score"],
                "where level is null and is_clustered_on"),
    "behaviour": ("segment_profiles", ["mean", "index_100", "z_score"],
                  "where level is null and not is_clustered_on"),
    "products": ("segment_products", ["index_100", "buyers", "q_value"], ""),
    "rules": ("segment_summary", ["rule_coverage", "rule_precision"],
              "where segment_key like 'S%'"),
    "flows": ("segment_transitions", ["customers", "share", "revenue"],
              "where segmentation = 'customer_segments'"),
    "stability": ("segment_trust", ["jaccard", "silhouette", "share"], ""),
    "drift": ("segment_readiness", ["value", "bound"], "where kind = 'drift'"),
    "backtest": ("segment_backtest", ["eta_squared", "gini", "hit_rate_at_10"], ""),
    "readiness": ("segment_readiness", ["value", "bound"], "where kind <> 'drift'"),
    "quality": ("data_quality", ["order_lines", "amount"], ""),
}  # fmt: skip
#: Optional marts, and what is not shown without them.
OPTIONAL = {
    "rfm_segments": {"lorenz", "rfm-grid", "overlap"},
    "segment_value": {"expected"},
    "segment_budget": {"budget"},
    "segment_profiles": {"profile"},
    "segment_products": {"products"},
    "segment_transitions": {"flows"},
    "segment_history": {"sizes"},
    "segment_trust": {"stability"},
    "segment_readiness": {"drift", "readiness"},
    "segment_backtest": {"backtest"},
    "segment_recommendations": set(),
    "data_quality": {"quality"},
}


class Page(HTMLParser):
    """Figures of each item, the addresses that the page names, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.figures: dict[str, list[float]] = {}
        self.cards: list[float] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.labels: list[str] = []
        self._item: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if "item" in str(found.get("class") or "").split():
            self._item = found.get("id")
        self.addresses += [str(found[name]) for name in ("src", "href") if found.get(name)]
        if found.get("role") == "img":
            self.labels.append(str(found["aria-label"]))
        if found.get("data-value") is not None:
            value = float(str(found["data-value"]))
            if tag == "dd":
                self.cards.append(value)
            else:
                self.figures.setdefault(str(self._item), []).append(value)


@pytest.fixture(scope="module")
def shop(
    demo: tuple[harness.Shop, harness.Result], tmp_path_factory: pytest.TempPathFactory
) -> harness.Shop:
    """Five dates of history on the demo shop."""
    past = demo[0].copy(tmp_path_factory.mktemp("report"))
    result = past.dbt("run", "--select", "segment_history", "segment_transitions", history_months=4)
    assert result.code == 0, result.output
    return past


@pytest.fixture(scope="module")
def page(shop: harness.Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    with duckdb.connect(str(shop.database), read_only=True) as con:
        write_report(con, path)
    return path


@pytest.fixture
def changed(shop: harness.Shop, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the shop that may be changed."""
    with duckdb.connect(str(shop.copy(tmp_path).database), config=harness.STORAGE) as con:
        yield con


def items_of(con: duckdb.DuckDBPyConnection) -> dict[str, Chart | Sheet | Absent]:
    shop = Shop(con)
    return {item.key: item for build in PARTS for item in build(shop).items}


def absent(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return {key: item.reason for key, item in items_of(con).items() if isinstance(item, Absent)}


@pytest.mark.parametrize("key", OF_MARTS)
def test_figures_are_those_of_the_mart(key: str, page: Path, shop: harness.Shop) -> None:
    mart, columns, which = OF_MARTS[key]
    wanted = Counter(
        float(value)
        for row in shop.rows(f"select {', '.join(columns)} from marts.{mart} {which}")
        for value in row
        if value is not None
    )
    assert wanted

    found = Counter(Page(page.read_text("utf-8")).figures[key])

    assert not wanted - found


def test_cards_are_those_of_the_marts(page: Path, shop: harness.Shop) -> None:
    found = Counter(Page(page.read_text("utf-8")).cards)
    for query in (
        "select customers, share, revenue_share, average_order_value, days_since_last_order"
        " from marts.segment_summary",
        "select expected_revenue from marts.segment_value",
    ):
        wanted = Counter(float(v) for row in shop.rows(query) for v in row if v is not None)
        assert not wanted - found


def test_grid_and_overlap_count_every_customer(shop: harness.Shop) -> None:
    with duckdb.connect(str(shop.database), read_only=True) as con:
        items = items_of(con)
        [(buyers,)] = con.execute("select count(*) from marts.rfm_segments").fetchall()

    for key, column in (("rfm-grid", 2), ("overlap", 2)):
        assert sum(row[column] for row in items[key].table.rows) == buyers


def test_gini_is_the_mean_difference(shop: harness.Shop) -> None:
    with duckdb.connect(str(shop.database), read_only=True) as con:
        note = items_of(con)["lorenz"].note
        [(expected,)] = con.execute(
            "with spent as (select greatest(monetary, 0) as m from marts.rfm_segments) "
            "select avg(abs(a.m - b.m)) / (2 * (select avg(m) from spent)) "
            "from spent as a cross join spent as b"
        ).fetchall()

    assert float(re.search(r"Gini ([\d.]+) on", note)[1]) == pytest.approx(expected, abs=6e-4)


def test_the_page_needs_nothing_else(page: Path) -> None:
    text = page.read_text("utf-8")
    read = Page(text)

    assert page.stat().st_size < 8e6
    assert all(item.startswith(("#", "data:")) for item in read.addresses), read.addresses
    assert len(read.ids) == len(set(read.ids))
    assert {item[1:] for item in read.addresses if item.startswith("#")} <= set(read.ids)
    assert "@import" not in text.split("</style>")[0]


def test_every_chart_has_words_and_figures(shop: harness.Shop) -> None:
    with duckdb.connect(str(shop.database), read_only=True) as con:
        items = items_of(con).values()
    charts = [item for item in items if isinstance(item, Chart)]

    assert len(charts) >= 24
    for chart in charts:
        assert chart.alt
        assert chart.note
        assert chart.table.rows
        assert {len(row) for row in chart.table.rows} == {len(chart.table.columns)}
        assert chart.figure["data"]


@pytest.mark.parametrize("mart", OPTIONAL)
def test_without_a_mart_its_charts_say_so(mart: str, changed: duckdb.DuckDBPyConnection) -> None:
    before = absent(changed)
    changed.execute(f"drop table marts.{mart}")

    after = absent(changed)

    assert set(after) - set(before) == OPTIONAL[mart]
    assert all(f"marts.{mart}" in after[key] for key in OPTIONAL[mart])


def test_one_segment_one_date_and_no_events(changed: duckdb.DuckDBPyConnection) -> None:
    changed.execute("delete from marts.segment_summary where segment_key <> 'S1'")
    changed.execute("update marts.customer_segments set segment_key = 'S1', confidence = null")
    changed.execute("delete from marts.segment_profiles where segment_key <> 'S1'")
    changed.execute("update marts.segment_transitions set from_date = null")
    changed.execute("delete from marts.segment_products")

    found = absent(changed)

    assert "one date" in found["flows"]
    assert "no source of products" in found["products"]
    assert "one segment" in found["silhouette"]


def test_noise_only(changed: duckdb.DuckDBPyConnection) -> None:
    changed.execute("delete from marts.segment_summary where segment_key not in ('S1')")
    changed.execute(
        "update marts.segment_summary set segment_key = 'noise', segment_name = 'Noise'"
    )
    changed.execute("update marts.customer_segments set segment_key = 'noise', confidence = null")
    changed.execute("delete from marts.segment_profiles")
    changed.execute("update marts.segment_trust set jaccard = null")

    found = absent(changed)

    assert {"profile", "silhouette", "stability"} <= set(found)


@pytest.mark.parametrize(
    ("algorithm", "options", "there"),
    [
        ("hierarchical", {"k": 4}, "dendrogram"),
        ("dbscan", {}, "k-distance"),
    ],
)
def test_other_algorithms(
    algorithm: str, options: dict[str, Any], there: str, changed: duckdb.DuckDBPyConnection
) -> None:
    segql.fit(
        changed, "features.customer_features", id="customer_id", name="customers",
        algorithm=algorithm, features=["recency", "frequency", "monetary"], **options,
    )  # fmt: skip

    items = items_of(changed)

    chart = items[there]
    assert isinstance(chart, Chart)
    assert isinstance(items["map"], Chart)
    missing = {"dendrogram", "k-distance"} - {there}
    assert {key for key in missing if isinstance(items[key], Absent)} == missing
    if there == "dendrogram":
        named = [text for text in chart.figure["layout"]["yaxis"]["ticktext"] if "(" in text]
        rows = changed.execute(
            "select segment_key from segql.segments where model_name = 'customers' "
            "and model_version = 2"
        ).fetchall()
        names = Shop(changed).name
        assert {text.rsplit(" (", 1)[0] for text in named} == {names(key) for (key,) in rows}


def test_several_models_and_none_called_customers(changed: duckdb.DuckDBPyConnection) -> None:
    for name in ("a", "b"):
        segql.fit(changed, "features.customer_features", id="customer_id", name=name, k=3,
                  features=["recency", "monetary"])  # fmt: skip
    changed.execute("delete from segql.models where model_name not in ('a', 'b')")

    with pytest.raises(SegqlError, match="none is called customers; accepted: model, one of a, b"):
        Shop(changed)
    assert Shop(changed, model="b").current["k"] == 3


def test_few_customers_have_a_top_fifth(changed: duckdb.DuckDBPyConnection) -> None:
    changed.execute("create or replace table marts.rfm_segments as from marts.rfm_segments limit 3")
    changed.execute("update marts.rfm_segments set monetary = 10")

    chart = items_of(changed)["lorenz"]

    assert chart.alt.startswith("The fifth of customers who spent most bring 20.0 % of the revenue")


def test_a_registry_without_maps_says_so(changed: duckdb.DuckDBPyConnection) -> None:
    changed.execute("drop table segql.map_points; drop table segql.map_axes")

    assert "earlier segql" in absent(changed)["map"]


def test_names_stay_text(changed: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Names come from seeds and products: none closes the script or is an element."""
    bad = """</script><img src=x onerror="alert('1')"> @0 & "quoted" """
    changed.execute("update marts.segment_summary set segment_name = ? where segment_key = 'S1'",
                    [bad])  # fmt: skip
    changed.execute("update marts.segment_products set product_name = ?", [bad])

    write_report(changed, tmp_path / "bad.html", title=bad)

    text = (tmp_path / "bad.html").read_text("utf-8")
    assert "<img" not in text.split('id="figures">')[0]
    figures = text.split('id="figures">')[1].split("</script>")[0]
    assert "</" not in figures
    # Plotly reads markup in any text: names are escaped once more for it.
    whole = json.dumps(json.loads(figures), ensure_ascii=False)
    assert "<img" not in whole
    assert "&lt;/script&gt;&lt;img src=x" in whole


def command(folder: Path, *options: str) -> harness.Result:
    return harness.run(["segql", "report", *options], folder, cwd=folder)


def test_the_command(shop: harness.Shop, tmp_path: Path) -> None:
    for options in ([], ["--to", "segments.html", "--title", "Segments of November"]):
        result = command(tmp_path, *options, "--database", str(shop.database))
        assert result.code == 0, result.output
        assert "charts and tables" in result.output
        assert "not shown: Dendrogram" in result.output
    assert "<title>Segments of November</title>" in (tmp_path / "segments.html").read_text("utf-8")

    told = command(tmp_path, "--json", "--database", str(shop.database))

    said = json.loads(told.output)
    assert said["bytes"] == (tmp_path / "report.html").stat().st_size
    assert "revenue" in said["shown"]
    assert set(said["absent"]) == {"campaigns", "dendrogram", "k-distance"}


def refused(con: duckdb.DuckDBPyConnection, folder: Path, **options: Any) -> str:
    with pytest.raises(SegqlError) as caught:
        write_report(con, folder / "report.html", **options)
    assert list(folder.glob("*report*")) == []
    return str(caught.value)


def test_refusals(tmp_path: Path, changed: duckdb.DuckDBPyConnection) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with duckdb.connect() as empty:
        assert "no table marts.customer_segments" in refused(empty, folder)
    assert "unknown model 'custmers'" in refused(changed, folder, model="custmers")
    assert "no table mart.customer_segments" in refused(changed, folder, marts="mart")
    changed.execute("update segql.registry_info set schema_version = 99")
    assert "newer segql" in refused(changed, folder)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--database", "none.duckdb"], "there is no database 'none.duckdb'"),
        (["--database", "text.duckdb"], "text.duckdb"),
        (["--database", "shop.duckdb", "--to", "folder"], "a folder; accepted: a file"),
        (["--database", "shop.duckdb", "--to", "none/x.html"], "none/x.html"),
    ],
)
def test_the_command_refuses_in_one_line(
    options: list[str], said: str, shop: harness.Shop, tmp_path: Path
) -> None:
    (tmp_path / "text.duckdb").write_text("this is no database" * 100)
    (tmp_path / "folder").mkdir()
    (tmp_path / "shop.duckdb").symlink_to(shop.database)

    result = command(tmp_path, *options)

    assert result.code == 1
    assert said in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_locked_database_is_one_line(shop: harness.Shop, tmp_path: Path) -> None:
    held = shop.copy(tmp_path)
    with duckdb.connect(str(held.database), config=harness.STORAGE):
        result = command(tmp_path, "--database", str(held.database))

    assert result.code == 1
    assert "open for writing in another process" in result.output
    assert len(result.output.strip().splitlines()) == 1
