"""Helpers that several test files share: odd tables, registry pictures, independent figures."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.features import SOURCE
from segql.model import Model

Matrix = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "bench"
#: Files that DuckDB 1.4 and later open.
OPEN_STORAGE = {"storage_compatibility_version": "v1.4.0"}
PREDICTIONS = ("segment_id", "segment_key", "distance", "next_segment_id", "confidence")
#: A number beyond this is missing, as NULL, NaN and infinity are.
LARGEST = 1e100


def load_bench(name: str) -> ModuleType:
    """Import bench/<name>.py, which is in no package."""
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_frame(con: duckdb.DuckDBPyConnection, name: str, frame: pd.DataFrame) -> None:
    """Store a frame as a table; NaN stays NaN and None becomes NULL."""
    con.register("frame_to_load", frame)
    con.execute(f'create or replace table "{name}" as select * from frame_to_load')
    con.unregister("frame_to_load")


def store_numbers(
    con: duckdb.DuckDBPyConnection, name: str, columns: dict[str, Sequence[float | None]]
) -> None:
    """Store columns of doubles exactly: None is NULL, NaN stays NaN; ids count from 0."""
    size = len(next(iter(columns.values())))
    names = ", ".join(f'"{column}" double' for column in columns)
    con.execute(f'create or replace table "{name}" (id bigint, {names})')
    lists = {"id": list(range(size))} | {key: list(values) for key, values in columns.items()}
    unnested = ", ".join("unnest(?::double[])" for _ in lists)
    con.execute(f'insert into "{name}" select {unnested}', list(lists.values()))


def usable(values: Sequence[float | None]) -> Matrix:
    """Numbers as numpy sees them after the rule: NULL, NaN and infinity are NaN."""
    array = np.array([np.nan if value is None else value for value in values], dtype=float)
    array[~(np.abs(array) <= LARGEST)] = np.nan
    return array


def prepared(con: duckdb.DuckDBPyConnection, model: Model, relation: str) -> Matrix:
    """Run the compiled SQL of a model's dimensions: z of each row, ordered by id.

    A NULL comes back as NaN.
    """
    axes = model.recipe.dimensions()
    source = sql.relation(exp.to_table(relation, dialect="duckdb"), SOURCE)
    bases = exp.select(
        *(sql.alias(axis.base, f"b{index}") for index, axis in enumerate(axes))
    ).from_(source)
    rows = con.execute(f"{sql.text(bases)} order by {sql.text(sql.column(model.id))}").fetchall()
    base = np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float)
    origin = np.array([axis.origin for axis in axes])
    factor = np.array([axis.factor for axis in axes])
    offset = np.array([axis.offset for axis in axes])
    return (base - origin) * factor + offset


def points(con: duckdb.DuckDBPyConnection, model: Model, relation: str) -> Matrix:
    """Run the compiled SQL of a model's coordinates, ordered by id."""
    space = model.space
    inner = space.inputs(sql.relation(exp.to_table(relation, dialect="duckdb"), SOURCE))
    outer = exp.select(
        *(sql.alias(value, f"c{index}") for index, value in enumerate(space.coordinates()))
    ).from_(inner.subquery("prepared"))
    rows = con.execute(f"{sql.text(outer)} order by {sql.text(sql.column(model.id))}").fetchall()
    return np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float)


def predictions(relation: duckdb.DuckDBPyRelation, id_column: str = "id") -> pd.DataFrame:
    """Fetch a prediction, ordered by id."""
    return relation.df().sort_values(id_column).reset_index(drop=True)


def labels_of(frame: pd.DataFrame) -> list[int | None]:
    """segment_id as Python integers and None."""
    return [None if pd.isna(value) else int(value) for value in frame["segment_id"]]


def registry_picture(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Everything that a fit may leave in the file: registry rows and macros."""
    tables = [
        row[0]
        for row in con.execute(
            "select table_name from duckdb_tables() where schema_name = 'segql' "
            "and database_name = current_database() order by 1"
        ).fetchall()
    ]
    macros = con.execute(
        "select function_name, macro_definition from duckdb_functions() "
        "where schema_name = 'segql' and database_name = current_database() order by all"
    ).fetchall()
    rows = {
        table: sorted(
            row[0] for row in con.execute(f"select t::varchar from segql.{table} as t").fetchall()
        )
        for table in tables
    }
    return {"rows": {key: value for key, value in rows.items() if value}, "macros": macros}


def rounded(value: Any) -> Any:
    """Numbers with nine digits, however deep they lie: the last bits of a sum may differ."""
    if isinstance(value, float):
        return float(f"{value:.9g}") + 0.0
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value


def scratch_objects(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Temporary tables and views of segql that are still there."""
    return [
        row[0]
        for row in con.execute(
            "select table_name from duckdb_tables() where starts_with(table_name, '_sq_') "
            "union all select view_name from duckdb_views() where starts_with(view_name, '_sq_')"
        ).fetchall()
    ]


def blobs(seed: int, size: int, width: int, clusters: int, spread: float = 1.0) -> Matrix:
    """Make points around random centres."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-10, 10, (clusters, width))
    return centers[rng.integers(0, clusters, size)] + rng.normal(0, spread, (size, width))


def shop_frame(size: int = 900, seed: int = 1) -> pd.DataFrame:
    """Make customers with skewed numbers, a category, a flag, and missing values."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, size)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number:05d}" for number in range(size)],
            "recency": rng.gamma(2.0, 20.0, size) + 80.0 * (group == 2),
            "frequency": (1 + rng.poisson(1 + 6 * (group == 0), size)).astype(float),
            "monetary": np.exp(rng.normal(3 + 1.5 * (group == 0), 0.8, size)),
            "channel": rng.choice(["web", "store", "phone"], size, p=[0.6, 0.3, 0.1]),
            "newsletter": rng.random(size) < 0.4,
        }
    )
    frame.loc[rng.random(size) < 0.05, "recency"] = None
    frame.loc[rng.random(size) < 0.05, "channel"] = None
    return frame


def assert_rows_equal(ours: Matrix, theirs: Matrix, what: str) -> None:
    """Equal to 1e-9 of the column's size, a missing one where they have a missing one."""
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs), err_msg=what)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9, err_msg=what)
