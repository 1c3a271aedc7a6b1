"""A small warehouse to publish: a model of two versions, marts that are tables and views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import load_frame, shop_frame

import segql

OPEN_STORAGE = {"storage_compatibility_version": "v1.4.0"}
#: In every value of the personal columns.
SECRETS = ("someone", "example.org", "+49 151", "Müllerin")
NUMBERS = ["recency", "frequency", "monetary"]


def make_warehouse(path: Path, size: int = 300) -> None:
    """Store the marts, with a total that has to agree between two of them."""
    with duckdb.connect(str(path), config=OPEN_STORAGE) as con:
        load_frame(con, "customer_features", shop_frame(size))
        for k in (2, 3):
            segql.fit(con, "customer_features", id="customer_id", name="customers", k=k,
                      features=NUMBERS)  # fmt: skip
        con.execute("create schema marts")
        write_marts(con)
        con.execute(
            """
            create view marts."it's a ""view""/2" as
            select customer_id, recency as "Re'cency" from customer_features;
            create table marts.time_spine__dbt_backup as select 1 as a;
            comment on table marts.segment_summary is 'One row per segment''s key.';
            comment on column marts.segment_summary.customers is 'How many; "all" of them.';
            """
        )


def write_marts(con: duckdb.DuckDBPyConnection, round: int = 0) -> None:
    """Write both marts again, with all figures of one round, in one transaction."""
    con.execute(
        f"""
        begin;
        create or replace table marts.customer_segments as
        select customer_id, segment_key, segment_name, 'Bonn' as city, {round} as round,
            'someone' || n || '@example.org' as email, '+49 151 ' || 1000000 + n as contact,
            'Müllerin' as last_name, 'P' || n as product_name
        from (select *, row_number() over () as n, 'Big ' || segment_key as segment_name
            from segql.predict('customers', 'customer_features'));
        create or replace table marts.segment_summary as
        select segment_key, count(*) as customers, {round} as round
        from marts.customer_segments group by segment_key;
        commit
        """
    )


def published(path: Path, *arguments: Any, **options: Any) -> segql.Publication:
    with duckdb.connect(str(path), read_only=True) as con:
        return segql.publish(con, *arguments, **options)


def rows(query: str, path: Path | str = "serve.duckdb") -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(query).fetchall()


def names(folder: Path) -> list[str]:
    """What is in a folder besides the locks."""
    return sorted(item.name for item in folder.iterdir() if not item.name.endswith(".lock"))


def refused(path: Path, *arguments: Any, **options: Any) -> str:
    with pytest.raises(segql.SegqlError) as caught:
        published(path, *arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)
