"""Fit the segmentations of a dbt project whose target is Spark, between two of its selections."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from segql.engines.spark_session import check_java
from segql.errors import SegqlError, TooFewRowsError, said, unknown
from segql.lifecycle import fit
from segql.model import Model
from segql.spark_registry import hand_over
from segql.storing import registry_file

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from pyspark.sql import SparkSession

#: What a model's config gives a fit.
ARGUMENTS = ("id", "features", "algorithm", "k", "pca", "seed")
#: Their models without the tests: those read what is not fitted yet.
SELECTION = ("--select", "config.materialized:segmentation", "--indirect-selection", "empty")

#: What dbt has to say is said here, in one line.
SILENT = ("--quiet", "--log-level", "none", "--log-level-file", "none")


@dataclass(frozen=True)
class Segmentation:
    """A dbt model of ``materialized='segmentation'``: what is fitted, on which rows, and how."""

    name: str
    node: str
    query: str
    options: dict[str, Any]
    may_be_empty: bool


def fit_segmentations(
    database: Path, arguments: Sequence[str], names: Sequence[str] = (), *, refit: bool = False
) -> dict[str, Model | str]:
    """Learn what the project segments, on the Spark of its target, and hand it to dbt there.

    Parameters
    ----------
    database : pathlib.Path
        The DuckDB file that keeps the models; made when it does not exist.
    arguments : sequence of str
        Options of dbt: ``--project-dir``, ``--target``, ``--vars``.
    names : sequence of str
        Names of models; by default every segmentation of the project.
    refit : bool
        Learn a new version of what has one.

    Returns
    -------
    dict of str to Model or str
        What was learned, or why it was not.
    """
    check_java()
    found = {item.name: item for item in _compiled(arguments)}
    for name in names:
        if name not in found:
            raise SegqlError(unknown("segmentation", name, found))
    session = _session()
    learned: dict[str, Model | str] = {}
    with closing(registry_file(database)) as con:
        known = _current(con)
        for name in names or found:
            if name in known and not refit:
                learned[name] = f"version {known[name]} stays (--refit learns a new one)"
            else:
                learned[name] = _fit(session, con, found[name])
        if _current(con):
            hand_over(session, con)
    return learned


def _fit(session: SparkSession, con: duckdb.DuckDBPyConnection, item: Segmentation) -> Model | str:
    try:
        return fit(
            session, item.query, name=item.name, registry=con, requested_by=f"dbt {item.node}",
            **item.options,
        )  # fmt: skip
    except TooFewRowsError as error:
        if not item.may_be_empty:
            raise
        return str(error)


def _current(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    has_models = con.execute(
        "select count(*) from duckdb_tables() where database_name = current_database() "
        "and schema_name = 'segql' and table_name = 'models'"
    ).fetchall()[0][0]
    if not has_models:
        return {}
    return dict(
        con.execute(
            "select model_name, model_version from segql.models where is_current"
        ).fetchall()
    )


def _compiled(arguments: Sequence[str]) -> list[Segmentation]:
    """Let dbt compile the segmentations: which there are, their rows' query and their config."""
    try:
        from dbt.cli.main import dbtRunner
    except ImportError as error:
        raise SegqlError(
            "dbt is not installed; accepted: pip install 'segql[spark-dbt]'"
        ) from error
    manifest = _done(dbtRunner().invoke([*SILENT, "parse", *arguments]))
    adapter = manifest.metadata.adapter_type
    if adapter != "spark":
        raise SegqlError(
            f"dbt's target is of type {adapter}; accepted: a target of type spark, method session "
            "(on DuckDB, dbt itself fits)"
        )
    runner = dbtRunner(manifest=manifest)
    results = list(_done(runner.invoke([*SILENT, "compile", *SELECTION, *arguments])))
    if not results:
        raise SegqlError("the project has no model of materialized='segmentation'")
    # dbt's threads end in any order.
    return sorted((_segmentation(item.node) for item in results), key=lambda item: item.name)


def _segmentation(node: Any) -> Segmentation:
    config = dict(node.config.to_dict())
    config |= (config.get("meta") or {}).get("segql") or {}
    options = {key: config[key] for key in ARGUMENTS if config.get(key) is not None}
    if "id" not in options:
        raise SegqlError(
            f"segmentation {node.name}: config id got nothing; accepted: the name of the id"
        )
    return Segmentation(
        name=config.get("model") or node.alias,
        node=node.name,
        query=node.compiled_code.strip(),
        options=options,
        may_be_empty=config.get("when_too_few") == "empty",
    )


def _done(done: dbtRunnerResult) -> Any:
    """What dbt gives back, or why it could not, in one line."""
    if done.exception is not None:
        raise SegqlError(f"dbt: {said(done.exception)}")
    result: Any = done.result
    failed = [item for item in getattr(result, "results", ()) if item.status == "error"]
    if failed:
        raise SegqlError(f"dbt: {failed[0].node.name}: {' '.join(str(failed[0].message).split())}")
    return result


def _session() -> SparkSession:
    """The session that dbt's connection has started here, with the settings of the profile."""
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()
