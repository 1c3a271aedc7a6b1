"""A Spark cluster of two worker processes, shared by all tests of this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

ROWS = 90_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing()
    if reason is not None:
        for item in items:
            if "tests/spark" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason=reason))


def missing() -> str | None:
    """What these tests lack on this machine."""
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return "PySpark is not installed: pip install 'segql[spark]'"
    home = os.environ.get("JAVA_HOME")
    if shutil.which(f"{home}/bin/java" if home else "java") is None:
        return "Java is not installed"
    return None


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "1g")
        .config("spark.executor.memory", "768m")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def customers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Parquet folder of skewed features, a missing value in fifty, and a category."""
    rng = np.random.default_rng(7)
    centers = rng.normal(size=(5, 3)) * 4
    group = rng.integers(0, 5, ROWS)
    points = centers[group] + rng.normal(size=(ROWS, 3))
    recency = np.where(np.arange(ROWS) % 50 == 0, np.nan, points[:, 0])
    table = pa.table(
        {
            "customer_id": rng.permutation(ROWS).astype(np.int64),
            "recency": pa.array(recency, from_pandas=True),
            "monetary": np.exp(points[:, 1] / 2),
            "it's a `count`": np.round(points[:, 2] * 10).astype(np.int32),
            "channel": np.array(["web", "o'shop ${env:HOME}", "back\\slash", None])[group % 4],
        }
    )
    folder = tmp_path_factory.mktemp("customers")
    for part in range(4):
        rows = table.slice(part * ROWS // 4, ROWS // 4)
        pyarrow.parquet.write_table(rows, folder / f"{part}.parquet")
    return str(folder)
