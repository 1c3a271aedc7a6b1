"""dbt-duckdb plugin: session functions for every model, the fit of a segmentation, publishing."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from dbt_common.exceptions import DbtRuntimeError

from segql.bigquery import statements as bigquery
from segql.errors import SegqlError, TooFewRowsError, said
from segql.functions.session import register_functions
from segql.lifecycle import fit
from segql.publishing import publish

#: What the ``segmentation`` materialization hands over, and what of it is an argument of fit.
ARGUMENTS = (
    "id", "name", "features", "algorithm", "k", "pca", "eps", "min_samples", "linkage", "seed",
    "requested_by",
)  # fmt: skip


class Plugin(BasePlugin):
    """Registers segql on dbt's connection; ``store`` carries out what a macro asks for."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Hold no connection yet."""
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Register the session functions on the parent connection: cursors see them."""
        self._connection = conn
        register_functions(conn)

    def store(self, target_config: TargetConfig) -> None:
        """Carry out what a macro asks for: a fit, or what its format says."""
        if self._connection is None:
            raise SegqlError("the segql plugin has no connection: is it listed in the profile?")
        with self._lock:
            cursor = self._connection.cursor()
        try:
            asked = None if target_config.location is None else target_config.location.format
            {"publish": _publish, "model": _create_model, "translate": _translate}.get(
                str(asked), _fit
            )(cursor, target_config)
        except SegqlError as error:
            raise DbtRuntimeError(f"segql: {error}") from error
        finally:
            cursor.close()


def _fit(cursor: duckdb.DuckDBPyConnection, target_config: TargetConfig) -> None:
    """Fit the committed training relation; the version is written, not published.

    The fit runs on a cursor of its own, since the calling thread's connection is inside dbt's
    transaction; what it writes is published by the materialization together with the
    relation, or pruned by the next run. A fit that fails leaves no training relation behind:
    it is committed, so that dbt's rollback would not take it back. Rows that are too few are no
    failure with ``when_too_few="empty"``: the materialization, whose options these are, reads
    the reason in ``too_few``.
    """
    options = {
        name: value
        for name, value in dict(target_config.config).items()
        if name in ARGUMENTS and value is not None
    }
    relation = target_config.relation.render()
    try:
        fit(cursor, relation, publish=False, **_plain(options))
    except TooFewRowsError as error:
        if target_config.config.get("when_too_few") != "empty":
            _drop(cursor, relation)
            raise
        target_config.config["too_few"] = str(error)
    except BaseException:
        _drop(cursor, relation)
        raise


def _create_model(cursor: duckdb.DuckDBPyConnection, target_config: TargetConfig) -> None:
    """Learn a model of a query in BigQuery's SQL; it is the current version at once."""
    _use_database(cursor, target_config)
    asked = _plain(dict(target_config.config))
    try:
        bigquery.create(cursor, asked["name"], asked["ml_config"], asked["sql"])
    except duckdb.Error as error:
        raise SegqlError(said(error)) from error


def _translate(cursor: duckdb.DuckDBPyConnection, target_config: TargetConfig) -> None:
    """Leave BigQuery's SQL in DuckDB's words where the macro finds it."""
    _use_database(cursor, target_config)
    target_config.config["translated"] = bigquery.translated(cursor, target_config.config["sql"])


def _use_database(cursor: duckdb.DuckDBPyConnection, target_config: TargetConfig) -> None:
    cursor.execute(f"use {target_config.relation.include(schema=False, identifier=False).render()}")


def _publish(cursor: duckdb.DuckDBPyConnection, target_config: TargetConfig) -> None:
    """Publish the database, all of which is committed when on-run-end runs.

    The process holds the warehouse's lock, so that no other one could. The macro fails its hook
    with what is left in ``failure``: an error from here would end dbt without its summary.
    """
    request = target_config.config
    assert target_config.location is not None
    to = target_config.location.path
    options = {name: _plain(request[name]) for name in ("schema", "keep", "leave_out")}
    _use_database(cursor, target_config)
    try:
        done = publish(cursor, to, request["parquet"], **options)
    except (SegqlError, OSError) as error:
        request["failure"] = str(error)
        return
    left = ", ".join(f"{item.table}.{item.column}" for item in done.left_out)
    request["published"] = f"published {len(done.marts)} marts in {to}" + (
        f", left out as personal: {left}" if left else ""
    )


def _drop(cursor: duckdb.DuckDBPyConnection, relation: str) -> None:
    """Drop the training relation; why the fit failed matters more than that this failed too."""
    with suppress(Exception):
        cursor.execute(f"drop table if exists {relation}")


def _plain(value: Any) -> Any:
    """Turn dbt's config containers into plain dicts and lists."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
