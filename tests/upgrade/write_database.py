"""Write a small database with the segql that is imported: models, their labels, their answers.

    PYTHONPATH=… python tests/upgrade/write_database.py old.duckdb

It keeps to what every version of the package has had, so it runs with the code of any commit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb

import segql

SHOP = """
create table shop as
select
    i as customer_id,
    i % 7 * 1.5 + 10 * (i % 3) as recency,
    (i * i % 11)::double + 20 * (i % 2) as frequency,
    case when i % 13 = 5 then null else (i * 37 % 101)::double end as monetary,
    case i % 4 when 0 then 'web' when 1 then 'store' when 2 then 'phone' end as channel
from range(24) as r (i)
"""
NUMBERS = ["recency", "frequency", "monetary"]
#: Fits in their order; the second one of a name is its version 2.
FITS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("customers", {"k": 3, "features": NUMBERS}),
    ("customers", {"k": (2, 3), "pca": 2}),
    ("tree", {"algorithm": "hierarchical", "k": 3, "features": NUMBERS}),
    ("dense", {"algorithm": "dbscan", "features": NUMBERS[:2], "eps": 0.6, "min_samples": 3}),
)
#: The scalar macro of the current version.
SCALAR = (
    "select customer_id, segql.customers_segment(recency := recency, frequency := frequency, "
    "monetary := monetary, channel := channel) as segment_id from shop"
)
#: What the macros' parameters get, beside the model and the version.
ARGUMENTS = {"relation": "'few'", "contamination": "0.1"}
#: Answers whose last digits may differ between processors and versions of DuckDB.
COMPUTED = tuple(f"from segql.{name}(" for name in ("evaluate", "explain", "detect_anomalies"))


def write(path: Path) -> None:
    """Write the file, in a storage version that DuckDB 1.4 opens."""
    with duckdb.connect() as con:
        con.execute(
            f"attach '{path}' as old (storage_version 'v1.4.0', block_size 16384); detach old"
        )
    with duckdb.connect(str(path)) as con:
        con.execute(SHOP)
        con.execute("create view few as from shop where customer_id < 5")
        con.execute(
            "create table labels (model varchar, version integer, customer_id bigint, segment_id "
            "integer, segment_key varchar, distance double, next_segment_id integer, "
            "confidence double)"
        )
        con.execute("create table answers (call varchar, answer varchar)")
        fitted = [(name, fit(con, name, options)) for name, options in FITS]
        for name, version in fitted:
            if version is not None:
                keep_labels(con, name, version)
                keep_answers(con, name, version)
        keep_answers(con, "customers", None)
        keep(con, SCALAR)


def fit(con: duckdb.DuckDBPyConnection, name: str, options: dict[str, Any]) -> int | None:
    """Fit a model and return its version; None where this segql has no such algorithm."""
    try:
        model = segql.fit(con, "shop", id="customer_id", name=name, **options)
    except (segql.SegqlError, TypeError):
        if options.get("algorithm") is None:
            raise
        return None
    return int(model.version)


def keep_labels(con: duckdb.DuckDBPyConnection, name: str, version: int) -> None:
    """Store the prediction of every customer."""
    con.execute(
        f"insert into labels select '{name}', {version}, customer_id, segment_id, segment_key, "
        "distance, next_segment_id, confidence "
        f"from segql.predict('{name}', 'shop', version := {version}) order by customer_id"
    )


def keep_answers(con: duckdb.DuckDBPyConnection, name: str, version: int | None) -> None:
    """Store what every shared macro says of a version."""
    macros = con.execute(
        "select function_name, parameters from duckdb_functions() where schema_name = 'segql' "
        "and function_type = 'table_macro' and parameters[1] = 'model' order by 1"
    ).fetchall()
    for macro, parameters in macros:
        arguments = [f"'{name}'", *(ARGUMENTS[item] for item in parameters if item in ARGUMENTS)]
        last = [] if version is None else [f"version := {version}"]
        keep(con, f"from segql.{macro}({', '.join(arguments + last)})")
        if macro == "evaluate" and "relation" in parameters:
            keep(con, f"from segql.{macro}({', '.join(arguments[:1] + last)})")


def keep(con: duckdb.DuckDBPyConnection, call: str) -> None:
    """Store a query and its rows, as JSON objects in any order; those of a table as a hash."""
    answer = "coalesce(to_json(list(t order by t::varchar))::varchar, '[]')"
    if not call.startswith(COMPUTED):
        answer = f"md5({answer})"
    con.execute(f"insert into answers select ?, {answer} from ({call}) as t", [call])


if __name__ == "__main__":
    write(Path(sys.argv[1]))
