"""A project of somebody else takes the package, on its own tables, as docs/dbt.md shows it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import duckdb
import harness
import pytest
from pages import Page

#: Names, types and marks of returns are the shop's own; K1 is the best customer.
SHOP = (
    "create schema sales",
    "create table sales.invoice_rows as select (row % 90)::bigint as client_no,"
    " case when row % 25 = 0 then 'CR' else 'IN' end || (row // 2) as invoice_no,"
    " timestamp '2024-01-01' + to_hours((row * 37 % 9000)::integer) as booked_at,"
    " 'A' || (row % 12) as article, 1 + row % (1 + row % 90 // 30 * 4) as units,"
    " (5 + row % 7)::decimal(9, 2) as net_price from range(3000) as rows (row)",
)


def project_files() -> dict[str, str]:
    """Read the files of the page's project."""
    return Page(harness.ROOT / "docs" / "dbt.md").files()


@dataclass
class Consumer:
    """A dbt project in a folder of its own, with a warehouse beside it."""

    folder: Path

    @property
    def shop(self) -> harness.Shop:
        return harness.Shop(self.folder / "shop.duckdb", {})

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def dbt(self, *command: str) -> harness.Result:
        places = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        return harness.dbt([*command, *places], self.folder, cwd=self.folder)

    def run(self, *command: str) -> harness.Result:
        result = self.dbt(*command)
        assert result.code == 0, result.output
        return result


def consumer(folder: Path, package: str, *, plugin: bool = True) -> Consumer:
    """Make the page's project on the shop, with the package from somewhere."""
    files = project_files()
    files["packages.yml"] = package
    if not plugin:
        files["profiles.yml"] = re.sub(r" *plugins:.*\n", "", files["profiles.yml"])
    project = Consumer(folder)
    project.write(**files)
    with duckdb.connect(str(folder / "shop.duckdb"), config=harness.STORAGE) as connection:
        for statement in SHOP:
            connection.execute(statement)
    project.run("deps")
    return project


LOCAL = f"packages:\n  - local: {harness.ROOT / 'macros'}\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Consumer:
    project = consumer(tmp_path_factory.mktemp("consumer"), LOCAL)
    project.run("build")
    return project


def test_the_project_is_short() -> None:
    files = project_files()
    lines = [line for text in files.values() for line in text.splitlines() if line.strip()]

    assert {"dbt_project.yml", "profiles.yml", "packages.yml"} <= files.keys()
    assert len(lines) <= 25


def test_nothing_to_segments(built: Consumer) -> None:
    shop = built.shop

    assert shop.rows("select count(*), count(segment_key) from customer_segments") == [(90, 90)]
    assert shop.value("select count(distinct segment_key) from customer_segments") >= 2
    assert shop.value("select sum(customers) from segment_summary") == 90
    # The features are those of the used lines: credit notes count against the amount.
    assert shop.rows(
        "select customer_id, frequency, round(monetary, 2)::varchar from customer_features"
        " where customer_id = 35"
    ) == shop.rows(
        "select client_no, count(distinct invoice_no) filter (invoice_no not like 'CR%'),"
        " round(sum(units * net_price * if(invoice_no like 'CR%', -1, 1))::double, 2)::varchar"
        " from sales.invoice_rows where client_no = 35 group by 1"
    )


def test_again_only_scores(built: Consumer) -> None:
    before = built.shop.rows("from customer_segments order by all")

    result = built.run("run")

    assert "version" not in result.output.replace("dbt-core version", "").split("Concurrency")[1]
    assert built.shop.rows("from customer_segments order by all") == before


