"""BigQuery ML statements as users write them: the tutorial, names, scripts, any query position."""

from __future__ import annotations

import math
from pathlib import Path

import duckdb
import numpy as np
import pytest

import segql

#: The queries of BigQuery's k-means tutorial (cloud.google.com/bigquery/docs/kmeans-tutorial).
STATIONS = """
    WITH
    hs AS (
      SELECT
        h.start_station_name AS station_name,
        IF(
          EXTRACT(DAYOFWEEK FROM h.start_date) = 1
            OR EXTRACT(DAYOFWEEK FROM h.start_date) = 7,
          'weekend',
          'weekday') AS isweekday,
        h.duration,
        ST_DISTANCE(ST_GEOGPOINT(s.longitude, s.latitude), ST_GEOGPOINT(-0.1, 51.5)) / 1000
          AS distance_from_city_center
      FROM
        `bigquery-public-data.london_bicycles.cycle_hire` AS h
      JOIN
        `bigquery-public-data.london_bicycles.cycle_stations` AS s
        ON
          h.start_station_id = s.id
      WHERE
        h.start_date
        BETWEEN CAST('2015-01-01 00:00:00' AS TIMESTAMP)
        AND CAST('2016-01-01 00:00:00' AS TIMESTAMP)
    ),
    stationstats AS (
      SELECT
        station_name,
        isweekday,
        AVG(duration) AS duration,
        COUNT(duration) AS num_trips,
        MAX(distance_from_city_center) AS distance_from_city_center
      FROM
        hs
      GROUP BY
        station_name, isweekday
    )
"""
TUTORIAL = (
    f"{STATIONS} SELECT * FROM stationstats ORDER BY distance_from_city_center ASC;",
    "CREATE OR REPLACE MODEL `bqml_tutorial.london_station_clusters` OPTIONS ( "
    f"model_type = 'kmeans', num_clusters = 4) AS {STATIONS} "
    "SELECT * EXCEPT (station_name, isweekday) FROM stationstats;",
    f"{STATIONS} SELECT * EXCEPT (nearest_centroids_distance) FROM ML.PREDICT( "
    "MODEL `bqml_tutorial.london_station_clusters`, ( SELECT * FROM stationstats WHERE "
    "REGEXP_CONTAINS(station_name, 'Kennington') ));",
)


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    con.execute("create schema shop")
    con.execute(
        "create table shop.customers as select i as id, (i % 3) * 10 + i % 2 as spend, "
        "i % 7 as visits, if(i % 4 = 0, null, 'c' || i % 3) as region from range(120) as r(i)"
    )
    return con


