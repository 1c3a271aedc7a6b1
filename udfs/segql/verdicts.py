"""How far segments can be trusted: the verdicts of a stored model, and what limited its fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from segql import schema
from segql import sql_text as sql
from segql.engines.duckdb import DuckDBEngine
from segql.features import CategoryFeature
from segql.functions.shared_macros import SCHEMA_VERSION
from segql.functions.trust_macro import trust_body, trust_columns
from segql.model import Model
from segql.registry import Registry
from segql.steps.transform_winsorize import Winsorize

if TYPE_CHECKING:
    import pandas as pd


def trust(con: duckdb.DuckDBPyConnection, name: str, version: int | None = None) -> pd.DataFrame:
    """Say how far each segment can be trusted, and why: what ``segql.trust`` says in SQL.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    name : str
        A model of the registry.
    version : int, optional
        An older version; the current one by default.

    Returns
    -------
    pandas.DataFrame
        A row per segment, noise first where there is some: ``segment_id``, ``segment_key``,
        ``customers``, ``share``, ``jaccard`` (mean bootstrap Jaccard, Hennig 2007), ``verdict``
        (highly stable, valid, a pattern only, do not trust, dissolved, not measured),
        ``is_trusted``, ``silhouette``, ``reason``; and of the whole model ``prefers_one``,
        ``noise_share``, ``previous_version``, ``ari_to_previous``, ``refit_moved``,
        ``bootstraps``, ``bootstrap_rows``, ``sample_rows``, ``input_rows``, ``caps``.

    Raises
    ------
    UnknownModelError
        When there is no such model or version; the known ones are listed.
    """
    engine = DuckDBEngine(con)
    model = Registry(engine).load(name, version)
    is_old = schema.version(engine) != SCHEMA_VERSION
    frame: pd.DataFrame = (
        con.sql(
            f"with version_segments as (select {trust_columns(is_old=is_old)} "
            "from segql.segments as t inner join segql.models as m "
            "on t.model_name = m.model_name and t.model_version = m.model_version "
            f"where m.model_name = {sql.literal(name)} "
            f"and m.model_version = {model.version}) {trust_body()}"
        )
        .to_arrow_table()
        .to_pandas()
    )
    return frame


def caps_of(model: Model, rows: int) -> list[str]:
    """Say what the fit has limited, a sentence each: samples, capped values, merged categories.

    Parameters
    ----------
    model : Model
    rows : int
        Rows of the relation.
    """
    caps = []
    if not model.info.get("is_exact", True):
        caps.append(
            f"The clusters were looked for on {model.info['coreset_rows']:,} of {rows:,} rows."
        )
    for feature in model.recipe.features:
        if isinstance(feature, CategoryFeature):
            if feature.onehot.rare:
                caps.append(
                    f"{feature.name}: {len(feature.onehot.rare)} rare categories count as one."
                )
        elif isinstance(feature.transform, Winsorize):
            state = feature.transform.state()
            low, high = (state[key] for key in ("low", "high"))
            caps.append(f"{feature.name}: values below {low:g} or above {high:g} count as these.")
    unscorable = int(model.info.get("unscorable_count") or 0)
    if unscorable:
        caps.append(f"{unscorable:,} of {rows:,} rows could not be scored: a value is missing.")
    return caps
