"""Everything is described: models, columns, seeds, sources and macros, in YAML and in the file."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import harness
import jinja2
import pytest
from jinja2 import nodes

Manifest = dict[str, Any]
SCHEMAS = "('staging', 'features', 'segmentation', 'marts')"
PROJECT = "segql_reference"
KINDS = {
    "nodes": ("model", "seed"),
    "sources": ("source",),
    "exposures": ("exposure",),
    "metrics": ("metric",),
    "semantic_models": ("semantic_model",),
    "functions": ("function",),
    "unit_tests": ("unit_test",),
}


@pytest.fixture(scope="module")
def shop(demo: tuple[harness.Shop, harness.Result]) -> harness.Shop:
    return demo[0]


@pytest.fixture(scope="module")
def manifest(shop: harness.Shop) -> Manifest:
    return json.loads((shop.database.parent / "target" / "manifest.json").read_text("utf-8"))


def undescribed(manifest: Manifest) -> list[str]:
    """Name every resource, and every column that YAML lists, without a description."""
    missing = []
    for group, kinds in KINDS.items():
        for node in manifest[group].values():
            if node["resource_type"] not in kinds or node["package_name"] != PROJECT:
                continue
            if not node["description"].strip():
                missing.append(node["unique_id"])
            for name, column in node.get("columns", {}).items():
                if not column["description"].strip():
                    missing.append(f"{node['unique_id']}.{name}")
            if node["resource_type"] == "source" and not node["source_description"].strip():
                missing.append(node["source_name"])
    for model in manifest["semantic_models"].values():
        for part in ("entities", "dimensions", "measures"):
            missing += [
                f"{model['name']}.{item['name']}" for item in model[part] if not item["description"]
            ]
    return missing


def public_macros(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Choose the macros that are called by name: no implementations for an adapter."""
    return {
        macro["name"]: macro
        for macro in manifest["macros"].values()
        if macro["package_name"] in ("segql", PROJECT) and "__" not in macro["name"]
    }


def signature(macro: dict[str, Any]) -> list[str]:
    """Read a macro's arguments from its code."""
    if macro["name"].startswith("materialization_"):
        return []
    text = re.sub(r"({%-?\s*(?:end)?)test\b", r"\1macro", macro["macro_sql"])
    tree = jinja2.Environment(extensions=["jinja2.ext.do"]).parse(text)
    found = tree.find(nodes.Macro)
    assert found is not None, macro["name"]
    return [argument.name for argument in found.args]


def options(macro: dict[str, Any], macros: dict[str, dict[str, Any]]) -> list[str]:
    """Read the keyword options that a macro takes besides its arguments."""
    text = macro["macro_sql"]
    if "kwargs" not in text:
        return []
    if "order_line_options()" in text or "product_options()" in text:
        shared = macros["order_line_options"]["macro_sql"]
        text = shared + (macros["product_options"]["macro_sql"] if "product_opt" in text else "")
    return re.findall(r"^\s+'(\w+)': ", text, re.MULTILINE)


def undescribed_macros(manifest: Manifest) -> list[str]:
    """Name macros without a description, and arguments that YAML and code do not share."""
    missing = []
    macros = public_macros(manifest)
    for name, macro in macros.items():
        if not macro["description"].strip():
            missing.append(name)
        wanted = signature(macro) + options(macro, macros)
        given = [argument["name"] for argument in macro["arguments"]]
        if given != wanted:
            missing.append(f"{name}: {given} is not {wanted}")
        missing += [
            f"{name}({argument['name']})"
            for argument in macro["arguments"]
            if not argument["description"].strip()
        ]
    return missing


def uncommented(shop: harness.Shop) -> list[str]:
    """Name tables, views and columns of the file without a comment."""
    return [
        name
        for (name,) in shop.rows(
            f"""
            select schema_name || '.' || table_name from duckdb_tables()
            where schema_name in {SCHEMAS} and coalesce(trim(comment), '') = ''
            union all
            select schema_name || '.' || view_name from duckdb_views()
            where schema_name in {SCHEMAS} and coalesce(trim(comment), '') = ''
            union all
            select schema_name || '.' || table_name || '.' || column_name from duckdb_columns()
            where schema_name in {SCHEMAS} and coalesce(trim(comment), '') = ''
            order by 1
            """
        )
    ]


