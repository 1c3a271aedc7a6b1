"""Spark in local mode, as the package PySpark brings it."""

from __future__ import annotations

import shutil
import tempfile

import pyarrow as pa
from adapter import Engine, Row, lacks


class Spark(Engine):
    """Two threads, one small heap, no web page."""

    name = "Spark"
    dialect = "spark"

    @classmethod
    def missing(cls) -> str | None:
        if shutil.which("java") is None:
            return "Java is not installed"
        return lacks("pyspark", "pyspark")

    def start(self) -> None:
        from pyspark.sql import SparkSession

        self.folder = tempfile.mkdtemp(prefix="segql-spark-")
        self.session = (
            SparkSession.builder.master("local[2]")
            .config("spark.driver.memory", "1500m")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.warehouse.dir", f"{self.folder}/warehouse")
            .config("spark.local.dir", self.folder)
            .getOrCreate()
        )
        self.session.sparkContext.setLogLevel("ERROR")

    def stop(self) -> None:
        self.session.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def version(self) -> str:
        return str(self.session.version)

    def load(self, name: str, table: pa.Table) -> None:
        self.session.createDataFrame(table).createOrReplaceTempView(self.quoted(name))

    def run(self, statement: str) -> None:
        self.session.sql(statement)

    def rows(self, query: str) -> list[Row]:
        return [tuple(row) for row in self.session.sql(query).collect()]
