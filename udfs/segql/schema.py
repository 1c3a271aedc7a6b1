"""The registry's tables and their version, and the step from an older version to this one."""

from __future__ import annotations

import uuid

from sqlglot import exp

from segql import sql_text as sql
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError
from segql.functions.shared_macros import SCHEMA_VERSION, known_types, shared_macros
from segql.metrics import METRICS

_VERSIONED = "model_name varchar not null, model_version integer not null"

TABLES: dict[str, str] = {
    "models": f"""{_VERSIONED}, is_current boolean not null, is_published boolean not null,
        algorithm varchar not null, k integer not null, id_column varchar not null,
        relation varchar, requested_by varchar, fitted_at timestamp not null, seconds double,
        seed bigint, options varchar, input_hash varchar, row_count bigint,
        as_of_date date, unscorable_count bigint, coreset_rows bigint, is_exact boolean,
        reason varchar, elbow integer, prefers_one boolean, previous_version integer,
        ari_to_previous double, caps varchar[], silhouette_euclidean double,
        silhouette_euclidean_error double, silhouette_euclidean_rows bigint,
        {", ".join(f"{name} {'bigint' if name == 'n' else 'double'}" for name in METRICS)},
        segql_version varchar, duckdb_version varchar, state varchar not null,
        score_sql varchar not null, segment_sql varchar, segment_key_sql varchar,
        publish_sql varchar[] not null,
        primary key (model_name, model_version)""",
    "segments": f"""{_VERSIONED}, segment_id integer, segment_key varchar, customers bigint,
        share double, mean_squared_distance double, silhouette double, stability double,
        jaccard double""",
    "centroids": f"""{_VERSIONED}, centroid_id integer, segment_key varchar, feature varchar,
        numerical_value double, standardized_value double,
        categorical_value struct(category varchar, "value" double)[]""",
    "feature_info": f"""{_VERSIONED}, input varchar, "position" integer, used boolean,
        kind varchar, "min" double, "max" double, mean double, median double, stddev double,
        category_count bigint, null_count bigint, dimension integer, relevance double,
        steps varchar, reason varchar""",
    "feature_bins": f"""{_VERSIONED}, feature varchar, bin integer, kind varchar, lower double,
        upper double, category varchar, share double""",
    "principal_components": f"""{_VERSIONED}, principal_component_id integer, feature varchar,
        numerical_value double, categorical_value struct(category varchar, "value" double)[]""",
    "principal_component_info": f"""{_VERSIONED}, principal_component_id integer,
        eigenvalue double, explained_variance_ratio double,
        cumulative_explained_variance_ratio double""",
    "trials": f"""{_VERSIONED}, k integer, inertia double, inertia_low double,
        inertia_high double, silhouette double, silhouette_low double, silhouette_high double,
        davies_bouldin double, davies_bouldin_low double, davies_bouldin_high double,
        calinski_harabasz double, calinski_harabasz_low double, calinski_harabasz_high double,
        gap double, gap_low double, gap_high double, gap_error double, stability double,
        smallest_share double,
        is_elbow boolean, chosen boolean, reason varchar""",
    "training_info": f"""{_VERSIONED}, training_run integer, iteration integer, phase varchar,
        loss double, learning_rate double, duration_ms double,
        cluster_info struct(centroid_id integer, cluster_radius double, cluster_size bigint)[]""",
    "diagnostics": f"""{_VERSIONED}, diagnostic varchar, numerical_value double,
        description varchar""",
    "dendrogram": f"""{_VERSIONED}, merge integer, "left" integer, "right" integer, height double,
        size double, left_segment_id integer, right_segment_id integer""",
    "k_distances": f"""{_VERSIONED}, "position" integer, share double, distance double""",
    "map_points": f"""{_VERSIONED}, place integer, x double, y double, z double,
        segment_id integer, customers bigint""",
    "map_axes": f"""{_VERSIONED}, axis integer, explained_variance_ratio double, feature varchar,
        loading double""",
    "cells": f"""{_VERSIONED}, mark varchar, level integer, cell_1 double, cell_2 double,
        cell_3 double, segment_id integer,
        points struct(x double, y double, z double, segment_id integer)[]""",
    "rules": f"""{_VERSIONED}, segment_id integer, segment_key varchar, place integer, rule varchar,
        condition varchar, conditions integer, matched bigint, correct bigint, coverage double,
        "precision" double""",
    "geometry": f"""{_VERSIONED}, segment_id integer, centroid double[], radius double,
        weights double[], input_center double[], features varchar[], last_inputs integer[]""",
    "retired": f"{_VERSIONED}, segment_key varchar",
    "registry_info": "schema_version integer not null, mark varchar",
}


def has_table(engine: DuckDBEngine, name: str) -> bool:
    """Tell whether the current database has this table of a registry."""
    found = engine.rows(
        "select count(*) from duckdb_tables() where database_name = current_database() "
        "and schema_name = 'segql' and table_name = ?",
        [name],
    )
    return bool(found[0][0])


def version(engine: DuckDBEngine) -> int | None:
    """Schema version of the current database's registry, None without one.

    Raises
    ------
    SegqlError
        When a newer segql has written it: what that one knows would be lost or misread.
    """
    if not has_table(engine, "registry_info"):
        return None
    [(found,)] = engine.rows("select max(schema_version) from segql.registry_info")
    if found is not None and found > SCHEMA_VERSION:
        raise SegqlError(
            f"the registry of database {engine.database!r} has schema version {found}, which a "
            f"newer segql has written; accepted: up to {SCHEMA_VERSION} (upgrade segql)"
        )
    return None if found is None else int(found)


def prepare(engine: DuckDBEngine) -> bool:
    """Create what is missing of the registry, once per schema version; tell whether it was old.

    Tables that an older version has made get the columns that they lack, NULL in the old rows:
    constraints stay as they were, since DuckDB adds none to a column.
    """
    if version(engine) == SCHEMA_VERSION:
        return False
    is_old = has_table(engine, "models")
    engine.run("create schema if not exists segql")
    for name, columns in TABLES.items():
        if has_table(engine, name):
            _add_columns(engine, name, columns)
            if name == "map_points":
                # An older segql has stored single customers: none of them stays.
                engine.run("delete from segql.map_points where customers is null")
        else:
            engine.run(f"create table segql.{name} ({columns})")
    mark = uuid.uuid4().hex
    for statement in [*known_types(), *shared_macros(mark)]:
        engine.run(statement)
    engine.run("delete from segql.registry_info")
    engine.run(
        "insert into segql.registry_info (schema_version, mark) values (?, ?)",
        [SCHEMA_VERSION, mark],
    )
    return is_old


def mark(engine: DuckDBEngine) -> str:
    """What tells this registry's macros from those of another database."""
    return str(engine.rows("select mark from segql.registry_info")[0][0])


def _add_columns(engine: DuckDBEngine, name: str, columns: str) -> None:
    """Add the columns that an existing table lacks; DuckDB itself reads the list of columns."""
    wanted = engine.temporary(name)
    engine.run(f"create temporary table {sql.text(wanted)} ({columns})")
    types = engine.columns(wanted)
    engine.drop(wanted)
    known = engine.columns(exp.to_table(f"segql.{name}"))
    for column, kind in types.items():
        if column not in known:
            engine.run(f'alter table segql.{name} add column "{column}" {kind}')
