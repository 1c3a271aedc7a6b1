"""Give Spark the rows of a shop: the schema `raw` of a DuckDB file as tables of the dbt target."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Load what the arguments name; 0 on success, 1 with one clear line otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--database", default=os.environ.get("SEGQL_DATABASE") or str(ROOT / "warehouse.duckdb")
    )
    options = parser.parse_args(arguments)
    try:
        with duckdb.connect(options.database, read_only=True) as con:
            loaded = load(con, session())
    except duckdb.Error as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{loaded} tables of raw are in {warehouse()}")
    return 0


def warehouse() -> str:
    """Where the target `spark` of profiles.yml keeps its tables."""
    return os.environ.get("SEGQL_SPARK_WAREHOUSE", "spark-warehouse")


def session() -> SparkSession:
    """Start Spark on the warehouse and the metastore of that target."""
    from pyspark.sql import SparkSession

    metastore = f"jdbc:derby:;databaseName={warehouse()}/metastore;create=true"
    return (
        SparkSession.builder.enableHiveSupport()
        .config("spark.master", os.environ.get("SEGQL_SPARK_MASTER", "local[*]"))
        .config("spark.sql.warehouse.dir", warehouse())
        .config("spark.hadoop.javax.jdo.option.ConnectionURL", metastore)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )


def load(con: duckdb.DuckDBPyConnection, spark: SparkSession) -> int:
    """Write every table of the schema `raw` by way of Parquet; return how many there are."""
    names = [
        name
        for (name,) in con.execute(
            "select table_name from information_schema.tables where table_schema = 'raw' order by 1"
        ).fetchall()
    ]
    spark.sql("create schema if not exists raw")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            file = f"{folder}/{name}.parquet"
            con.execute(f"""copy raw."{name}" to '{file}' (format parquet)""")
            spark.read.parquet(file).write.mode("overwrite").saveAsTable(f"raw.`{name}`")
    return len(names)


if __name__ == "__main__":
    sys.exit(main())