def test_resources_are_described(manifest: Manifest) -> None:
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]

    assert len(models) >= 28
    assert {source["name"] for source in manifest["sources"].values()} == {
        "order_lines",
        "customers",
        "events",
        "products",
    }
    assert all(source["columns"] for source in manifest["sources"].values())
    assert undescribed(manifest) == []


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_macros_are_described(manifest: Manifest) -> None:
    macros = public_macros(manifest)

    assert len(macros) >= 115
    # Options that only **kwargs takes are arguments to the reader.
    assert "guests" in options(macros["rfm_features"], macros)
    assert "windows" in options(macros["behavior_features"], macros)
    assert "bands" in options(macros["demographic_features"], macros)
    assert undescribed_macros(manifest) == []


def test_tables_and_columns_are_commented(shop: harness.Shop) -> None:
    columns = f"select count(*) from duckdb_columns() where schema_name in {SCHEMAS}"

    assert shop.value(columns) >= 200
    assert uncommented(shop) == []


def test_described_columns_exist(shop: harness.Shop, manifest: Manifest) -> None:
    stale = []
    for node in manifest["nodes"].values():
        if node["resource_type"] in ("model", "seed"):
            relation = f"{node['schema']}.{node['alias']}"
            existing = shop.columns(relation)
            stale += [f"{relation}.{name}" for name in node["columns"] if name not in existing]

    assert stale == []


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_a_missing_description_is_found(
    shop: harness.Shop, manifest: Manifest, tmp_path: Path
) -> None:
    poorer = copy.deepcopy(manifest)
    poorer["nodes"][f"model.{PROJECT}.segment_summary"]["columns"]["share"]["description"] = ""
    poorer["nodes"][f"seed.{PROJECT}.playbook"]["description"] = " "
    poorer["sources"][f"source.{PROJECT}.shop.events"]["description"] = ""
    poorer["macros"]["macro.segql.drift"]["description"] = ""
    del poorer["macros"]["macro.segql.rfm_features"]["arguments"][-1]
    poorer["macros"]["macro.segql.predict"]["arguments"][0]["description"] = ""
    bare = shop.copy(tmp_path)
    bare.run_sql(
        "comment on table marts.segment_summary is null",
        "comment on column marts.segment_summary.share is null",
        "comment on view staging.stg_events is ''",
        "comment on column staging.stg_customers.age is null",
    )

    assert sorted(undescribed(poorer)) == [
        f"model.{PROJECT}.segment_summary.share",
        f"seed.{PROJECT}.playbook",
        f"source.{PROJECT}.shop.events",
    ]
    assert sorted(line.partition(":")[0] for line in undescribed_macros(poorer)) == [
        "drift",
        "predict(model)",
        "rfm_features",
    ]
    assert uncommented(bare) == [
        "marts.segment_summary",
        "marts.segment_summary.share",
        "staging.stg_customers.age",
        "staging.stg_events",
    ]


def test_columns_of_another_shop_are_commented(tmp_path: Path) -> None:
    shop = harness.new_shop(
        tmp_path,
        "create table raw.order_lines as select 'c1' as customer_id, 'o1' as order_id,"
        " timestamp '2025-06-30 12:00:00' as ordered_at, 'p1' as product_id, 1 as quantity,"
        " 5e0 as unit_price",
        "create table raw.customers as select 'c1' as customer_id, date '1990-01-01' as"
        " birth_date, '50-74K' as income, timestamp '2025-01-01' as registered_at,"
        ' true as "Loyal ""card"""',
        "create table raw.events as select 'c1' as customer_id, 's1' as session_id,"
        " timestamp '2025-06-30 12:00:00' as occurred_at, 'Page view' as event_type",
        customers={"demographics": ["birth_date", "income", 'Loyal "card"']},
        event_windows=[7],
    )

    result = shop.dbt("run", "--select", "+customer_features")

    assert result.code == 0, result.output
    assert uncommented(shop) == []
    comments = dict(
        shop.rows(
            "select column_name, comment from duckdb_columns()"
            " where table_name in ('stg_customers', 'customer_features')"
        )
    )
    assert comments["registered_at"] == "When the customer registered."
    assert comments["age"] == "Age in years, at the as-of date where a birth date is known."
    assert comments["income_band"] == "The band of income as the customers source writes it."
    assert comments['Loyal "card"'] == "As in the customers source."
    assert comments["views_7_days"] == "Events that are a view in the 7 days up to the as-of date."
    assert comments["page_view_events"] == "Events of the type page_view up to the as-of date."
