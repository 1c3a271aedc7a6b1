"""The Superset bundle against the marts' contracts: what it names exists, nothing is missing."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

ROOT = Path(__file__).resolve().parents[2]
MARTS = ROOT / "dbt_project" / "models" / "marts"
sys.path.append(str(ROOT / "bi"))

import bundle  # noqa: E402
import queries  # noqa: E402

FILES = bundle.read()
Content = dict[str, Any]


def in_folder(folder: str) -> dict[str, Content]:
    return {name: content for name, content in FILES.items() if name.startswith(f"{folder}/")}


DATASETS, CHARTS = in_folder("datasets"), in_folder("charts")
[DATABASE] = in_folder("databases").values()
[DASHBOARD] = in_folder("dashboards").values()
BY_UUID = {content["uuid"]: content for content in DATASETS.values()}


def contracts() -> dict[str, dict[str, str]]:
    """Columns and types of each mart under contract."""
    models = [
        model
        for path in sorted(MARTS.glob("*.yml"))
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", [])
    ]
    # What is `string` in a contract is DuckDB's varchar.
    said = {"string": "varchar"}
    return {
        model["name"]: {
            column["name"]: said.get(column["data_type"], column["data_type"])
            for column in model["columns"]
        }
        for model in models
        if model.get("columns")
    }


CONTRACTS = contracts()


def marts_of(dataset: Content) -> set[str]:
    """The marts that a dataset reads."""
    if "sql" not in dataset:
        return {dataset["table_name"]}
    tables = sqlglot.parse_one(dataset["sql"], read="duckdb").find_all(exp.Table)
    return {table.name for table in tables if table.db == "marts"}


def columns(dataset: Content, *, calculated: bool) -> dict[str, Content]:
    return {
        column["column_name"]: column
        for column in dataset["columns"]
        if ("expression" in column) == calculated
    }


def read_columns(sql: str) -> set[str]:
    parsed = sqlglot.parse_one(sql, read="duckdb")
    return {column.name for column in parsed.find_all(exp.Column)}


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_dataset_has_the_columns_of_its_mart_or_query(name: str) -> None:
    dataset = DATASETS[name]
    held = columns(dataset, calculated=False)
    if sql := dataset.get("sql"):
        schema = {"marts": CONTRACTS}
        # An unknown table or column raises.
        query = qualify(
            sqlglot.parse_one(sql, read="duckdb"),
            schema=schema,
            dialect="duckdb",
            validate_qualify_columns=True,
        )
        assert marts_of(dataset) <= CONTRACTS.keys()
        assert set(held) == set(query.named_selects)
        return
    mart = CONTRACTS[dataset["table_name"]]
    assert dataset["schema"] == "marts"
    assert {column: content["type"].lower() for column, content in held.items()} == mart


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_dataset_expressions_read_its_columns(name: str) -> None:
    dataset = DATASETS[name]
    held = columns(dataset, calculated=False)
    calculated = columns(dataset, calculated=True)
    expressions = [column["expression"] for column in calculated.values()]
    expressions += [metric["expression"] for metric in dataset["metrics"]]
    for expression in expressions:
        assert read_columns(expression) <= set(held), expression
    assert dataset["database_uuid"] == DATABASE["uuid"]
    assert all(column["description"] for column in dataset["columns"])


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_chart_asks_its_dataset_for_what_it_has(name: str) -> None:
    chart = CHARTS[name]
    dataset, params = BY_UUID[chart["dataset_uuid"]], chart["params"]
    held = {column["column_name"] for column in dataset["columns"]}
    metrics = {metric["metric_name"] for metric in dataset["metrics"]}
    query = queries.query_of(params)
    assert set(query["columns"]) <= held
    assert set(query.get("metrics", [])) <= metrics
    assert query["columns"] or query["metrics"]
    assert {column for column, _ in query["orderby"]} <= held
    assert not query["filters"], "written filters are the ones whose columns are looked at"
    if where := query["extras"]["where"]:
        assert read_columns(where) <= held
    shown = set(query["columns"]) | metrics
    assert {item["column"] for item in params.get("conditional_formatting", [])} <= shown
    assert set(params.get("column_config", {})) <= set(query["columns"])
    assert chart["viz_type"] == params["viz_type"]
    assert chart["description"]


def test_recommendations_are_of_one_segmentation() -> None:
    """The mart has a row of each segmentation; together they would count customers twice."""
    asked = [
        queries.query_of(chart["params"])["extras"]["where"]
        for chart in CHARTS.values()
        if BY_UUID[chart["dataset_uuid"]]["table_name"] == "segment_recommendations"
    ]
    assert asked
    assert all("segmentation = 'customer_segments'" in where for where in asked)
    [moved] = [item for item in DATASETS.values() if item["table_name"] == "segment_movement"]
    assert "segmentation = 'customer_segments'" in moved["sql"]


def test_every_chart_has_one_place_on_the_dashboard() -> None:
    position = DASHBOARD["position"]
    parts = {key: part for key, part in position.items() if isinstance(part, dict)}
    placed = [part["meta"] for part in parts.values() if part["type"] == "CHART"]
    assert sorted(meta["uuid"] for meta in placed) == sorted(
        chart["uuid"] for chart in CHARTS.values()
    )
    named = {chart["uuid"]: chart["slice_name"] for chart in CHARTS.values()}
    assert all(meta["sliceName"] == named[meta["uuid"]] for meta in placed)
    assert len({meta["chartId"] for meta in placed}) == len(placed)
    reached = {child for part in parts.values() for child in part.get("children", [])}
    assert reached | {"ROOT_ID", "HEADER_ID"} == set(parts)
    for row in (part for part in parts.values() if part["type"] == "ROW"):
        assert sum(parts[child]["meta"]["width"] for child in row["children"]) == 12


def test_filter_leaves_out_the_charts_without_its_column() -> None:
    position = DASHBOARD["position"].values()
    numbers = {
        part["meta"]["uuid"]: part["meta"]["chartId"]
        for part in position
        if isinstance(part, dict) and part["type"] == "CHART"
    }
    for item in DASHBOARD["metadata"]["native_filter_configuration"]:
        [target] = item["targets"]
        column = target["column"]["name"]
        assert column in columns(BY_UUID[target["datasetUuid"]], calculated=False)
        without = {
            numbers[chart["uuid"]]
            for chart in CHARTS.values()
            if column not in columns(BY_UUID[chart["dataset_uuid"]], calculated=False)
        }
        assert set(item["scope"]["excluded"]) == without


def test_exposure_names_the_marts_of_the_datasets() -> None:
    text = (MARTS.parent / "exposures.yml").read_text(encoding="utf-8")
    [exposure] = [
        item for item in yaml.safe_load(text)["exposures"] if item["name"] == "segment_dashboard"
    ]
    read = set[str]().union(*(marts_of(dataset) for dataset in DATASETS.values()))
    assert set(exposure["depends_on"]) == {f"ref('{mart}')" for mart in read}


def test_uuids_are_unique() -> None:
    uuids = [content["uuid"] for content in FILES.values() if "uuid" in content]
    assert len(uuids) == len(FILES) - 1, "metadata.yaml alone has none"
    assert len(set(uuids)) == len(uuids)


def test_database_is_opened_read_only() -> None:
    assert DATABASE["extra"]["engine_params"]["connect_args"] == {"read_only": True}
    assert not DATABASE["allow_dml"]


def test_zip_reads_the_file_it_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(bundle.zipped(tmp_path / "served here.duckdb"))) as archive:
        names = archive.namelist()
        database = yaml.safe_load(archive.read("segql/databases/segql.yaml"))
        charts = [
            yaml.safe_load(archive.read(name)) for name in names if name.startswith("segql/charts/")
        ]
    assert sorted(names) == sorted(f"segql/{name}" for name in FILES)
    assert database["sqlalchemy_uri"] == f"duckdb:///{tmp_path / 'served here.duckdb'}"
    for chart in charts:
        assert json.loads(chart["query_context"])["queries"] == [queries.query_of(chart["params"])]


def test_filters_compare_with_values_of_any_shop() -> None:
    """The keys that every model has and the values a contract accepts; no shop's own."""
    accepted = {"prospect", "unscored", "noise", "customer_segments", "rfm_segments"}
    written = [queries.query_of(chart["params"])["extras"]["where"] for chart in CHARTS.values()]
    for dataset in DATASETS.values():
        written += [dataset.get("sql", "")]
        written += [metric["expression"] for metric in dataset["metrics"]]
    compared = {
        literal.name
        for text in filter(None, written)
        for comparison in sqlglot.parse_one(text, read="duckdb").find_all(exp.EQ, exp.NEQ, exp.In)
        for literal in comparison.iter_expressions()
        if isinstance(literal, exp.Literal) and literal.is_string
    }
    assert {"customer_segments", "prospect"} <= compared <= accepted
