"""BigQuery's published answers on its penguins, and of its documentation, to the digits printed.

Penguins: googleapis/python-bigquery-dataframes, tests/system/small/ml/test_core.py,
test_cluster.py and test_decomposition.py with the models of conftest.py (and its new_penguins_df).
The rows in penguins.csv are those of Gorman, Williams & Fraser (2014) as package palmerpenguins
has them (CC0), with "." for the one sex that BigQuery's table has so.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import segql

PENGUINS = Path(__file__).with_name("penguins.csv")
ADELIE = "Adelie Penguin (Pygoscelis adeliae)"
GENTOO = "Gentoo penguin (Pygoscelis papua)"
CHINSTRAP = "Chinstrap penguin (Pygoscelis antarctica)"
NEW = f"""(
  SELECT 1633 AS tag_number, '{ADELIE}' AS species, 'Torgersen' AS island,
    39.5 AS culmen_length_mm, 18.8 AS culmen_depth_mm, 196.0 AS flipper_length_mm,
    3750.0 AS body_mass_g, 'MALE' AS sex
  UNION ALL SELECT 1672, '{ADELIE}', 'Torgersen', 38.5, 17.2, 181.0, 5200.0, 'FEMALE'
  UNION ALL SELECT 1690, '{CHINSTRAP}', 'Dream', 37.9, 18.1, 188.0, 3325.0, 'FEMALE')"""
EARLIER_NEW = f"""(
  SELECT 1633 AS tag_number, '{ADELIE}' AS species, 'Dream' AS island, 37.8 AS culmen_length_mm,
    18.1 AS culmen_depth_mm, 193.0 AS flipper_length_mm, 3750.0 AS body_mass_g, 'MALE' AS sex
  UNION ALL SELECT 1672, '{GENTOO}', 'Biscoe', 46.5, 14.8, 217.0, 5200.0, 'FEMALE'
  UNION ALL SELECT 1690, '{ADELIE}', 'Torgersen', 41.1, 18.6, 189.0, 3325.0, 'MALE')"""
FOUR = """(
  SELECT 'test1' AS observation, 37.5 AS culmen_length_mm, 18.5 AS culmen_depth_mm,
    199 AS flipper_length_mm, 'MALE' AS sex
  UNION ALL SELECT 'test2', 55.8, 19.8, 207, 'MALE'
  UNION ALL SELECT 'test3', 39.7, 18.9, 184, 'MALE'
  UNION ALL SELECT 'test4', 43.8, 13.9, 208, 'FEMALE')"""


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create schema ml_datasets")
    con.execute(
        "create table ml_datasets.penguins as select * from "
        f"read_csv('{PENGUINS}', header = true, types = {{'flipper_length_mm': 'DOUBLE', "
        "'body_mass_g': 'DOUBLE'})"
    )
    segql.sql(
        con,
        """
        CREATE OR REPLACE MODEL `shop.penguins_pca`
        OPTIONS (model_type='pca', num_principal_components=3)
        AS SELECT * FROM `bigquery-public-data.ml_datasets.penguins`;

        -- From these three rows it ends in the published state.
        CREATE OR REPLACE MODEL `shop.penguins_kmeans`
        OPTIONS (model_type='kmeans', num_clusters=3, kmeans_init_method='custom',
                 kmeans_init_col='is_start')
        AS SELECT culmen_length_mm, culmen_depth_mm, flipper_length_mm, sex,
          (culmen_length_mm, culmen_depth_mm, flipper_length_mm)
            IN ((42.5, 20.7, 197.0), (36.3, 19.5, 190.0), (46.8, 16.1, 215.0)) AS is_start
        FROM `bigquery-public-data.ml_datasets.penguins`
        """,
    )
    return con


def rows(con: duckdb.DuckDBPyConnection, text: str) -> list[tuple]:
    found = segql.sql(con, text)
    assert found is not None
    return found.fetchall()


def test_component_info(con: duckdb.DuckDBPyConnection) -> None:
    found = rows(con, "SELECT * FROM ML.PRINCIPAL_COMPONENT_INFO(MODEL shop.penguins_pca)")
    expected = [
        (0, 3.278657, 0.469357, 0.469357),
        (1, 1.270829, 0.181926, 0.651283),
        (2, 1.125354, 0.1611, 0.812383),
    ]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=5.1e-7)
    [(share,)] = rows(con, "SELECT * FROM ML.EVALUATE(MODEL shop.penguins_pca)")
    assert share == pytest.approx(0.812383, abs=5.1e-7)


def test_first_component(con: duckdb.DuckDBPyConnection) -> None:
    found = {
        row[0]: row[1:]
        for row in rows(
            con,
            "SELECT feature, numerical_value, categorical_value FROM "
            "ML.PRINCIPAL_COMPONENTS(MODEL shop.penguins_pca) WHERE principal_component_id = 0",
        )
    }
    numbers = {
        "culmen_length_mm": 0.401489,
        "culmen_depth_mm": -0.377482,
        "flipper_length_mm": 0.524052,
        "body_mass_g": 0.501174,
    }
    for name, value in numbers.items():
        assert found[name][0] == pytest.approx(value, abs=5.1e-7)
        assert found[name][1] == []
    shares = {
        "species": {
            GENTOO: 0.25068877125667804,
            ADELIE: -0.20622291900416198,
            CHINSTRAP: -0.030161149275185855,
        },
        "island": {
            "Biscoe": 0.19761120114410635,
            "Dream": -0.11264736305259061,
            "Torgersen": -0.07065913511418596,
        },
        "sex": {
            ".": 0.0015916894448071784,
            "MALE": 0.06869704739750442,
            "FEMALE": -0.052521171596813174,
            "_null_filler": -0.0034628622681684906,
        },
    }
    for name, expected in shares.items():
        ours = {item["category"]: item["value"] for item in found[name][1]}
        assert ours == pytest.approx(expected, abs=1e-12)


def test_components_of_new_rows(con: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT {} FROM ML.PREDICT(MODEL shop.penguins_pca, {}, {}) ORDER BY tag_number"
    names = ", ".join(f"principal_component_{i}" for i in (1, 2, 3))
    keep = "STRUCT(TRUE AS keep_original_columns)"
    expected = [
        (-1.314041, -0.889106, -0.704345),
        (-0.855813, -1.259753, 0.322555),
        (-1.848786, -0.983304, -0.095759),
    ]
    for ours, theirs in zip(rows(con, query.format(names, NEW, keep)), expected, strict=True):
        assert ours == pytest.approx(theirs, abs=5.1e-7)
    earlier = [(-1.459, -1.120, -0.646), (2.258, -1.351, 0.443), (-1.685, -0.874, -0.704)]
    found = rows(con, query.format(names, EARLIER_NEW, keep))
    for ours, theirs in zip(found, earlier, strict=True):
        assert ours == pytest.approx(theirs, abs=5.1e-4)


def test_anomalies_of_components(con: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        con,
        "SELECT is_anomaly, mean_squared_error FROM ML.DETECT_ANOMALIES(MODEL shop.penguins_pca, "
        f"STRUCT(0.25 AS contamination), {NEW}) ORDER BY tag_number",
    )
    assert [row[0] for row in found] == [True, True, True]
    errors = [row[1] for row in found]
    assert errors == pytest.approx([0.254188, 0.731243, 0.298889], abs=5.1e-7)


def test_centroids(con: duckdb.DuckDBPyConnection) -> None:
    found: dict[int, dict[str, tuple]] = {}
    for number, feature, value, shares in rows(
        con, "SELECT * FROM ML.CENTROIDS(MODEL shop.penguins_kmeans)"
    ):
        found.setdefault(number, {})[feature] = value, shares
    # Ours are numbered by size. 217.040123 was printed for 26913 / 124 = 217.040323.
    published = {
        1: (38.207813, 18.03125, 187.992188,
            {"MALE": 0.34375, "FEMALE": 0.625, "_null_filler": 0.03125}),
        2: (47.509677, 14.993548, 217.040323,
            {".": 0.008064516129032258, "MALE": 0.49193548387096775,
             "FEMALE": 0.47580645161290325, "_null_filler": 0.024193548387096774}),
        3: (47.036346, 18.834808, 197.1612,
            {"MALE": 0.6847826086956522, "FEMALE": 0.2826086956521739,
             "_null_filler": 0.03260869565217391}),
    }  # fmt: skip
    assert set(found) == set(published)
    for number, (length, depth, flipper, sexes) in published.items():
        ours = found[number]
        numbers = [ours[f"{name}_mm"][0] for name in
                   ("culmen_length", "culmen_depth", "flipper_length")]  # fmt: skip
        assert numbers == pytest.approx([length, depth, flipper], abs=5.1e-7)
        shares = {item["category"]: item["value"] for item in ours["sex"][1]}
        assert shares == pytest.approx(sexes, abs=1e-12)


def test_figures_of_clusters(con: duckdb.DuckDBPyConnection) -> None:
    [found] = rows(con, f"SELECT * FROM ML.EVALUATE(MODEL shop.penguins_kmeans, {FOUR})")
    assert found == pytest.approx((1.523606, 1.965944), abs=5.1e-7)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "SELECT f, ML.STANDARD_SCALER(f) OVER() AS output FROM UNNEST([1,2,3,4,5]) AS f",
            [(1, -1.2649110640673518), (2, -0.6324555320336759), (3, 0.0),
             (4, 0.6324555320336759), (5, 1.2649110640673518)],
        ),
        (
            "SELECT f, ML.MIN_MAX_SCALER(f) OVER() AS output FROM UNNEST([1,2,3,4,5]) AS f",
            [(1, 0.0), (2, 0.25), (3, 0.5), (4, 0.75), (5, 1.0)],
        ),
        (
            "SELECT f, ML.MAX_ABS_SCALER(f) OVER () AS output "
            "FROM UNNEST([NULL, -3, 1, 2, 3, 4, 5]) AS f",
            [(None, None), (-3, -0.6), (1, 0.2), (2, 0.4), (3, 0.6), (4, 0.8), (5, 1.0)],
        ),
        (
            "SELECT f, ML.ROBUST_SCALER(f) OVER () AS output "
            "FROM UNNEST([NULL, -3, 1, 2, 3, 4, 5]) AS f",
            [(None, None), (-3, -1.6666666666666667), (1, -0.3333333333333333), (2, 0.0),
             (3, 0.3333333333333333), (4, 0.6666666666666666), (5, 1.0)],
        ),
        (
            "SELECT f, ML.IMPUTER(f, 'mean') OVER () AS output "
            "FROM UNNEST([NULL, -3, -3, -3, 1, 2, 3, 4, 5]) AS f",
            [(None, 0.75), (-3, -3.0), (-3, -3.0), (-3, -3.0), (1, 1.0), (2, 2.0), (3, 3.0),
             (4, 4.0), (5, 5.0)],
        ),
        (
            "SELECT f, ML.IMPUTER(f, 'most_frequent') OVER () AS output FROM "
            "UNNEST([NULL, NULL, NULL, NULL, 'a', 'a', 'b', 'b', 'c', 'c', 'c']) AS f",
            [(None, "c")] * 4 + [("a", "a")] * 2 + [("b", "b")] * 2 + [("c", "c")] * 3,
        ),
        (
            "SELECT f, ML.QUANTILE_BUCKETIZE(f, 3) OVER() AS bucket, "
            'ML.QUANTILE_BUCKETIZE(f, 3, "bucket_ranges") OVER() AS bucket_ranges, '
            'ML.QUANTILE_BUCKETIZE(f, 3, "bucket_ranges_json") OVER() AS bucket_ranges_json '
            "FROM UNNEST([1,2,3,4,5]) AS f",
            [(1, "bin_1", "(-inf, 2)", '{"start": "-Infinity", "end": "2"}'),
             (2, "bin_2", "[2, 4)", '{"start": "2", "end": "4"}'),
             (3, "bin_2", "[2, 4)", '{"start": "2", "end": "4"}'),
             (4, "bin_3", "[4, +inf)", '{"start": "4", "end": "Infinity"}'),
             (5, "bin_3", "[4, +inf)", '{"start": "4", "end": "Infinity"}')],
        ),
        (
            "SELECT ML.BUCKETIZE(2.5, [1, 2, 3]) AS bucket, "
            "ML.BUCKETIZE(2.5, [1, 2, 3], TRUE) AS bucket_without_boundaries, "
            'ML.BUCKETIZE(2.5, [1, 2, 3], FALSE, "bucket_ranges") AS bucket_ranges, '
            'ML.BUCKETIZE(2.5, [1, 2, 3], FALSE, "bucket_ranges_json") AS bucket_ranges_json',
            [("bin_3", "bin_2", "[2, 3)", '{"start": "2", "end": "3"}')],
        ),
        (
            "SELECT f, ML.ONE_HOT_ENCODER(f, 'most_frequent', 10, 0) OVER () AS output "
            "FROM UNNEST([NULL, 'a', 'b', 'b', 'c', 'c', 'c', 'd', 'd']) AS f",
            [(f, [{"index": index, "value": value}]) for f, index, value in
             [(None, 0, 1.0), ("a", 1, 1.0), ("b", 2, 1.0), ("b", 2, 1.0), ("c", 3, 0.0),
              ("c", 3, 0.0), ("c", 3, 0.0), ("d", 4, 1.0), ("d", 4, 1.0)]],
        ),
        (
            "SELECT f, ML.LABEL_ENCODER(f, 2, 2) OVER () AS output "
            "FROM UNNEST([NULL, 'a', 'b', 'b', 'c', 'c', 'c', 'd', 'd']) AS f",
            [(None, 0), ("a", 0), ("b", 1), ("b", 1), ("c", 2), ("c", 2), ("c", 2), ("d", 0),
             ("d", 0)],
        ),
        (
            "SELECT ML.NORMALIZER([4.0, 1.0, 2.0, 2.0, 0.0]) AS output",
            [([0.8, 0.2, 0.4, 0.4, 0.0],)],
        ),
    ],
    ids=lambda value: value.split("ML.")[1].split("(")[0] if isinstance(value, str) else "",
)  # fmt: skip
def test_examples_of_the_preprocessing_functions(
    con: duckdb.DuckDBPyConnection, query: str, expected: list[tuple]
) -> None:
    found = rows(con, query)
    found.sort(key=lambda row: (row[0] is not None, row[0]) if len(row) > 1 else (True, 0))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            is_number = isinstance(other, float) or (
                isinstance(other, list) and isinstance(other[0], float)
            )
            assert one == (pytest.approx(other, abs=1e-15) if is_number else other)
