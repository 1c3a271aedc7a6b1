"""Make skewed customers with missing values, inside DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb

COLUMNS = tuple(f"f{index}" for index in range(6))
STORAGE = {"storage_compatibility_version": "v1.4.0"}


def generate(path: Path, rows: int) -> None:
    """Write a table ``customers`` of the given size, unless the file has it already."""
    with duckdb.connect(str(path), config=STORAGE) as connection:
        connection.execute("set preserve_insertion_order = false")
        found = connection.execute(
            "select estimated_size from duckdb_tables() where table_name = 'customers'"
        ).fetchone()
        if found and found[0] == rows:
            return
        columns = ", ".join(_column(index) for index in range(len(COLUMNS)))
        connection.execute(
            f"create or replace table customers as select id, {columns} from range({rows}) t(id)"
        )


def _column(index: int) -> str:
    """Log-normal around one of five levels (Box-Muller on hashes); one in twenty is NULL."""
    unit = f"(hash(id, {index}) / 18446744073709551616e0 * 0.999999e0 + 1e-9)"
    angle = f"(hash(id, {index}, 7) / 18446744073709551616e0 * 6.283185307179586e0)"
    normal = f"sqrt(-2 * ln({unit})) * cos({angle})"
    level = f"(hash(id) % 5) * 0.5 * ({index} % 3)"
    value = f"exp({normal} * (0.5 + 0.1 * {index}) + {level})"
    return f"case when hash(id, {index}, 99) % 20 <> 0 then cast({value} as double) end as f{index}"
