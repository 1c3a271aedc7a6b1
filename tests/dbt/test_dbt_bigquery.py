"""dbt's materialization `model`: a dbt_ml project's k-means and PCA models on DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb
import harness
import pytest

FILES = {
    "dbt_project.yml": """
name: stations
profile: stations
models: {stations: {ml: {schema: ml, materialized: model}}}
""",
    "profiles.yml": """
stations:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: shop.duckdb
      config_options: {storage_compatibility_version: v1.4.0}
      plugins: [{module: segql.dbt_plugin, alias: segql}]
""",
    "packages.yml": f"packages:\n  - local: {harness.ROOT / 'macros'}\n",
    # What dbt_ml's macros print, which are not to be had here.
    "macros/dbt_ml.sql": """
{% macro hparam_range(low, high) %}{{ return(['hparam_range', low, high]) }}{% endmacro %}
{% macro predict(relation, source) -%}
ml.predict(model {{ relation }}, (select * from {{ source }}))
{%- endmacro %}
""",
    "models/stations.sql": "select i % 3 * 10 + i % 2 as trips, i % 5 as days, i as id "
    "from range(90) as r(i)",
    "models/ml/groups.sql": """
{{ config(meta={'ml_config': {'model_type': 'kmeans', 'num_clusters': 3, 'early_stop': true}}) }}
select * except (id) from {{ ref('stations') }}
""",
    "models/ml/tuned.sql": """
{{ config(ml_config={'model_type': 'KMEANS', 'num_clusters': hparam_range(2, 4),
                     'num_trials': 5}, labels={'team': 'ops'}) }}
select if(trips > 5, trips, 0) as trips, days from {{ ref('stations') }}
""",
    "models/predicted.sql": """
{{ config(materialized='table') }}
{{ segql.bigquery_sql("select * except (nearest_centroids_distance) from "
                      ~ predict(ref('groups'), ref('stations'))) }}
""",
}


def dbt(folder: Path, *command: str) -> harness.Result:
    places = ["--project-dir", str(folder), "--profiles-dir", str(folder)]
    return harness.dbt([*command, *places], folder, cwd=folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stations")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for command in (["deps"], ["run"]):
        done = dbt(folder, *command)
        assert done.code == 0, done.output
    return folder


def test_models_are_stored_and_score_downstream(project: Path) -> None:
    with duckdb.connect(str(project / "shop.duckdb"), read_only=True) as con:
        models = con.sql(
            "select model_name, k, relation is not null from segql.models where is_current "
            "order by 1"
        ).fetchall()
        assert models[0] == ("main_ml.groups", 3, True)
        assert models[1][0] == "main_ml.tuned"
        rows = con.sql("from predicted")
        assert rows.columns == ["centroid_id", "trips", "days", "id"]
        told = con.sql("select count(distinct centroid_id), count(*) from predicted").fetchall()
        assert told == [(3, 90)]


def test_an_unknown_option_fails_by_name(project: Path) -> None:
    path = project / "models" / "ml" / "bad.sql"
    path.write_text(
        "{{ config(meta={'ml_config': {'model_type': 'kmeans', 'num_clusers': 3}}) }}\n"
        "select trips from {{ ref('stations') }}\n",
        encoding="utf-8",
    )
    try:
        done = dbt(project, "run", "--select", "bad")
    finally:
        path.unlink()
    assert done.code != 0
    assert "unknown option 'NUM_CLUSERS'; did you mean 'NUM_CLUSTERS'?" in done.output


def test_a_model_without_options_fails_in_a_sentence(project: Path) -> None:
    path = project / "models" / "ml" / "bare.sql"
    path.write_text("select trips from {{ ref('stations') }}\n", encoding="utf-8")
    try:
        done = dbt(project, "run", "--select", "bare")
    finally:
        path.unlink()
    assert done.code != 0
    assert "ml_config got" in done.output
