"""A fit on Spark: the model that DuckDB learns, from rows that stay on the cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from support import load_bench

import segql
from segql.engines.duckdb import DuckDBEngine
from segql.features import NumberFeature
from segql.lifecycle import fitted
from segql.model import Model
from segql.training import DEFAULTS, Request

executors = load_bench("spark_workers").executors
FEATURES = ["recency", "monetary", "it's a `count`", "channel"]
OPTIONS: dict[str, Any] = {"id": "customer_id", "features": FEATURES, "k": 5}


def request(relation: str, **options: Any) -> Request:
    return Request(**{**DEFAULTS, "relation": relation, "name": None, **OPTIONS, **options})


@pytest.fixture(scope="module")
def table(spark: Any, customers: str) -> str:
    spark.read.parquet(customers).createOrReplaceTempView("customer_features")
    return "customer_features"


@pytest.fixture(scope="module")
def con(customers: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"create table customer_features as select * from '{customers}/*.parquet'")
    return connection


@pytest.fixture(scope="module")
def drawn(con: duckdb.DuckDBPyConnection) -> tuple[Model, Any]:
    """DuckDB's model, and the coreset that it was learned from."""
    engine = DuckDBEngine(con)
    kept = []
    drop = engine.drop

    def keep(name: Any) -> None:
        if "coreset" in name.name:
            kept.append(con.sql(f"from {name.sql()}").to_arrow_table())
        drop(name)

    engine.drop = keep  # type: ignore[method-assign]
    model, _ = fitted(engine, request("customer_features"))
    return model, kept[0]


@pytest.fixture(scope="module")
def same(spark: Any, table: str, drawn: tuple[Model, Any]) -> Model:
    """Spark's model, from DuckDB's coreset."""
    from segql.engines.spark import SparkEngine

    model, _ = fitted(SparkEngine(spark, coreset=drawn[1]), request(table))
    return model


def test_the_same_coreset_gives_the_same_model(
    spark: Any, con: duckdb.DuckDBPyConnection, drawn: tuple[Model, Any], same: Model
) -> None:
    model = drawn[0]
    assert not model.info["is_exact"]
    np.testing.assert_allclose(same.points, model.points, rtol=0, atol=1e-6)
    for mine, theirs in zip(same.recipe.features, model.recipe.features, strict=True):
        if isinstance(mine, NumberFeature) and isinstance(theirs, NumberFeature):
            # Sums of whole numbers: not a bit apart. The JVM's logarithm differs in the last one.
            assert mine.raw_moments == theirs.raw_moments
            assert mine.profile == theirs.profile
            assert mine.moments.mean == pytest.approx(theirs.moments.mean, rel=1e-12)
            assert mine.moments.variance == pytest.approx(theirs.moments.variance, rel=1e-12)
        else:
            assert mine.state() == theirs.state()
    assert same.metrics == pytest.approx(model.metrics, rel=1e-9)
    on_spark = segql.predict(spark, same, "customer_features").toPandas()
    in_duckdb = segql.predict(con, model, "customer_features").df()
    both = on_spark.merge(in_duckdb, on="customer_id", suffixes=("", "_duckdb"))
    assert len(both) == len(in_duckdb)
    for name in ("segment_id", "segment_key", "next_segment_id"):
        assert (both[name] == both[f"{name}_duckdb"]).mean() >= 0.9999
    for name in ("distance", "confidence"):
        np.testing.assert_allclose(both[name], both[f"{name}_duckdb"], atol=1e-6)


def test_own_coreset_is_near_and_repeatable(
    spark: Any, table: str, drawn: tuple[Model, Any]
) -> None:
    first = segql.fit(spark, table, **OPTIONS)
    again = segql.fit(spark, f"select * from {table} order by monetary", **OPTIONS)
    np.testing.assert_array_equal(first.points, again.points)
    assert first.metrics == again.metrics
    assert first.metrics["inertia"] <= 1.001 * drawn[0].metrics["inertia"]
    assert 50_000 < first.info["coreset_rows"] < 70_000