def test_plugin_absent_scores_and_summarises(built: Consumer, tmp_path: Path) -> None:
    """What needs no Python works without the plugin: scoring, RFM, summaries, transitions."""
    project = consumer(tmp_path, LOCAL, plugin=False)
    (tmp_path / "shop.duckdb").write_bytes((built.folder / "shop.duckdb").read_bytes())
    before = project.shop.rows("from customer_segments order by all")
    project.write(
        **{
            "models/rfm_cuts.sql": "{{ config(materialized='incremental',"
            " incremental_strategy='append', full_refresh=false) }}\n"
            "{{ segql.rfm_cuts(ref('customer_features')) }}",
            "models/rfm_segments.sql": "{{ segql.rfm_segment('(' ~ segql.rfm_scores("
            "ref('customer_features'), ref('rfm_cuts')) ~ ')', 'grid') }}",
            "models/scored.sql": "{{ segql.predict('customer_segments', ref('customer_features'))"
            " }}",
            "models/profile.sql": "{{ segql.segment_profile(ref('customer_features'),"
            " ref('rfm_segments'), segment='rfm_segment') }}",
            "models/summary.sql": "{{ segql.segment_summary(ref('rfm_segments'),"
            " segment='rfm_segment') }}",
            "models/moves.sql": "{{ segql.segment_transitions(ref('rfm_segments'),"
            " segment='rfm_segment') }}",
            "models/drifted.sql": "{{ segql.drift('customer_segments', ref('customer_features'))"
            " }}",
        }
    )

    project.run("build")

    shop = project.shop
    assert shop.rows("from customer_segments order by all") == before
    assert shop.rows("from scored order by all") == before
    assert shop.value("select count(*) from rfm_segments where rfm_segment is null") == 0
    assert shop.value("select sum(customers) from summary") == 90
    assert shop.value("select count(distinct segment_key) from profile") >= 2
    assert shop.rows("select distinct from_segment from moves") == [("entry",)]
    assert shop.value("select max(psi) from drifted") < 1e-9


def test_package_from_the_repository(tmp_path: Path) -> None:
    """As others install it: git and the subdirectory macros, of a repository of this tree."""
    repository = tmp_path / "segql"
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "macros"],
        cwd=harness.ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in files:
        if (harness.ROOT / name).exists():
            target = repository / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((harness.ROOT / name).read_bytes())
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "package"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()

    project = consumer(
        tmp_path / "shop",
        f"packages:\n  - git: {repository}\n    subdirectory: macros\n    revision: {revision}\n",
    )
    project.run("build")

    assert project.shop.value("select count(segment_key) from customer_segments") == 90


