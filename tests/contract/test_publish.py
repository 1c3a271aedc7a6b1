"""Publishing from Python: the served file holds what the warehouse held, or stays as it was."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import duckdb
import pytest
from published_shop import (
    OPEN_STORAGE,
    SECRETS,
    names,
    published,
    refused,
    rows,
    write_marts,
)
from support import registry_picture, rounded

import segql
from segql import placing

MARTS = ["customer_segments", 'it\'s a "view"/2', "segment_summary"]
LEFT_OUT = {"email", "contact", "last_name"}


# -- what is in the file -----------------------------------------------------------------------


def test_marts_are_copied_without_personal_columns(warehouse: Path) -> None:
    done = published(warehouse)

    assert done.marts == {MARTS[0]: 300, MARTS[1]: 300, MARTS[2]: 3}
    assert {(item.table, item.column) for item in done.left_out} == {
        ("customer_segments", column) for column in LEFT_OUT
    }
    tables = rows("select table_name, table_type from information_schema.tables "
                  "where table_schema = 'marts' order by 1")  # fmt: skip
    assert tables == [(name, "BASE TABLE") for name in MARTS]
    for name in MARTS:
        quoted = '"' + name.replace('"', '""') + '"'
        listed = f"select columns(lambda c: c not in {tuple(sorted(LEFT_OUT))}) from marts.{quoted}"
        assert rows(f"from marts.{quoted}") == rows(listed, warehouse)
    content = Path("serve.duckdb").read_bytes()
    for secret in (*SECRETS, *LEFT_OUT - {"contact", "email", "last_name"}):
        assert secret.encode() not in content, secret


def test_comments_and_the_files_own_row(warehouse: Path) -> None:
    done = published(warehouse, parquet="out")

    assert rows("select comment from duckdb_tables() where table_name = 'segment_summary'") == [
        ("One row per segment's key.",)
    ]
    assert rows("select comment from duckdb_columns() where table_name = 'segment_summary' "
                "and column_name = 'customers'") == [('How many; "all" of them.',)]  # fmt: skip
    [(id, marts, folder, left)] = rows(
        "select publication_id, marts, parquet, left_out from segql.publication"
    )
    assert (id, marts) == (done.id, "marts")
    assert folder == os.path.realpath("out")
    assert {item["column"] for item in left} == LEFT_OUT


def test_every_macro_answers_as_in_the_warehouse(warehouse: Path) -> None:
    published(warehouse)
    scored = (
        "select customer_id, segment_id, segment_key, round(distance, 6), next_segment_id "
        "from segql.predict('customers', 'customer_features'{}) order by customer_id"
    )
    queries = [
        "select segql.customers_segment(recency := 12, frequency := 9, monetary := 84)",
        "select segql.customers_segment_key(12, 9, 84)",
        "from segql.trust('customers') order by all",
        "from segql.centroids('customers', version := 1) order by all",
        "from segql.evaluate('customers')",
        "select model_name, model_version, is_current from segql.models order by all",
    ]
    for query in queries:
        assert rows(query) == rows(query, warehouse), query
    # On rows that the client has: the served file has no features.
    with duckdb.connect() as con:
        con.execute("attach 'warehouse.duckdb' as w (read_only); "
                    "create temp table customer_features as from w.customer_features; "
                    "attach 'serve.duckdb' as s (read_only); use s")  # fmt: skip
        for version in ("", ", version := 1"):
            query = scored.format(version)
            assert con.execute(query).fetchall() == rows(query, warehouse)
    with pytest.raises(duckdb.Error, match=r"unknown model 'nope' \(known: customers\)"):
        rows("from segql.trust('nope')")


def test_the_registry_is_that_of_the_warehouse(warehouse: Path) -> None:
    published(warehouse)
    with (
        duckdb.connect(str(warehouse), read_only=True) as old,
        duckdb.connect("serve.duckdb", read_only=True) as new,
    ):
        before, after = registry_picture(old), registry_picture(new)
    # The mark is its own, so that one attached to the other is told from it.
    [mark], [own] = (item["rows"].pop("registry_info") for item in (before, after))
    assert mark != own
    after["rows"].pop("publication")
    assert rounded(after["rows"]) == rounded(before["rows"])
    assert [name for name, _ in after["macros"]] == [name for name, _ in before["macros"]]


def test_a_version_that_is_not_published_stays_behind(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as con:
        segql.lifecycle.fit(con, "customer_features", id="customer_id", name="customers", k=4,
                            features=["recency"], publish=False)  # fmt: skip
        assert con.execute("select count(*) from segql.models").fetchall() == [(3,)]

    published(warehouse)

    assert rows("select model_version from segql.models order by 1") == [(1,), (2,)]
    assert rows("select max(model_version) from segql.centroids") == [(2,)]


def test_any_duckdb_since_1_4_opens_it(warehouse: Path, cli: str) -> None:
    """A warehouse in this DuckDB's own storage version, too."""
    newest = warehouse.with_name("newest.duckdb")
    with duckdb.connect() as con:
        con.execute("attach 'warehouse.duckdb' as w (read_only); "
                    "attach 'newest.duckdb' as n (storage_version 'latest'); "
                    "copy from database w to n")  # fmt: skip
    published(newest)
    with duckdb.connect() as con:
        con.execute("attach 'serve.duckdb' as s (read_only)")
        [(version,)] = con.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = 's'"
        ).fetchall()
    assert version.startswith("v1.4")
    done = subprocess.run(
        [cli, "-readonly", "-csv", "-noheader", "serve.duckdb",
         "select segql.customers_segment_key(12, 9, 84); select sum(customers) from "
         "marts.segment_summary; select count(*) from segql.trust('customers')"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.split() == [
        *(str(rows("select segql.customers_segment_key(12, 9, 84)", warehouse)[0])[2:4].split()),
        "300",
        "3",
    ]


def test_parquet_files_are_the_marts(warehouse: Path) -> None:
    published(warehouse, parquet="out")

    assert names(Path("out")) == [
        "customer_segments.parquet", "it's a %22view%22%2F2.parquet", "segment_summary.parquet",
    ]  # fmt: skip
    for mart, file in zip(MARTS, names(Path("out")), strict=True):
        quoted = '"' + mart.replace('"', '""') + '"'
        escaped = file.replace("'", "''")
        assert duckdb.sql(f"from 'out/{escaped}'").fetchall() == rows(f"from marts.{quoted}")
        for secret in SECRETS:
            assert secret.encode() not in (Path("out") / file).read_bytes()


# -- when ----------------------------------------------------------------------------------------


def test_what_is_committed_is_published(warehouse: Path) -> None:
    """The caller's open transaction is neither read nor ended, its USE and result stay."""
    with duckdb.connect(str(warehouse), config=OPEN_STORAGE) as con:
        con.execute("create schema other; use warehouse.other")
        result = con.cursor().execute("select 7")
        con.begin()
        con.execute("delete from marts.segment_summary")
        done = segql.publish(con)
        assert done.marts["segment_summary"] == 3
        assert con.execute("select count(*) from marts.segment_summary").fetchall() == [(0,)]
        con.rollback()
        assert con.execute("select current_schema()").fetchall() == [("other",)]
        assert result.fetchall() == [(7,)]
        attached = con.execute("select count(*) from duckdb_databases() where not internal")
        assert attached.fetchall() == [(1,)]


def test_all_marts_are_of_one_moment(warehouse: Path) -> None:
    """While another thread writes both marts again and again."""
    with duckdb.connect(str(warehouse), config=OPEN_STORAGE) as con:
        ended = threading.Event()

        def write() -> None:
            cursor, number = con.cursor(), 0
            while not ended.is_set():
                write_marts(cursor, number := number + 1)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            seen = set()
            for _ in range(6):
                segql.publish(con, parquet="out")
                for place in ("marts.customer_segments", "'out/customer_segments.parquet'"):
                    other = place.replace("customer_segments", "segment_summary")
                    [found] = rows(
                        f"select list(distinct c.round), "
                        f"(select list(distinct round) from {other}) from {place} as c"
                    )
                    assert found[0] == found[1]
                    assert len(found[0]) == 1
                seen |= set(found[0])
        finally:
            ended.set()
            writer.join()
        assert len(seen) > 1


def test_readers_keep_what_they_have_open(warehouse: Path) -> None:
    published(warehouse, parquet="out")
    version = os.path.realpath("out")
    with duckdb.connect("serve.duckdb", read_only=True) as reader:
        [(before,)] = reader.execute("select publication_id from segql.publication").fetchall()
        with duckdb.connect(str(warehouse)) as con:
            write_marts(con, 1)
        published(warehouse, parquet="out")
        assert reader.execute("select max(round) from marts.segment_summary").fetchall() == [(0,)]
        assert reader.execute("select publication_id from segql.publication").fetchall() == [
            (before,)
        ]
    assert rows("select max(round) from marts.segment_summary") == [(1,)]
    summary = "select max(round) from '{}/segment_summary.parquet'"
    assert duckdb.sql(summary.format("out")).fetchall() == [(1,)]
    # The folder before is there for who has looked where the link leads; older ones are gone.
    assert duckdb.sql(summary.format(version)).fetchall() == [(0,)]
    published(warehouse, parquet="out")
    assert not Path(version).exists()
    assert len(names(Path(".out.versions"))) == 2


def test_link_mode_and_log_of_the_old_file(warehouse: Path) -> None:
    published(warehouse, "real.duckdb")
    Path("real.duckdb").chmod(0o640)
    Path("serve.duckdb").symlink_to("real.duckdb")
    Path("real.duckdb.wal").write_bytes(b"of the old file")

    published(warehouse)

    assert Path("serve.duckdb").is_symlink()
    assert Path("real.duckdb").stat().st_mode & 0o777 == 0o640
    assert rows("select count(*) from marts.segment_summary") == [(3,)]
    assert names(warehouse.parent) == ["real.duckdb", "serve.duckdb", "warehouse.duckdb"]


def test_one_at_a_time(warehouse: Path) -> None:
    published(warehouse)
    with placing.locked(Path("serve.duckdb")):
        said = refused(warehouse)
    assert said == (
        f"'{warehouse.with_name('serve.duckdb')}' is being published by another process "
        f"({os.getpid()}); accepted: one at a time"
    )
    published(warehouse)


def test_leftovers_of_killed_runs_are_pruned(warehouse: Path) -> None:
    published(warehouse, parquet="out")
    kept = [".other.duckdb.ab.part", ".serve.duckdb.backup", "serve.duckdb.part"]
    gone = [".serve.duckdb.ab12.part", ".serve.duckdb.ab12.part.wal", ".out.ab12.part"]
    for name in (*kept, *gone):
        Path(name).write_bytes(b"x")
    Path(".out.versions/20200101T000000-x.part").mkdir()

    published(warehouse, parquet="out")

    assert set(kept) <= set(names(warehouse.parent))
    assert not set(gone) & set(names(warehouse.parent))
    assert len(names(Path(".out.versions"))) == 2
