"""Numbers that somebody else published, re-typed here with their source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_score
from support import Matrix, labels_of, points, predictions, prepared, store_numbers

import segql

DataDir = Callable[[str], Path]
RAW = {"impute": "none", "transform": "none", "scale": "none"}
SCALED = {"transform": "none", "scale": "standard"}


@pytest.fixture
def mall(con: duckdb.DuckDBPyConnection, data_dir: DataDir) -> duckdb.DuckDBPyConnection:
    path = data_dir("mall_customers/Mall_Customers.csv")
    con.execute(
        "create table mall as select CustomerID::int as id, "
        '"Annual Income (k$)"::double as income, "Spending Score (1-100)"::double as score '
        f"from read_csv('{path}', header = true)"
    )
    assert con.sql("select count(*) from mall").fetchall() == [(200,)]
    return con


def fit_mall(con: duckdb.DuckDBPyConnection, k: int) -> segql.Model:
    return segql.fit(con, "mall", id="id", name="mall", k=k, features={"income": RAW, "score": RAW})


@pytest.mark.parametrize(
    ("k", "inertia"),
    [
        (1, "269981.28"), (2, "181363.5960"), (3, "106348.3731"), (4, "73679.7890"),
        (5, "44448.45544793"), (6, "37233.8145"),
    ],
)  # fmt: skip
def test_mall_elbow(mall: duckdb.DuckDBPyConnection, k: int, inertia: str) -> None:
    """Mall customers, income and spending score, unscaled: many public notebooks."""
    digits = len(inertia.split(".")[1])
    assert f"{fit_mall(mall, k).metrics['inertia']:.{digits}f}" == inertia


def test_mall_five_segments(mall: duckdb.DuckDBPyConnection) -> None:
    model = fit_mall(mall, 5)
    assert [segment.customers for segment in model.segments] == [81, 39, 35, 23, 22]
    centroids = model.centroids().pivot(
        index="centroid_id", columns="feature", values="numerical_value"
    )
    published = [
        ("55.30", "49.52"), ("86.54", "82.13"), ("88.20", "17.11"), ("26.30", "20.91"),
        ("25.73", "79.36"),
    ]  # fmt: skip
    found = [(f"{row.income:.2f}", f"{row.score:.2f}") for row in centroids.itertuples()]
    assert found == published
    scored = predictions(segql.predict(mall, "mall", "mall"))
    euclidean = silhouette_score(scored[["income", "score"]], labels_of(scored))
    assert f"{euclidean:.4f}" == "0.5539"


def test_mall_chooses_five(mall: duckdb.DuckDBPyConnection) -> None:
    """The number of segments that those notebooks read off the elbow."""
    model = segql.fit(mall, "mall", id="id", k="auto", features={"income": RAW, "score": RAW})
    assert model.k == 5
    assert [trial.k for trial in model.trials] == list(range(2, 11))


def without_outliers(frame: pd.DataFrame) -> pd.DataFrame:
    """Cut Amount, Recency, Frequency in turn at q05 − 1.5·IQR … q95 + 1.5·IQR of (05, 95)."""
    for column in ("amount", "recency", "frequency"):
        low, high = frame[column].quantile(0.05), frame[column].quantile(0.95)
        reach = 1.5 * (high - low)
        frame = frame[(frame[column] >= low - reach) & (frame[column] <= high + reach)]
    return frame


def test_online_retail_silhouette(con: duckdb.DuckDBPyConnection, data_dir: DataDir) -> None:
    """Online Retail, RFM standardized, k = 2: a public notebook's Euclidean silhouette."""
    path = data_dir("online_retail/online_retail.parquet")
    frame = con.sql(
        f"""
        with lines as (from '{path}' where CustomerID is not null),
        last as (select max(InvoiceDate) as day from lines)
        select CustomerID::bigint as id, sum(Quantity * UnitPrice)::double as amount,
            count(*)::double as frequency,
            min(date_diff('second', InvoiceDate::timestamp, last.day::timestamp) // 86400)::double
                as recency
        from lines, last group by all order by id
        """
    ).df()
    assert len(frame) == 4372
    kept = without_outliers(frame)
    assert len(kept) == 4293
    con.register("kept", kept)
    con.execute("create table rfm as from kept")
    names = ("amount", "frequency", "recency")
    segql.fit(con, "rfm", id="id", name="rfm", k=2, features=dict.fromkeys(names, SCALED))
    scored = predictions(segql.predict(con, "rfm", "rfm"))
    scaled = scored[list(names)].to_numpy()
    scaled = (scaled - scaled.mean(axis=0)) / scaled.std(axis=0)
    assert f"{silhouette_score(scaled, labels_of(scored)):.6f}" == "0.541586"


