"""Options and functions of BigQuery models: training, tuning, TRANSFORM, anomalies, refusals."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

import segql


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create schema d")
    con.execute(
        "create table d.t as select i as id, i % 3 * 10 + hash(i) % 3 as x, (i % 5)::double as y, "
        "'c' || i % 4 as c, i in (0, 1) as is_start, date '2024-01-01' as day, "
        "[i % 2, i % 3]::double[] as v from range(90) as r(i)"
    )
    segql.sql(
        con,
        "CREATE MODEL d.km OPTIONS(model_type='kmeans', num_clusters=3) AS SELECT x, y, c FROM d.t;"
        "CREATE MODEL d.pc OPTIONS(model_type='pca', num_principal_components=2) AS "
        "SELECT x, y, c FROM d.t",
    )
    return con


def rows(con: duckdb.DuckDBPyConnection, text: str) -> list[tuple]:
    found = segql.sql(con, text)
    assert found is not None
    return found.fetchall()


def create(
    con: duckdb.DuckDBPyConnection, options: str, query: str = "SELECT x, y FROM d.t"
) -> None:
    segql.sql(con, f"CREATE OR REPLACE MODEL d.z OPTIONS({options}) AS {query}")


COLUMNS = {
    "ML.CENTROIDS(MODEL d.km)": ["centroid_id", "feature", "numerical_value", "categorical_value"],
    "ML.EVALUATE(MODEL d.km)": ["davies_bouldin_index", "mean_squared_distance"],
    "ML.EVALUATE(MODEL d.pc)": ["total_explained_variance_ratio"],
    "ML.TRAINING_INFO(MODEL d.km)": ["training_run", "iteration", "loss", "learning_rate",
                                     "duration_ms", "cluster_info"],
    "ML.FEATURE_INFO(MODEL d.km)": ["input", "min", "max", "mean", "median", "stddev",
                                    "category_count", "null_count", "dimension"],
    "ML.PRINCIPAL_COMPONENTS(MODEL d.pc)": ["principal_component_id", "feature",
                                            "numerical_value", "categorical_value"],
    "ML.PRINCIPAL_COMPONENT_INFO(MODEL d.pc)": [
        "principal_component_id", "eigenvalue", "explained_variance_ratio",
        "cumulative_explained_variance_ratio"],
    "ML.PREDICT(MODEL d.pc, TABLE d.t)": ["principal_component_1", "principal_component_2"],
    "ML.DETECT_ANOMALIES(MODEL d.km, STRUCT(0.1 AS contamination), (SELECT x, y, c FROM d.t))":
        ["is_anomaly", "normalized_distance", "centroid_id", "x", "y", "c"],
    "ML.DETECT_ANOMALIES(MODEL d.pc, STRUCT(0.1 AS contamination), (SELECT x, y, c FROM d.t))":
        ["is_anomaly", "mean_squared_error", "x", "y", "c"],
}  # fmt: skip


@pytest.mark.parametrize("function", COLUMNS, ids=lambda name: name.split("(")[0])
def test_columns(con: duckdb.DuckDBPyConnection, function: str) -> None:
    found = segql.sql(con, f"SELECT * FROM {function}")
    assert found.columns == COLUMNS[function]
    assert found.fetchall()


def test_ids_start_where_bigquery_starts_them(con: duckdb.DuckDBPyConnection) -> None:
    assert rows(con, "SELECT MIN(centroid_id) FROM ML.CENTROIDS(MODEL d.km)") == [(1,)]
    assert rows(con, "SELECT MIN(principal_component_id) FROM "
                     "ML.PRINCIPAL_COMPONENTS(MODEL d.pc)") == [(0,)]  # fmt: skip
    assert rows(con, "SELECT MIN(iteration), MIN(training_run) FROM "
                     "ML.TRAINING_INFO(MODEL d.km)") == [(0, 0)]  # fmt: skip


def test_feature_info(con: duckdb.DuckDBPyConnection) -> None:
    x, y, c = rows(con, "SELECT * FROM ML.FEATURE_INFO(MODEL d.km)")
    values = np.array([v for (v,) in con.execute("select x from d.t").fetchall()], dtype=float)
    assert x == ("x", values.min(), values.max(), pytest.approx(values.mean()),
                 np.median(values), pytest.approx(values.std(ddof=1)), None, 0, None)  # fmt: skip
    assert y[0] == "y"
    assert c[0] == "c"
    assert c[1:6] == (None,) * 5
    assert c[6:] == (4, 0, None)


def test_contamination_is_the_share_of_the_training_rows(con: duckdb.DuckDBPyConnection) -> None:
    query = (
        "SELECT COUNTIF(is_anomaly) FROM ML.DETECT_ANOMALIES(MODEL d.{}, "
        "STRUCT({} AS contamination), TABLE d.t)"
    )
    for model in ("km", "pc"):
        assert rows(con, query.format(model, 0)) == [(0,)]
        [(few,)], [(many,)] = (
            rows(con, query.format(model, 0.1)),
            rows(con, query.format(model, 0.5)),
        )
        assert few <= 9
        assert few < many <= 45
    far = rows(
        con,
        "SELECT is_anomaly FROM ML.DETECT_ANOMALIES(MODEL d.km, STRUCT(0.01 AS contamination), "
        "(SELECT 1000 AS x, 2 AS y, 'c1' AS c))",
    )
    assert far == [(True,)]


def test_missing_and_unseen_values(con: duckdb.DuckDBPyConnection) -> None:
    query = ("SELECT nearest_centroids_distance FROM ML.PREDICT(MODEL d.km, "
             "(SELECT {} AS x, 2.0 AS y, {} AS c))")  # fmt: skip
    [(mean,)] = con.execute("select avg(x) from d.t").fetchall()
    [(missing,)] = rows(con, query.format("CAST(NULL AS FLOAT64)", "'c1'"))
    [(filled,)] = rows(con, query.format(repr(mean), "'c1'"))
    assert [i["DISTANCE"] for i in missing] == pytest.approx([i["DISTANCE"] for i in filled])
    [(unseen,)] = rows(con, query.format(repr(mean), "'new'"))
    [(null,)] = rows(con, query.format(repr(mean), "CAST(NULL AS STRING)"))
    assert unseen == null
    [(nan,)] = rows(con, query.format("CAST('NaN' AS FLOAT64)", "'c1'"))
    assert nan == missing


def test_start_column_is_no_feature(con: duckdb.DuckDBPyConnection) -> None:
    create(con, "model_type='kmeans', num_clusters=2, kmeans_init_method='custom', "
                "kmeans_init_col='IS_START'", "SELECT x, y, is_start FROM d.t")  # fmt: skip
    found = rows(con, "SELECT DISTINCT feature FROM ML.CENTROIDS(MODEL d.z) ORDER BY 1")
    assert found == [("x",), ("y",)]


def test_iterations_end_by_progress_or_by_number(con: duckdb.DuckDBPyConnection) -> None:
    losses = {}
    for key, options in {
        "early": "", "late": ", early_stop=false, max_iterations=50", "one": ", max_iterations=1",
        "strict": ", min_rel_progress=0.9",
    }.items():  # fmt: skip
        create(con, f"model_type='kmeans', num_clusters=4{options}")
        losses[key] = [loss for (loss,) in rows(
            con, "SELECT loss FROM ML.TRAINING_INFO(MODEL d.z) ORDER BY iteration"
        )]  # fmt: skip
    assert len(losses["one"]) == 1
    assert len(losses["strict"]) == 2
    assert losses["late"][-1] <= losses["early"][-1]
    drops = -np.diff(losses["early"]) / np.array(losses["early"][:-1])
    assert (drops[:-1] >= 0.01).all()


def test_seed(con: duckdb.DuckDBPyConnection) -> None:
    found = set()
    for seed in (1, 1, 2, 3, 4, 5):
        create(con, f"model_type='kmeans', num_clusters=5, seed={seed}, max_iterations=1")
        found.add(rows(con, "SELECT * FROM ML.EVALUATE(MODEL d.z)")[0])
    assert 1 < len(found) < 6


def test_cosine(con: duckdb.DuckDBPyConnection) -> None:
    create(con, "model_type='kmeans', num_clusters=3, distance_type='cosine', "
                "standardize_features=false")  # fmt: skip
    centers = {}
    for number, feature, value, _ in rows(con, "SELECT * FROM ML.CENTROIDS(MODEL d.z)"):
        centers.setdefault(number, {})[feature] = value
    for number, nearest, x, y in rows(
        con, "SELECT centroid_id, nearest_centroids_distance, x, y FROM "
             "ML.PREDICT(MODEL d.z, TABLE d.t)"
    ):  # fmt: skip
        p = np.array([x, y], dtype=float)
        expected = {}
        for k, c in centers.items():
            vector = np.array([c["x"], c["y"]])
            length = np.linalg.norm(p) * np.linalg.norm(vector)
            cosine = p @ vector / length if length else 0.0
            expected[k] = np.sqrt(max(1 - cosine, 0.0))
        assert {i["CENTROID_ID"]: i["DISTANCE"] for i in nearest} == pytest.approx(
            expected, abs=1e-7
        )
        assert expected[number] == pytest.approx(min(expected.values()), abs=1e-7)


def test_warm_start_goes_on(con: duckdb.DuckDBPyConnection) -> None:
    create(con, "model_type='kmeans', num_clusters=3, max_iterations=1")
    before = rows(con, "SELECT mean_squared_distance FROM ML.EVALUATE(MODEL d.z)")[0][0]
    create(con, "model_type='kmeans', warm_start=true, max_iterations=30")
    after = rows(con, "SELECT mean_squared_distance FROM ML.EVALUATE(MODEL d.z)")[0][0]
    assert after <= before
    runs = rows(con, "SELECT training_run, MIN(iteration) FROM ML.TRAINING_INFO(MODEL d.z) "
                     "GROUP BY 1 ORDER BY 1")  # fmt: skip
    assert runs == [(0, 0), (1, 0)]


def test_tuning(con: duckdb.DuckDBPyConnection) -> None:
    create(con, "model_type='kmeans', num_clusters=HPARAM_CANDIDATES([2, 3, 5]), num_trials=10")
    trials = rows(con, "SELECT trial_id, hyperparameters.num_clusters, "
                       "hparam_tuning_evaluation_metrics.davies_bouldin_index, status, is_optimal "
                       "FROM ML.TRIAL_INFO(MODEL d.z) ORDER BY 1")  # fmt: skip
    assert [row[:2] for row in trials] == [(1, 2), (2, 3), (3, 5)]
    [best] = [row for row in trials if row[4]]
    assert best[2] == min(row[2] for row in trials)
    for number, k, index, *_ in trials:
        given = f"(MODEL d.z, TABLE d.t, STRUCT({number} AS trial_id))"
        [(own, told)] = rows(con, f"SELECT trial_id, davies_bouldin_index FROM ML.EVALUATE{given}")
        assert (own, told) == (number, pytest.approx(index))
        longest = "MAX(ARRAY_LENGTH(nearest_centroids_distance))"
        [(most,)] = rows(con, f"SELECT {longest} FROM ML.PREDICT{given}")
        assert most == k
    create(con, "model_type='kmeans', num_clusters=HPARAM_RANGE(2, 9), num_trials=3")
    assert len(rows(con, "SELECT * FROM ML.TRIAL_INFO(MODEL d.z)")) == 3


def test_share_of_variance(con: duckdb.DuckDBPyConnection) -> None:
    create(con, "model_type='pca', pca_explained_variance_ratio=0.6", "SELECT x, y, c FROM d.t")
    shares = [row[3] for row in rows(con, "SELECT * FROM ML.PRINCIPAL_COMPONENT_INFO(MODEL d.z)")]
    assert shares[-1] >= 0.6
    assert all(share < 0.6 for share in shares[:-1])


def test_unscaled_components_are_centred(con: duckdb.DuckDBPyConnection) -> None:
    create(con, "model_type='pca', num_principal_components=2, scale_features=false")
    values = np.array(con.execute("select x, y from d.t").fetchall(), dtype=float)
    expected = np.sort(np.linalg.eigvalsh(np.cov(values.T)))[::-1]
    found = [row[1] for row in rows(con, "SELECT * FROM ML.PRINCIPAL_COMPONENT_INFO(MODEL d.z)")]
    assert found == pytest.approx(expected, abs=1e-9)


TRANSFORM = (
    "CREATE OR REPLACE MODEL d.tr TRANSFORM(ML.STANDARD_SCALER(x) OVER() AS sx, "
    "ML.ONE_HOT_ENCODER(c) OVER() AS oc, ML.QUANTILE_BUCKETIZE(y, 2) OVER() AS b, "
    "ML.NORMALIZER(v) AS n, * EXCEPT(x, c, y, v, id, is_start, day)) "
    "OPTIONS(model_type='kmeans', num_clusters=2) AS SELECT * FROM d.t"
)


def test_transform_keeps_what_it_learned(con: duckdb.DuckDBPyConnection) -> None:
    segql.sql(con, TRANSFORM)
    [(mean, deviation)] = con.execute("select avg(x), stddev_samp(x) from d.t").fetchall()
    found = segql.sql(
        con,
        "SELECT * FROM ML.TRANSFORM(MODEL d.tr, (SELECT 100 AS x, 'c2' AS c, 4.0 AS y, "
        "[3.0, 4.0] AS v UNION ALL SELECT NULL, 'new', NULL, [0.0, 0.0])) ORDER BY sx",
    )
    assert found.columns == ["sx", "oc", "b", "n"]
    # NULL comes first, as BigQuery sorts it.
    second, first = found.fetchall()
    assert first[0] == pytest.approx((100 - mean) / deviation)
    assert first[1:3] == ([{"index": 3, "value": 1.0}], "bin_2")
    assert first[3] == pytest.approx([0.6, 0.8])
    assert second == (None, [{"index": 0, "value": 1.0}], None, [0.0, 0.0])
    scored = segql.sql(con, "SELECT * FROM ML.PREDICT(MODEL d.tr, TABLE d.t)")
    assert scored.columns[2:] == ["id", "x", "y", "c", "is_start", "day", "v"]
    assert len(scored.fetchall()) == 90
    [inputs] = rows(con, "SELECT ARRAY_AGG(input ORDER BY input) FROM ML.FEATURE_INFO(MODEL d.tr)")
    assert inputs[0] == ["c", "day", "id", "is_start", "v", "x", "y"]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ("model_type='hierarchical', num_clusters=3, linkage='average'", {1, 2, 3}),
        ("model_type='dbscan', eps=0.5, min_samples=3", None),
    ],
)
def test_segqls_own_model_types(
    con: duckdb.DuckDBPyConnection, options: str, numbers: set[int] | None
) -> None:
    create(con, options)
    found = {n for (n,) in rows(con, "SELECT centroid_id FROM ML.PREDICT(MODEL d.z, TABLE d.t)")}
    assert found == numbers if numbers else found
    assert rows(con, "SELECT davies_bouldin_index FROM ML.EVALUATE(MODEL d.z)")[0][0] > 0


REFUSED = {
    "model_type='linear_reg'": r"unknown MODEL_TYPE 'linear_reg' \(accepted: KMEANS, PCA, HIER",
    "num_clusters=3": "MODEL_TYPE is missing",
    "model_type='kmeans', num_clusers=3": "'NUM_CLUSERS'; did you mean 'NUM_CLUSTERS'",
    "model_type='kmeans', num_clusters='3'": "NUM_CLUSTERS got '3'; accepted: a whole number",
    "model_type='kmeans', num_clusters=101": "NUM_CLUSTERS got 101; accepted: .* 2 to 100",
    "model_type='kmeans', num_clusters=100": "only 40 distinct rows",
    "model_type='kmeans', num_clusters=2, num_clusters=3": "NUM_CLUSTERS is given twice",
    "model_type='kmeans', distance_type='manhattan'": "'EUCLIDEAN' or 'COSINE'",
    "model_type='kmeans', max_iterations=0": "MAX_ITERATIONS got 0",
    "model_type='kmeans', early_stop='yes'": "EARLY_STOP got 'yes'; accepted: TRUE or FALSE",
    "model_type='kmeans', min_rel_progress=-1": "MIN_REL_PROGRESS got -1",
    "model_type='kmeans', kmeans_init_col='x'": "go together",
    "model_type='kmeans', num_clusters=hparam_range(2, 5)": "NUM_TRIALS is missing",
    "model_type='kmeans', num_clusters=hparam_range(5, 2), num_trials=2": r"hparam_range\(5, 2\)",
    "model_type='kmeans', seed=-1": "SEED got -1",
    "model_type='kmeans', warm_start=true": "WARM_START",
    "model_type='pca'": "neither NUM_PRINCIPAL_COMPONENTS nor PCA_EXPLAINED_VARIANCE_RATIO",
    "model_type='pca', num_principal_components=2, pca_explained_variance_ratio=0.5": "both",
    "model_type='pca', num_principal_components=9": "NUM_PRINCIPAL_COMPONENTS got 9; .* 1 to 2",
    "model_type='pca', pca_explained_variance_ratio=1.5": "above 0 and below 1",
    "model_type='dbscan', eps=0": "EPS got 0; accepted: a number above 0",
    "model_type='hierarchical'": "NUM_CLUSTERS is missing",
}


@pytest.mark.parametrize("options", REFUSED)
def test_options_are_refused_by_name(con: duckdb.DuckDBPyConnection, options: str) -> None:
    segql.sql(con, "DROP MODEL IF EXISTS d.z")
    with pytest.raises(segql.SegqlError, match=REFUSED[options]) as refused:
        create(con, options)
    assert "\n" not in str(refused.value)
    assert "d.z" not in segql.models(con)["model_name"].tolist()


STATEMENTS = {
    "SELECT * FROM ML.PREDICT(MODEL d.kmm, TABLE d.t)": "'d.kmm'; did you mean 'd.km'",
    "SELECT * FROM ML.PREDICT(MODEL d.km, (SELECT x, c FROM d.t))": "rows lack the column 'y'",
    "SELECT * FROM ML.PREDICT(MODEL d.km)": "ML.PREDICT needs rows",
    "SELECT * FROM ML.CENTROIDS(MODEL d.pc)": "is a PCA model",
    "SELECT * FROM ML.CENTROIDS(MODEL d.km, TABLE d.t)": "takes a model and no rows",
    "SELECT * FROM ML.PRINCIPAL_COMPONENTS(MODEL d.km)": "accepted: a PCA model",
    "SELECT * FROM ML.TRIAL_INFO(MODEL d.km)": "was not tuned",
    "SELECT * FROM ML.TRANSFORM(MODEL d.km, TABLE d.t)": "has no TRANSFORM clause",
    "SELECT * FROM ML.DETECT_ANOMALIES(MODEL d.km, TABLE d.t)": "contamination got nothing",
    "SELECT * FROM ML.DETECT_ANOMALIES(MODEL d.km, STRUCT(0.7 AS contamination), TABLE d.t)": "0.7",
    "SELECT * FROM ML.CENTROIDS(MODEL d.km, STRUCT(TRUE AS standardise))": "'standardize'",
    "SELECT * FROM ML.WEIGHTS(MODEL d.km)": "ML.WEIGHTS is not supported; accepted: ML.PREDICT",
    "SELECT * FROM ML.PREDICTS(MODEL d.km, TABLE d.t)": "did you mean 'ML.PREDICT'",
    "SELECT ML.STANDARD_SCALAR(x) OVER() FROM d.t": "did you mean 'ML.STANDARD_SCALER'",
    "SELECT ML.STANDARD_SCALER(x) FROM d.t": r"needs OVER\(\)",
    "SELECT ML.STANDARD_SCALER(x) OVER(PARTITION BY c) FROM d.t": r"an empty OVER\(\)",
    "SELECT ML.BUCKETIZE(x, [3, 1]) FROM d.t": "lowest first",
    "SELEC 1": "cannot be read",
    "SELECT 'abc": "cannot be read",
    "CREATE MODEL d.w OPTIONS(model_type='kmeans')": "has no query",
    "CREATE MODEL d.w OPTIONS(model_type='kmeans') AS SELECT day FROM d.t": "'day' has type DATE",
    "CREATE MODEL d.w OPTIONS(model_type='kmeans') AS SELECT x FROM d.t WHERE FALSE": "0 rows",
    "CREATE MODEL d.w OPTIONS(model_type='kmeans') AS SELECT * FROM d.nope": "cannot be run",
    "CREATE MODEL d.w OPTIONS(model_type='kmeans') AS SELECT CAST(NULL AS INT64) AS x, y FROM d.t":
        "'x' has no usable value",
    "CREATE MODEL d.w TRANSFORM(x + 1) OPTIONS(model_type='kmeans') AS SELECT x FROM d.t":
        "an expression with a name",
    "CREATE MODEL d.w TRANSFORM(nope) OPTIONS(model_type='kmeans') AS SELECT x FROM d.t":
        "unknown column 'nope'",
    "CREATE MODEL d.w OPTIONS(model_type='kmeans', num_clusters=2, kmeans_init_method='custom', "
    "kmeans_init_col='c') AS SELECT x, c FROM d.t": "has type VARCHAR; accepted: BOOL",
    "CREATE MODEL d.w OPTIONS(model_type='kmeans', num_clusters=3, kmeans_init_method='custom', "
    "kmeans_init_col='is_start') AS SELECT x, y, is_start FROM d.t": "TRUE in 2 rows",
}  # fmt: skip


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statements_are_refused_in_a_line(con: duckdb.DuckDBPyConnection, statement: str) -> None:
    with pytest.raises(segql.SegqlError, match=STATEMENTS[statement]) as refused:
        segql.sql(con, statement)
    assert "\n" not in str(refused.value)
    assert not con.sql(
        "select table_name from duckdb_tables() where starts_with(table_name, '_sq_')"
    ).fetchall()
