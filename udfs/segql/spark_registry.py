"""The registry in Spark's catalog: copies of the tables that the dbt package reads there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from segql import sql_text as sql
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError
from segql.exporting.dialects import dialect_of
from segql.exporting.writing import scoring_query
from segql.model import INPUT
from segql.registry import Registry
from segql.training import AS_OF

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: The schema of the copies, as in DuckDB.
SCHEMA = "segql"
#: Copied as they are.
COPIED = ("segments", "retired", "rules", "feature_info", "feature_bins")
#: Of ``models``: what only DuckDB can use, or stands there in its dialect.
LEFT_OUT = "state, publish_sql, score_sql, segment_sql, segment_key_sql, caps"


def hand_over(session: SparkSession, con: duckdb.DuckDBPyConnection) -> list[str]:
    """Write the registry's models as tables of Spark, each with its scoring query in Spark's SQL.

    Returns
    -------
    list of str
        Names of the models that Spark has now: those that it can score.
    """
    scoring = _scoring_queries(con)
    names = sorted({name for name, _, is_current in scoring if is_current})
    session.sql(f"create schema if not exists {SCHEMA}")
    for table in COPIED:
        _write(session, table, con.sql(f"select * from segql.{table}").to_arrow_table())
    judged = [
        con.sql(
            f"select {sql.literal(name)} as model_name, * exclude (caps), "
            f"array_to_string(caps, ' ') as caps from segql.trust({sql.literal(name)})"
        ).to_arrow_table()
        for name in names
    ]
    if judged:
        _write(session, "trust", pa.concat_tables(judged))
    queries = pa.table(
        {
            "model_name": [name for name, _, _ in scoring],
            "model_version": pa.array([version for _, version, _ in scoring], pa.int32()),
            "score_sql": list(scoring.values()),
        }
    )
    # Last: a model that is listed has its other rows.
    _write(session, "models", _models(con, queries))
    return names


def _scoring_queries(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, int, bool], str]:
    """Every published version's query over ``segql_input``, where Spark can run it.

    The input has an ``as_of_date``, of whatever value, and the query carries it.
    """
    spark = dialect_of("spark")
    models = Registry(DuckDBEngine(con))
    found: dict[tuple[str, int, bool], str] = {}
    for name, version, is_current in con.execute(
        "select model_name, model_version, is_current from segql.models where is_published "
        "order by all"
    ).fetchall():
        model = models.load(name, version)
        try:
            query = scoring_query(model, spark, INPUT, [model.id, AS_OF])
        except SegqlError:
            # One that DuckDB learned by an algorithm whose cells only DuckDB has.
            continue
        found[name, version, is_current] = query
    return found


def _models(con: duckdb.DuckDBPyConnection, queries: pa.Table) -> pa.Table:
    con.register("segql_scoring_queries", queries)
    try:
        return con.sql(
            f"select models.* exclude ({LEFT_OUT}), queries.score_sql, "
            "array_to_string(models.caps, ' ') as caps from segql.models as models "
            "inner join segql_scoring_queries as queries using (model_name, model_version)"
        ).to_arrow_table()
    finally:
        con.unregister("segql_scoring_queries")


def _write(session: SparkSession, table: str, rows: pa.Table) -> None:
    frame = session.createDataFrame(rows)
    frame.write.mode("overwrite").saveAsTable(f"{SCHEMA}.{table}")