@pytest.fixture
def bicycles(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    con.execute("create schema london_bicycles")
    con.execute(
        "create table london_bicycles.cycle_stations as select i as id, "
        "-0.1 + i / 200 as longitude, 51.5 + (i % 5) / 100 as latitude from range(30) as r(i)"
    )
    con.execute(
        "create table london_bicycles.cycle_hire as select i % 30 as start_station_id, "
        "if(i % 30 < 3, 'Kennington ', 'Soho ') || i % 30 as start_station_name, "
        "timestamptz '2015-03-01 12:00:00+00' + to_days((i % 200)::integer) as start_date, "
        "600 + i % 30 * 20 + i % 11 as duration from range(6000) as r(i)"
    )
    return con


def rows(con: duckdb.DuckDBPyConnection, text: str) -> list[tuple]:
    found = segql.sql(con, text)
    assert found is not None
    return found.fetchall()


KMEANS = (
    "CREATE OR REPLACE MODEL `shop.seg` OPTIONS(model_type='kmeans', num_clusters=3) AS "
    "SELECT spend, visits, region FROM `any-project.shop.customers`"
)


def test_tutorial_runs_unchanged(bicycles: duckdb.DuckDBPyConnection) -> None:
    examined, created, predicted = (segql.sql(bicycles, text) for text in TUTORIAL)
    assert created is None
    stations = examined.fetchall()
    assert len(stations) == 60
    # Sunday is day 1 in BigQuery: 2015-03-01 was one, and a weekend has two days.
    assert {row[1] for row in stations} == {"weekend", "weekday"}
    trips = {kind: sum(row[3] for row in stations if row[1] == kind)
             for kind in ("weekend", "weekday")}  # fmt: skip
    days = [(day + 6) % 7 for day in range(200)]
    weekends = sum(day in (5, 6) for day in days)
    assert trips["weekend"] == pytest.approx(6000 * weekends / 200, rel=0.02)
    # Station 0 is at the centre; station 2 is 0.01 degrees east and 0.02 north of it.
    by_name = {row[0]: row[4] for row in stations}
    assert by_name["Kennington 0"] == pytest.approx(0.0, abs=1e-9)
    east, north = math.radians(0.01), math.radians(0.02)
    a = math.sin(north / 2) ** 2 + (
        math.cos(math.radians(51.5)) * math.cos(math.radians(51.52)) * math.sin(east / 2) ** 2
    )
    assert by_name["Kennington 2"] == pytest.approx(2 * 6371.01 * math.asin(math.sqrt(a)))
    assert predicted.columns == [
        "centroid_id", "station_name", "isweekday", "duration", "num_trips",
        "distance_from_city_center",
    ]  # fmt: skip
    assert len(predicted.fetchall()) == 6


def test_predict_has_bigquery_names_and_nesting(con: duckdb.DuckDBPyConnection) -> None:
    segql.sql(con, KMEANS)
    found = segql.sql(con, "SELECT * FROM ML.PREDICT(MODEL `shop.seg`, TABLE `p.shop.customers`)")
    assert found.columns == [
        "centroid_id", "nearest_centroids_distance", "id", "spend", "visits", "region",
    ]  # fmt: skip
    assert str(found.types[0]) == "BIGINT"
    assert str(found.types[1]).replace('"', "") == "STRUCT(CENTROID_ID BIGINT, DISTANCE DOUBLE)[]"
    for number, nearest, *_ in found.fetchall():
        distances = [item["DISTANCE"] for item in nearest]
        assert len(nearest) == 3
        assert distances == sorted(distances)
        assert nearest[0]["CENTROID_ID"] == number


def test_predict_names_the_nearest_five_centroids(con: duckdb.DuckDBPyConnection) -> None:
    segql.sql(con, KMEANS.replace("num_clusters=3", "num_clusters=7"))
    [(least, most)] = rows(
        con,
        "SELECT MIN(ARRAY_LENGTH(nearest_centroids_distance)), "
        "MAX(ARRAY_LENGTH(nearest_centroids_distance)) "
        "FROM ML.PREDICT(MODEL shop.seg, TABLE shop.customers)",
    )
    assert (least, most) == (5, 5)


def test_distances_are_those_of_standardized_columns(con: duckdb.DuckDBPyConnection) -> None:
    segql.sql(con, KMEANS)
    z = {}
    for name in ("spend", "visits"):
        values = np.array(con.execute(f"select {name} from shop.customers order by id").fetchall())
        z[name] = (values[:, 0] - values.mean()) / values.std(ddof=1)
    regions = [
        r for (r,) in con.execute("select region from shop.customers order by id").fetchall()
    ]
    labels = ["c0", "c1", "c2", None]
    points = np.column_stack(
        [z["spend"], z["visits"], *([float(r == label) for r in regions] for label in labels)]
    )
    found = rows(
        con,
        "SELECT centroid_id, nearest_centroids_distance FROM "
        "ML.PREDICT(MODEL shop.seg, TABLE shop.customers) ORDER BY id",
    )
    told = np.array([row[0] for row in found])
    centers = {}
    for number, feature, value, shares in rows(
        con, "SELECT * FROM ML.CENTROIDS(MODEL shop.seg, STRUCT(TRUE AS standardize))"
    ):
        vector = centers.setdefault(number, np.zeros(6))
        if feature in z:
            vector[list(z).index(feature)] = value
        for item in shares:
            name = None if item["category"] == "_null_filler" else item["category"]
            vector[2 + labels.index(name)] = item["value"]
    for index, (number, nearest) in enumerate(found):
        expected = {k: np.linalg.norm(points[index] - c) for k, c in centers.items()}
        assert {item["CENTROID_ID"]: item["DISTANCE"] for item in nearest} == pytest.approx(
            expected, abs=1e-9
        )
        assert number == min(expected, key=expected.__getitem__)
    # Davies-Bouldin: RMS scatter about the model's centroids.
    rms = {k: math.sqrt(np.mean(np.sum((points[told == k] - c) ** 2, axis=1)))
           for k, c in centers.items()}  # fmt: skip
    index = np.mean([
        max((rms[a] + rms[b]) / np.linalg.norm(centers[a] - centers[b])
            for b in centers if b != a) for a in centers
    ])  # fmt: skip
    [figures] = rows(con, "SELECT * FROM ML.EVALUATE(MODEL shop.seg)")
    [again] = rows(con, "SELECT * FROM ML.EVALUATE(MODEL shop.seg, TABLE shop.customers)")
    squared = np.mean([row[1][0]["DISTANCE"] ** 2 for row in found])
    assert figures == pytest.approx((index, squared), abs=1e-9)
    assert again == pytest.approx(figures, abs=1e-9)


def test_functions_stand_wherever_a_table_does(con: duckdb.DuckDBPyConnection) -> None:
    segql.sql(con, KMEANS)
    found = rows(
        con,
        """
        WITH recent AS (SELECT * FROM shop.customers WHERE id < 60),
        scored AS (SELECT * FROM ML.PREDICT(MODEL shop.seg, (SELECT * FROM recent)))
        SELECT s.centroid_id, COUNT(*) AS n,
          ANY_VALUE(s.nearest_centroids_distance[OFFSET(0)].DISTANCE) >= 0 AS is_distance,
          ANY_VALUE((SELECT DISTANCE FROM UNNEST(s.nearest_centroids_distance)
                     WHERE CENTROID_ID = s.centroid_id)) >= 0 AS is_own
        FROM scored AS s
        JOIN ML.CENTROIDS(MODEL shop.seg) AS c
          ON c.centroid_id = s.centroid_id AND c.feature = 'spend'
        WHERE s.id IN (SELECT id FROM ML.DETECT_ANOMALIES(MODEL shop.seg,
            STRUCT(0 AS contamination), TABLE shop.customers) WHERE NOT is_anomaly)
        GROUP BY 1 ORDER BY 1
        """,
    )
    assert sum(row[1] for row in found) == 60
    assert {row[2:] for row in found} == {(True, True)}


def test_predictions_feed_predictions_and_views_need_no_python(tmp_path: Path) -> None:
    path = str(tmp_path / "warehouse.duckdb")
    with duckdb.connect(path, config={"storage_compatibility_version": "v1.4.0"}) as con:
        con.execute("create schema shop")
        con.execute("create table shop.t as select i % 3 * 9 as x, i % 5 as y from range(90) r(i)")
        segql.sql(
            con,
            """
            CREATE MODEL shop.flat OPTIONS(model_type='pca', num_principal_components=1) AS
              SELECT x, y FROM shop.t;
            CREATE MODEL shop.grouped OPTIONS(model_type='kmeans', num_clusters=2) AS
              SELECT * FROM ML.PREDICT(MODEL shop.flat, TABLE shop.t);
            CREATE VIEW shop.seen AS SELECT * FROM ML.PREDICT(MODEL shop.grouped,
              (SELECT * FROM ML.PREDICT(MODEL shop.flat, TABLE shop.t)));
            """,
        )
    with duckdb.connect(path, read_only=True) as con:
        assert con.sql("select count(*) from shop.seen where centroid_id in (1, 2)").fetchall() == [
            (90,)
        ]


def test_model_lives_with_the_others(con: duckdb.DuckDBPyConnection) -> None:
    segql.sql(con, KMEANS)
    segql.sql(con, KMEANS)
    model = segql.load(con, "shop.seg")
    assert (model.version, model.k, model.algorithm) == (2, 3, "kmeans")
    assert sum(segment.customers for segment in model.segments) == 120
    told = con.sql("select count(*) from segql.predict('shop.seg', 'shop.customers')").fetchall()
    assert told == [(120,)]
    segql.sql(con, "DROP MODEL shop.seg; DROP MODEL IF EXISTS shop.seg")
    with pytest.raises(segql.SegqlError, match=r"unknown model 'shop\.seg'"):
        segql.sql(con, "DROP MODEL shop.seg")


def test_create_says_when_a_model_exists(con: duckdb.DuckDBPyConnection) -> None:
    first = KMEANS.replace("OR REPLACE ", "")
    segql.sql(con, first)
    with pytest.raises(segql.SegqlError, match="exists already"):
        segql.sql(con, first)
    segql.sql(con, first.replace("MODEL", "MODEL IF NOT EXISTS", 1))
    assert segql.load(con, "shop.seg").version == 1


def test_a_script_stops_at_its_first_error(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(segql.SegqlError, match="nowhere"):
        segql.sql(con, "CREATE TABLE shop.a AS SELECT 1 AS x; SELECT * FROM nowhere; "
                       "CREATE TABLE shop.b AS SELECT 1 AS x")  # fmt: skip
    assert con.sql("select table_name from duckdb_tables() where schema_name = 'shop' "
                   "order by 1").fetchall() == [("a",), ("customers",)]  # fmt: skip
    assert segql.sql(con, "") is None


def test_an_attached_project_is_read_there(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("attach ':memory:' as other")
    con.execute("create schema other.shop; create table other.shop.customers as select 7 as id")
    assert rows(con, "SELECT id FROM `other.shop.customers`") == [(7,)]
    assert rows(con, "SELECT COUNT(*) FROM `absent.shop.customers`") == [(120,)]


@pytest.mark.parametrize("name", ["a'; drop table shop.customers; --", 'a"b', "ä ö", "select"])
def test_names_are_only_names(con: duckdb.DuckDBPyConnection, name: str) -> None:
    segql.sql(
        con,
        f"CREATE MODEL `shop`.`{name}` OPTIONS(model_type='kmeans', num_clusters=2) AS "
        f"SELECT spend AS `{name}`, visits, region FROM shop.customers",
    )
    found = segql.sql(
        con,
        f"SELECT * FROM ML.PREDICT(MODEL `shop`.`{name}`, "
        f"(SELECT spend AS `{name}`, visits, region FROM shop.customers))",
    )
    assert name in found.columns
    assert len(found.fetchall()) == 120
    assert rows(con, f"SELECT feature FROM ML.CENTROIDS(MODEL `shop`.`{name}`)")[0] == (name,)
    segql.sql(con, f"DROP MODEL `shop`.`{name}`")
    assert con.sql("select count(*) from shop.customers").fetchall() == [(120,)]


def test_texts_are_only_texts(con: duckdb.DuckDBPyConnection) -> None:
    odd = "x'); drop table shop.customers; --"
    con.execute("update shop.customers set region = ? where id % 5 = 0", [odd])
    segql.sql(con, KMEANS)
    segql.sql(con, "CREATE OR REPLACE MODEL shop.t TRANSFORM(ML.LABEL_ENCODER(region, 9, 0) OVER() "
                   "AS r, spend) OPTIONS(model_type='kmeans', num_clusters=2) AS "
                   "SELECT region, spend FROM shop.customers")  # fmt: skip
    found = rows(con, "SELECT categorical_value FROM ML.CENTROIDS(MODEL shop.seg) "
                      "WHERE feature = 'region'")  # fmt: skip
    assert odd in {item["category"] for (shares,) in found for item in shares}
    assert con.sql("select count(*) from shop.customers").fetchall() == [(120,)]


def test_rows_in_any_order_give_the_same_model(con: duckdb.DuckDBPyConnection) -> None:
    segql.sql(con, KMEANS)
    first = rows(con, "SELECT * FROM ML.CENTROIDS(MODEL shop.seg)")
    con.execute("create table shop.mixed as from shop.customers order by hash(id)")
    segql.sql(con, KMEANS.replace("shop.customers", "shop.mixed"))
    assert rows(con, "SELECT * FROM ML.CENTROIDS(MODEL shop.seg)") == first


@pytest.mark.parametrize("nested", ["[" * 5000, "SELECT " + "(" * 5000 + "1"])
def test_what_is_nested_too_deeply_is_told(nested: str) -> None:
    with duckdb.connect() as con, pytest.raises(segql.SegqlError, match="cannot be read"):
        segql.sql(con, nested)