def test_only_aggregates_and_the_coreset_reach_the_driver(
    spark: Any, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segql.engines.spark import SparkEngine

    brought: list[int] = []
    rows, arrow = SparkEngine.rows, SparkEngine._arrow

    def counted(self: Any, statement: Any) -> Any:
        found = rows(self, statement)
        assert len(found) <= 100
        return found

    def sized(self: Any, statement: Any) -> Any:
        found = arrow(self, statement)
        brought.append(found.num_rows)
        return found

    monkeypatch.setattr(SparkEngine, "rows", counted)
    monkeypatch.setattr(SparkEngine, "_arrow", sized)
    numbers = ["monetary", "it's a `count`"]
    segql.fit(spark, table, id="customer_id", features=numbers, k=3)
    assert brought
    assert max(brought) < 70_000


def test_nothing_is_left_behind(spark: Any, table: str, same: Model) -> None:
    names = [row[1] for row in spark.sql("show tables").collect()]
    assert names == [table]
    assert not spark.sparkContext._jsc.getPersistentRDDs()


def test_the_model_is_stored_in_duckdb_and_scores_on_both(
    spark: Any, table: str, customers: str, tmp_path: Path
) -> None:
    file = tmp_path / "registry.duckdb"
    model = segql.fit(
        spark, table, id="customer_id", features=["recency", "monetary"], k=3, pca=2,
        name="customers", registry=str(file),
    )  # fmt: skip
    with duckdb.connect(str(file)) as con:
        loaded = segql.load(con, "customers")
        assert loaded.version == model.version == 1
        con.execute(f"create table rows as select * from '{customers}/*.parquet'")
        in_duckdb = con.sql("from segql.predict('customers', 'rows')").df()
    on_spark = segql.predict(spark, loaded, table).toPandas()
    both = on_spark.merge(in_duckdb, on="customer_id", suffixes=("", "_duckdb"))
    assert (both["segment_id"] == both["segment_id_duckdb"]).mean() >= 0.9999
    assert segql.evaluate(spark, loaded, table) == pytest.approx(model.metrics, rel=1e-9)
    printed = spark.sql(loaded.sql(dialect="spark", relation=table)).toPandas()
    both = printed.merge(in_duckdb, on="customer_id", suffixes=("", "_duckdb"))
    assert (both["segment_id"] == both["segment_id_duckdb"]).mean() >= 0.9999


def test_a_refit_keeps_the_segment_keys(spark: Any, table: str, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "registry.duckdb")) as con:
        options: dict[str, Any] = {
            "id": "customer_id", "features": ["monetary"], "k": 3, "name": "m", "registry": con,
        }  # fmt: skip
        first = segql.fit(spark, table, **options)
        again = segql.fit(spark, table, **{**options, "seed": 1})
        assert again.version == 2
        assert again.keys == first.keys
        assert again.info["ari_to_previous"] > 0.99


@pytest.mark.parametrize(
    "option",
    [
        {"impute": "mode"}, {"impute": "mean", "indicator": True}, {"transform": "yeo_johnson"},
        {"transform": {"winsorize": [0.01, 0.99]}, "scale": "robust"}, {"scale": "minmax"},
        {"encode": {"onehot": {"top": 3}}}, {"encode": "frequency"},
    ],
    ids=str,
)  # fmt: skip
def test_steps_learn_what_they_learn_in_duckdb(
    spark: Any, con: duckdb.DuckDBPyConnection, table: str, option: dict[str, Any]
) -> None:
    query = f"select * from {table} where customer_id < 3000"
    column = "channel" if "encode" in option else "recency"
    options: dict[str, Any] = {
        "id": "customer_id", "k": 3, "features": {column: option, "monetary": {}},
    }  # fmt: skip
    on_spark = segql.fit(spark, query, **options)
    in_duckdb = segql.fit(con, query, **options)
    np.testing.assert_allclose(on_spark.points, in_duckdb.points, atol=1e-6)


