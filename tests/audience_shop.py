"""A small shop for audiences: segments of chosen sizes, a skewed value, personal columns."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

#: What an audience consists of.
COLUMNS = [
    "customer_id", "segment_key", "segment_name", "is_holdout", "holdout_share", "stratum",
    "model_version", "as_of_date",
]  # fmt: skip
SIZES = {"S1": 900, "S2": 137, "S3": 40, "S4": 12, "S5": 7, "noise": 3, "prospect": 61}
NAMES = {
    "S1": "Average customers", "S2": "Größte \"VIP's\"", "S3": "Lost; $paid", "S4": "New ones",
    "S5": "Tiny", "noise": "Unusual customers", "prospect": "Prospects",
}  # fmt: skip
#: In every value of the personal columns.
SECRETS = ("someone", "example.org", "4915", "Müllerin", "CHF 9")


def store(con: duckdb.DuckDBPyConnection, sizes: Mapping[str, int] = SIZES) -> None:
    """Store customers of segments of given sizes."""
    keys = [key for key, size in sizes.items() for _ in range(size)]
    con.execute("create schema if not exists marts")
    con.execute(
        "create or replace table marts.customer_segments as "
        "select 'C' || lpad(place::varchar, 6, '0') as customer_id, key as segment_key, "
        "name as segment_name, 'someone' || place || '@example.org' as email, "
        "4915000 + place as phone, 'Müllerin' as last_name, "
        "if(key = 'prospect', null, 3)::integer as model_version, "
        "date '2025-12-31' as as_of_date "
        "from (select unnest(?::varchar[]) as key, unnest(?::varchar[]) as name, "
        "unnest(range(?)) as place)",
        [keys, [NAMES.get(key, key) for key in keys], len(keys)],
    )
    con.execute(
        "create or replace table marts.rfm_segments as select customer_id, "
        "exp(4 + 2.5 * (hash(customer_id, 1) % 100000 / 1e5 - 0.5)) as monetary, "
        "'M' || hash(customer_id, 2) % 3 as rfm_segment, 'CHF 9' as income "
        "from marts.customer_segments where segment_key <> 'prospect'"
    )
