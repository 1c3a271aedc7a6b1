"""dbt on Spark: the demo shop, built by the same project on both targets, has the same marts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ["--project-dir", str(ROOT / "dbt_project"), "--profiles-dir", str(ROOT)]
VARS = ["--vars", "{non_product_pattern: SHIPPING}"]
SPARK = ["--target", "spark"]
CUSTOMERS = 2000
SEGMENTATION = "config.materialized:segmentation"
SAME = [
    "features.customer_features", "features.past_customer_features", "features.prospects",
    "segmentation.kmeans_segments", "segmentation.backtest_segments",
]  # fmt: skip

#: What must be there and equal.
MARTS = [
    "customer_segments", "rfm_segments", "rfm_cut_points", "segment_summary", "segment_profiles",
    "segment_recommendations", "segment_trust", "segment_readiness", "segment_value",
    "segment_budget", "segment_history", "segment_transitions", "data_quality", "campaign_uplift",
    "segment_products", "customer_recommendations", "segment_backtest", "time_spine",
]  # fmt: skip

pytest.importorskip(
    "dbt.adapters.spark", reason="dbt is not installed: pip install 'segql[spark-dbt]'"
)


class Shops:
    """The demo shop in a DuckDB file, and in a Spark warehouse beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.duckdb = folder / "shop.duckdb"
        self.environment = os.environ | {
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_EXCLUDE_RESOURCE_TYPES": "unit_test test",
            "SEGQL_DATABASE": str(folder / "models.duckdb"),
            "SEGQL_SPARK_WAREHOUSE": str(folder / "warehouse"),
            "SEGQL_SPARK_MASTER": "local[2]",
        }

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", *command], cwd=self.folder, text=True,
            env=self.environment | environment, capture_output=True, check=False,
        )  # fmt: skip

    def dbt(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "dbt.cli.main", "--no-use-colors", *command, *PROJECT, *VARS, *SPARK)

    def fit(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "segql.cli", "fit-dbt", *options, *PROJECT, *VARS, *SPARK)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Shops:
    """Both, with everything built; on Spark in two selections and a fit between them."""
    shops = Shops(tmp_path_factory.mktemp("shops"))
    build, load = str(ROOT / "datasets/build.py"), str(ROOT / "datasets/load_spark.py")
    shop = ["--database", str(shops.duckdb)]
    succeed(shops.run(build, "--customers", str(CUSTOMERS), *shop, SEGQL_DATABASE=""))
    succeed(shops.run(load, *shop))
    succeed(shops.dbt("build", "--exclude", f"{SEGMENTATION}+"))
    unfitted = shops.dbt("run", "--select", "kmeans_segments")
    assert unfitted.returncode == 1
    said = "there is no model 'customers' on Spark yet; run segql fit-dbt customers --target spark"
    assert said in " ".join(unfitted.stdout.split())
    succeed(shops.fit())
    succeed(shops.dbt("build", "--select", f"{SEGMENTATION}+"))
    return shops


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compared(shops: Shops) -> dict[str, Any]:
    done = shops.run(str(ROOT / "tests/spark/compare_shops.py"), str(shops.duckdb), *SAME)
    found: dict[str, Any] = json.loads(succeed(done).splitlines()[-1])
    return found


def test_every_figure_and_label_is_the_same(compared: dict[str, Any]) -> None:
    different = {table: found for table, found in compared["found"].items() if found}
    assert not different
    assert set(compared["found"]) >= {*SAME, *(f"marts.{mart}" for mart in MARTS)}


def test_spark_builds_every_mart_and_leaves_no_other_table(compared: dict[str, Any]) -> None:
    assert compared["missing"] == []
    assert compared["stages"] == []


def test_a_second_run_only_scores(shops: Shops) -> None:
    said = succeed(shops.fit("customers"))
    assert "customers: version 1 stays (--refit learns a new one)" in said
    said = succeed(shops.dbt("run", "--full-refresh", "--select", "kmeans_segments"))
    told = "a refit is due (full refresh): segql fit-dbt customers --target spark --refit"
    assert told in " ".join(said.split())


def test_an_unknown_segmentation_is_refused(shops: Shops) -> None:
    done = shops.fit("custmers")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "segql: unknown segmentation 'custmers'; did you mean 'customers'? "
        "(accepted: customers, customers_backtest)"
    )


def test_a_target_of_duckdb_is_refused(shops: Shops) -> None:
    done = shops.run("-m", "segql.cli", "fit-dbt", *PROJECT, *VARS, "--target", "dev")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "segql: dbt's target is of type duckdb; accepted: a target of type spark, method session "
        "(on DuckDB, dbt itself fits)"
    )
