"""dbt publishes at the end of a whole build in which nothing fails, and only then."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb
import harness
import pytest
from test_dbt_consumer import LOCAL, Consumer, consumer

MARTS = {
    "customer_segments", "rfm_segments", "segment_summary", "segment_profiles", "segment_trust",
    "segment_recommendations", "data_quality", "segment_budget", "campaign_results",
}  # fmt: skip
SETTINGS = """
on-run-end: "{{ segql.publish(results, to=var('publish_to', none), parquet='out', schema='main') }}"
"""


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


# -- the reference project -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(small_shop: harness.Shop) -> Path:
    """What the one build of the small shop in conftest.py has published."""
    return harness.shared_folder() / "small" / "serve.duckdb"


def test_a_build_publishes_every_mart(small_shop: harness.Shop, served: Path) -> None:
    listed = "select table_name from duckdb_tables() where schema_name = 'marts' order by 1"
    marts = [name for (name,) in small_shop.rows(listed)]
    assert set(marts) >= MARTS
    assert [name for (name,) in rows(served, listed)] == marts
    assert sorted(item.stem for item in served.with_name("parquet").iterdir()) == marts
    total = "select sum(customers), (select count(*) from marts.customer_segments) from"
    assert rows(served, f"{total} marts.segment_summary") == [(64, 64)]
    assert rows(served, "select left_out from segql.publication") == [([],)]
    described = "select count(comment) from duckdb_columns() where table_name = 'segment_summary'"
    assert rows(served, described) == small_shop.rows(described)


def test_the_served_file_scores(served: Path) -> None:
    key = (
        "select segql.customers_segment_key(recency := 12, frequency := 9, monetary := 84, "
        "tenure := 400)"
    )
    assert rows(served, key)[0][0] in {"S1", "S2", "S3"}
    assert len(rows(served, "from segql.trust('customers')")) == 3


def test_a_build_of_a_part_leaves_the_file(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)

    result = shop.build(
        "--select", "data_quality", publish_to="serve.duckdb", publish_parquet="parquet"
    )

    assert "segql: 'serve.duckdb' stays as it was: this build is a part, without " in result.output
    assert not (tmp_path / "serve.duckdb").exists()


# -- a project of somebody else -------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Consumer:
    """The project of docs/dbt.md, its marts in the schema main; dbt does not keep the file open."""
    made = consumer(tmp_path_factory.mktemp("publishing"), LOCAL)
    text = (made.folder / "dbt_project.yml").read_text(encoding="utf-8")
    profile = (made.folder / "profiles.yml").read_text(encoding="utf-8")
    made.write(
        **{
            "dbt_project.yml": text + SETTINGS,
            "profiles.yml": profile.replace("      path:", "      keep_open: false\n      path:"),
            "models/tests.yml": "models:\n  - name: segment_summary\n    columns:\n"
            "      - name: customers\n        data_tests:\n          - accepted_values:\n"
            "              arguments: {values: [1], quote: false}\n"
            "              config: {enabled: \"{{ var('fails', false) }}\"}\n",
        }
    )
    return made


def publishing(project: Consumer, *command: str, **dbt_vars: Any) -> harness.Result:
    settings = {"publish_to": "serve.duckdb"} | dbt_vars
    return project.dbt(*command, "--vars", str(settings))


def test_only_a_whole_build_without_a_failure(project: Consumer) -> None:
    """And a place that cannot be written fails the build."""
    served, link = project.folder / "serve.duckdb", project.folder / "out"
    line = "segql: 'serve.duckdb' stays as it was: "

    whole = publishing(project, "build")
    assert whole.code == 0, whole.output
    assert "segql: published 3 marts in serve.duckdb\n" in whole.output
    total = "select sum(customers), (select count(*) from main.customer_segments) from"
    assert rows(served, f"{total} main.segment_summary") == [(90, 90)]
    before = served.read_bytes(), os.path.realpath(link)

    failed = publishing(project, "build", fails=True)
    assert failed.code == 1
    assert f"{line}the build has failed: accepted_values_segment_summary" in failed.output
    run = publishing(project, "run")
    assert f"{line}dbt run is no dbt build" in run.output
    assert (served.read_bytes(), os.path.realpath(link)) == before

    result = publishing(project, "build", publish_to="nowhere/serve.duckdb")
    assert result.code == 1
    assert "on-run-end.0 failed" in result.output
    assert (
        "to got 'nowhere/serve.duckdb'; accepted: a file in a folder that exists" in result.output
    )
    assert "Traceback" not in result.output