def test_pca_of_madlib(con: duckdb.DuckDBPyConnection) -> None:
    """Apache MADlib's documentation: rows (1,2,3) (2,1,2) (3,2,1)."""
    store_numbers(con, "m", {"a": [1.0, 2.0, 3.0], "b": [2.0, 1.0, 2.0], "c": [3.0, 2.0, 1.0]})
    model = segql.fit(
        con, "m", id="id", k=2, pca=2, features={name: RAW for name in ("a", "b", "c")}
    )
    assert model.projection is not None
    deviations = np.sqrt(model.projection.eigenvalues)
    np.testing.assert_allclose(deviations, [1.41421356237310, 0.577350269189626], rtol=1e-12)
    np.testing.assert_allclose(
        model.projection.explained_variance_ratio, [0.857142857142857, 0.142857142857143],
        rtol=1e-12,
    )  # fmt: skip
    root = 0.707106781186548
    np.testing.assert_allclose(
        np.abs(model.projection.components), [[root, 0, root], [0, 1, 0]], atol=1e-9
    )
    segql.register(con)
    [function] = con.execute("select segql_pca([[1, 2, 3], [2, 1, 2], [3, 2, 1]], 2)").fetchone()
    np.testing.assert_allclose(
        np.sqrt(function["explained_variance"]), [1.41421356237310, 0.577350269189626], rtol=1e-9
    )


def test_pca_by_share_of_variance(con: duckdb.DuckDBPyConnection) -> None:
    """0.857142857 is reached by the first component; a hair more needs the second."""
    store_numbers(con, "m", {"a": [1.0, 2.0, 3.0], "b": [2.0, 1.0, 2.0], "c": [3.0, 2.0, 1.0]})
    features = {name: RAW for name in ("a", "b", "c")}
    for share, components in ((0.5, 1), (0.857142857, 1), (0.8571428572, 2), (0.999, 2)):
        model = segql.fit(con, "m", id="id", k=2, pca=share, features=features)
        assert points(con, model, "m").shape == (3, components)


def standardized(con: duckdb.DuckDBPyConnection, columns: dict[str, list[float]]) -> Matrix:
    store_numbers(con, "s", columns)
    model = segql.fit(con, "s", id="id", k=2, features=dict.fromkeys(columns, SCALED))
    return prepared(con, model, "s")


def test_standard_scaler_of_bigquery(con: duckdb.DuckDBPyConnection) -> None:
    """BigQuery's ML.STANDARD_SCALER of 1 … 5 divides by the deviation with n − 1."""
    ours = standardized(con, {"f": [1.0, 2.0, 3.0, 4.0, 5.0]})[:, 0]
    published = np.array(
        [-1.2649110640673518, -0.6324555320336759, 0.0, 0.6324555320336759, 1.2649110640673518]
    )
    # Ours has the divisor n, as scikit-learn; the factor between them is √(n / (n − 1)).
    np.testing.assert_allclose(ours / np.sqrt(5 / 4), published, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(ours[0], -np.sqrt(2), rtol=1e-15)


def test_standard_scaler_of_spark(con: duckdb.DuckDBPyConnection) -> None:
    """Spark's StandardScalerSuite, divisor n − 1: first row of its expected vectors."""
    ours = standardized(con, {"a": [-2.0, 0.0, 1.7], "b": [2.3, -5.1, -0.6], "c": [0.0, 1.0, 3.3]})
    np.testing.assert_allclose(
        ours[0] / np.sqrt(3 / 2), [-1.0259035696, 0.920781325, -0.847054290], rtol=1e-8
    )


@pytest.mark.parametrize(
    ("dataset", "columns", "k"),
    [
        ("wholesale", ["Fresh", "Milk", "Grocery", "Frozen", "Detergents_Paper", "Delicassen"], 5),
        ("wholesale", ["Fresh", "Milk", "Grocery", "Frozen", "Detergents_Paper", "Delicassen"], 9),
    ],
)
def test_real_data_is_never_worse_than_the_best_of_ten(
    con: duckdb.DuckDBPyConnection, data_dir: DataDir, dataset: str, columns: list[str], k: int
) -> None:
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler

    path = data_dir(f"{dataset}/{dataset}.csv")
    con.execute(f"create table t as select row_number() over () as id, * from read_csv('{path}')")
    features = {name: {"transform": "log1p"} for name in columns}
    model = segql.fit(con, "t", id="id", k=k, features=features)
    listed = ", ".join(columns)
    values = np.log1p(con.sql(f"select {listed} from t order by id").df().to_numpy(dtype=float))
    space = StandardScaler().fit_transform(values)
    theirs = KMeans(k, n_init=10, random_state=0).fit(space)
    assert model.metrics["inertia"] <= theirs.inertia_ * 1.0005