def test_brackets_and_the_thinned_rows_of_large_tables(
    spark: Any,
    con: duckdb.DuckDBPyConnection,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("segql.quantiles.FETCH", 2000)
    monkeypatch.setattr("segql.quantiles.SAMPLE", 4000)
    monkeypatch.setattr("segql.engines.spark.SparkEngine.thinned_from", 10_000)
    monkeypatch.setattr("segql.engines.duckdb.DuckDBEngine.thinned_from", 10_000)
    query = f"select * from {table} where customer_id < 20000"
    options: dict[str, Any] = {
        "id": "customer_id", "k": 3, "features": {"recency": {"scale": "robust"}, "monetary": {}},
    }  # fmt: skip
    on_spark = segql.fit(spark, query, **options)
    in_duckdb = segql.fit(con, query, **options)
    assert any("percentile_approx" in item for item in on_spark.statements)
    assert any("thinned" in item for item in on_spark.statements)
    scalings = [m.recipe.features[0].state()["scaling"] for m in (on_spark, in_duckdb)]
    assert scalings[0] == scalings[1]
    np.testing.assert_allclose(on_spark.points, in_duckdb.points, atol=1e-3)


def test_a_killed_worker_changes_nothing(
    spark: Any, table: str, drawn: tuple[Model, Any], same: Model
) -> None:
    from segql.engines.spark import SparkEngine

    class Killing(SparkEngine):
        killed: int | None = None

        def rows(self, statement: Any) -> list[tuple[Any, ...]]:
            text = statement if isinstance(statement, str) else self.text(statement)
            if self.killed is None and "_sq_segment" in text:
                self.killed = executors(spark)[0]
                os.kill(self.killed, signal.SIGKILL)
            return super().rows(statement)

    engine = Killing(spark, coreset=drawn[1])
    model, _ = fitted(engine, request(table))
    assert engine.killed is not None
    assert engine.killed not in executors(spark)
    np.testing.assert_array_equal(model.points, same.points)
    assert model.metrics == same.metrics


CONNECT = """
import sys
import numpy as np
import segql
from pyspark.sql import SparkSession

spark = SparkSession.builder.remote("local[1]").getOrCreate()
assert "connect" in type(spark).__module__
spark.read.parquet(sys.argv[1]).createOrReplaceTempView("customer_features")
query = "select * from customer_features where customer_id < 3000"
model = segql.fit(spark, query, id="customer_id", features=["recency", "monetary"], k=3)
scored = segql.predict(spark, model, "customer_features").groupBy("segment_id").count()
assert scored.count() == 3
try:
    segql.fit(spark, "customer_features", id="customer_id", features=["nothing"])
except segql.SegqlError as error:
    print(error)
spark.stop()
try:
    segql.fit(spark, "customer_features", id="customer_id")
except segql.SegqlError as error:
    print(error)
np.save(sys.argv[2], model.points)
"""


def test_spark_connect(con: duckdb.DuckDBPyConnection, customers: str, tmp_path: Path) -> None:
    pytest.importorskip(
        "grpc", reason="Spark Connect is not installed: pip install pyspark[connect]"
    )
    file = tmp_path / "points.npy"
    done = subprocess.run(
        [sys.executable, "-c", CONNECT, customers, str(file)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    query = "select * from customer_features where customer_id < 3000"
    model = segql.fit(con, query, id="customer_id", features=["recency", "monetary"], k=3)
    np.testing.assert_allclose(np.load(file), model.points, atol=1e-6)
    lacking, dead = done.stdout.strip().splitlines()[-2:]
    assert lacking.startswith("unknown feature column 'nothing'")
    assert dead.startswith("the Spark session cannot be used any more")


def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(segql.SegqlError) as caught:
        segql.fit(*arguments, **{"id": "customer_id", **options})
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_bad_input_is_refused_in_one_line(
    spark: Any, table: str, con: duckdb.DuckDBPyConnection, same: Model
) -> None:
    assert "unknown feature column 'age'" in refused(spark, table, features=["age"])
    assert "kmeans" in refused(spark, table, algorithm="dbscan")
    assert "does not exist in Spark (there are: customer_features" in refused(spark, "customer")
    assert "cannot be read" in refused(spark, "select nothing from customer_features")
    assert "both" in refused(spark, table, name="customers")
    assert "cannot be opened" in refused(spark, table, name="c", registry="/nowhere/at/all")
    assert "leave it out" in refused(con, table, name="c", registry="a.duckdb")
    repeated = f"select customer_id % 10 as customer_id, monetary from {table}"
    assert "is not unique" in refused(spark, repeated)
    assert "accepted: a DuckDB connection or a Spark session" in refused(object(), table)
    with pytest.raises(segql.SegqlError, match="lacks 'recency'"):
        segql.predict(spark, same, f"select customer_id, monetary from {table}")
    with pytest.raises(segql.SegqlError, match="accepted: the model itself"):
        segql.predict(spark, "customers", table)  # type: ignore[call-overload]
    failing = (
        f"select customer_id, monetary, cast(raise_error('too bad') as double) as e from {table}"
    )
    assert "too bad" in refused(spark, failing, features=["monetary", "e"])


PAGE = """An error occurred while calling o26.sql.
: org.apache.spark.SparkException: [INTERNAL_ERROR] Executed command failed.
\tat org.apache.spark.SparkException$.internalError(SparkException.scala:119)
Caused by: java.lang.NullPointerException: Cannot invoke "x" because the return value of
"org.apache.spark.SparkContext.dagScheduler()" is null"""


@pytest.mark.parametrize(
    "said",
    [
        PAGE.replace("of\n", "of "), "[Errno 111] Connection refused", "[NO_ACTIVE_SESSION] No",
        "Cannot call methods on a stopped SparkContext.\nThis stopped one was created at:\n",
    ],
    ids=["null", "refused", "none", "stopped"],
)  # fmt: skip
def test_a_session_that_has_died(said: str) -> None:
    from segql.engines.spark import SparkEngine

    class Dead:
        def sql(self, text: str) -> None:
            raise RuntimeError(said)

    with pytest.raises(segql.SegqlError, match="session cannot be used any more") as caught:
        fitted(SparkEngine(Dead()), request("customers"))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_java_that_is_missing_or_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    from segql.engines.spark_session import spark_session

    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(segql.SegqlError, match="Spark needs Java 17 or later") as caught:
        spark_session("local[1]")
    assert "\n" not in str(caught.value)
    for address in ("sc://localhost:1", "spark://localhost:1"):
        with pytest.raises(segql.SegqlError, match="cannot be reached at"):
            spark_session(address)
    with pytest.raises(segql.SegqlError, match="Spark address got None"):
        spark_session(None)  # type: ignore[arg-type]