BAD = {
    "unknown macro option": (
        "models/customer_features.sql",
        "{{ segql.rfm_features('sales.invoice_rows', custmer='client_no') }}",
        ["rfm_features: unknown option 'custmer'; accepted are customer, "],
    ),
    "column that is not there": (
        "models/customer_features.sql",
        "{{ segql.rfm_features('sales.invoice_rows', customer='client', order='invoice_no',"
        " timestamp='booked_at', quantity='units', price='net_price', product=none) }}",
        ["no column 'client' (customer) in sales.invoice_rows; it has client_no"],
    ),
    "text for a number": (
        "models/customer_features.sql",
        "{{ segql.rfm_features('sales.invoice_rows', customer='client_no', order='invoice_no',"
        " timestamp='booked_at', quantity='units', price='article', product=none) }}",
        ["column 'article' (price) of sales.invoice_rows is text, a number is expected"],
    ),
    "relation that is not there": (
        "models/customer_features.sql",
        "{{ segql.rfm_features('sales.invoice_lines') }}",
        ["invoice_lines does not exist", 'Did you mean "invoice_rows"'],
    ),
    "as of before the first order": (
        "models/customer_features.sql",
        "{{ segql.rfm_features('sales.invoice_rows', '2001-01-01', customer='client_no',"
        " order='invoice_no', timestamp='booked_at', quantity='units', price='net_price',"
        " product=none) }}",
        ["no order line can be used", "up to 2001-01-01"],
    ),
    "unknown config option": (
        "models/customer_segments.sql",
        "{{ config(materialized='segmentation', id='customer_id', linkge='ward') }}"
        " select * from {{ ref('customer_features') }}",
        ["segmentation customer_segments: unknown option 'linkge'; accepted are linkage, "],
    ),
    "config without id": (
        "models/customer_segments.sql",
        "{{ config(materialized='segmentation') }} select * from {{ ref('customer_features') }}",
        ["segmentation customer_segments: config id got ''; accepted: the name of the id column"],
    ),
    "id that is no column": (
        "models/customer_segments.sql",
        "{{ config(materialized='segmentation', id='client') }}"
        " select * from {{ ref('customer_features') }}",
        ["segmentation customer_segments: id got 'client', which is no column of the query"],
    ),
    "refit policy that is none": (
        "models/customer_segments.sql",
        "{{ config(materialized='segmentation', id='customer_id', refit='weekly') }}"
        " select * from {{ ref('customer_features') }}",
        ["refit got 'weekly'; accepted are never, or a mapping such as"],
    ),
    "refit policy with an unknown key": (
        "models/customer_segments.sql",
        "{{ config(materialized='segmentation', id='customer_id', refit={'drif': 1}) }}"
        " select * from {{ ref('customer_features') }}",
        ["refit: unknown option 'drif'; accepted are drift, "],
    ),
    "features that are gone": (
        "models/customer_segments.sql",
        "{{ config(materialized='segmentation', id='customer_id') }}"
        " select customer_id, recency from {{ ref('customer_features') }}",
        ["the query lacks column ", "a feature of model 'customer_segments' version 1",
         "refit with --full-refresh"],
    ),
    "a feature of another type": (
        "models/customer_segments.sql",
        "{{ config(materialized='segmentation', id='customer_id') }}"
        " select * replace ('x' || recency as recency) from {{ ref('customer_features') }}",
        ["column 'recency' is ", "learned it as a number; cast it, or refit with --full-refresh"],
    ),
    "two models of one name": (
        "models/more_segments.sql",
        "{{ config(materialized='segmentation', id='customer_id', model='customer_segments') }}"
        " select * from {{ ref('customer_features') }}",
        ["the model 'customer_segments' is also written by "],
    ),
    "a map with a gap and an overlap": (
        "models/named.sql",
        "{{ segql.rfm_segment('(select 111 as rfm_code)', '(select * replace (if(rfm_code ="
        " \\'555\\', \\'554\\', rfm_code) as rfm_code) from (' ~ segql.rfm_map() ~ '))') }}",
        ["must name a segment once for each code", "missing: 555", "repeated: 554"],
    ),
    "a map that is not there": (
        "models/named.sql",
        "{{ segql.rfm_segment('(select 111 as rfm_code)', 'segmnts') }}",
        ["rfm_map: name got 'segmnts'; accepted are segments, grid"],
    ),
    "cuts that would not be kept": (
        "models/rfm_cuts.sql",
        "{{ segql.rfm_cuts(ref('customer_features')) }}",
        ["rfm_cuts: the model must keep what it learned"],
    ),
    "a date that the history lacks": (
        "models/moves.sql",
        "{{ segql.segment_transitions(ref('customer_segments'), revenue=none,"
        " to_date='2030-01-01') }}",
        ["segment_transitions: to_date 2030-01-01 is not a date of", "it holds 2025-"],
    ),
    "dates out of order": (
        "models/moves.sql",
        "{{ segql.segment_transitions(ref('customer_segments'), revenue=none,"
        " from_date='2030-01-01', to_date='2029-01-01') }}",
        ["from_date 2030-01-01 is not before to_date 2029-01-01"],
    ),
    "a model that nobody fitted": (
        "models/scored.sql",
        "{{ segql.predict('custmer_segments', ref('customer_features')) }}",
        ["predict: there is no fitted model 'custmer_segments'; there are customer_segments"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_refused_by_name(case: str, built: Consumer, tmp_path: Path) -> None:
    file, text, messages = BAD[case]
    folder = tmp_path / "copy"
    ignored = shutil.ignore_patterns("target", "logs")
    shutil.copytree(built.folder, folder, symlinks=True, ignore=ignored)
    project = Consumer(folder)
    project.write(**{file: text})
    before = project.shop.rows("from customer_segments order by all")

    result = project.dbt("run", "--select", Path(file).stem + "+")

    assert result.code != 0
    for message in messages:
        assert message in result.output
    assert "Traceback" not in result.output
    assert project.shop.rows("from customer_segments order by all") == before
    assert project.shop.rows("select count(*) from segql.models") == [(1,)]
