"""Prints as JSON what differs between a DuckDB file and the Spark warehouse of the environment.

The arguments are the DuckDB file and tables to compare; every mart of the file is compared too.
It is a process of its own: the tests' own session is a cluster, with another warehouse.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
from same_tables import differences

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "datasets"))

from load_spark import session

MARTS = "select table_name from information_schema.tables where table_schema = 'marts'"


def main(database: str, *tables: str) -> None:
    """Print the marts that Spark lacks, tables left over, and what differs in the others."""
    spark = session()
    with duckdb.connect(database, read_only=True) as con:
        marts = sorted(name for (name,) in con.execute(MARTS).fetchall())
        there = {row.tableName for row in spark.sql("show tables in marts").collect()}
        compared = [*tables, *(f"marts.{mart}" for mart in marts if mart in there)]
        found = {table: differences(con, spark, table)[:5] for table in compared}
        # What the models of deep queries write on their way.
        stages = [
            row.tableName
            for schema in ("marts", "segmentation")
            for row in spark.sql(f"show tables in {schema} like 'segql_stage_*'").collect()
        ]
    missing = [mart for mart in marts if mart not in there]
    print(json.dumps({"missing": missing, "stages": stages, "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
