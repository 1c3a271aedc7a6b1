"""Forgetting an id: its rows leave every table of segql, and the bytes leave the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import registry_picture

import segql
from segql import forgetting
from segql.forgetting import rewrite

CONFIG = {"storage_compatibility_version": "v1.4.0"}
IDS = ["42", "4", 'it\'s "x"', "Zoë Ω", "C00042 ", "2025-01-01"]


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    con.execute(
        "create schema raw; create schema staging; create schema features; create schema marts; "
        'create schema segmentation; create schema "my s"; '
        "create table raw.customers (customer_id varchar, a double); "
        "create table staging.orders (CUSTOMER_ID varchar, amount double); "
        "create table features.f (customer_id varchar primary key, a double); "
        "create table features.other (product varchar, a double); "
        "create table marts.segment_history (customer_id varchar, segment_key varchar, day date); "
        'create table "my s"."Scored ""T" (Customer_ID varchar, "Segment_Key" varchar, '
        "model_version integer); "
        "create table main.rfm (customer_id varchar, rfm_segment varchar, rfm_code varchar); "
        "create table main.plain (customer_id varchar, a double); "
        "create table features.by_client (client bigint, a double); "
        "create view marts.seen as from marts.segment_history"
    )
    for id in IDS:
        con.execute("insert into raw.customers values (?, 1)", [id])
        con.execute("insert into staging.orders values (?, 1), (?, 2)", [id, id])
        con.execute("insert into features.f values (?, ?)", [id, len(id)])
        con.execute(
            "insert into marts.segment_history select ?, 'S1', d from range(date '2025-01-01', "
            "date '2025-01-04', interval 1 day) as r (d)", [id],
        )  # fmt: skip
        con.execute('insert into "my s"."Scored ""T" values (?, \'S1\', 1)', [id])
        con.execute("insert into main.rfm values (?, 'Champions', '555')", [id])
        con.execute("insert into main.plain values (?, 1)", [id])
    con.execute("insert into features.by_client values (42, 1), (4, 2), (420, 3)")
    return con


def rows(con: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    """Rows of every table outside the registry."""
    tables = con.execute(
        "select '\"' || schema_name || '\".\"' || replace(table_name, '\"', '\"\"') || '\"' "
        "from duckdb_tables() where schema_name <> 'segql' order by 1"
    ).fetchall()
    return {name: con.execute(f"from {name} order by all").fetchall() for (name,) in tables}


EVERYWHERE = {
    '"features"."f"': 1,
    '"main"."rfm"': 1,
    '"marts"."segment_history"': 3,
    '"my s"."Scored ""T"': 1,
    '"staging"."orders"': 2,
}


@pytest.mark.parametrize("id", IDS)
def test_an_id_leaves_every_table(shop: duckdb.DuckDBPyConnection, id: str) -> None:
    before = rows(shop)
    assert segql.forget(shop, id) == EVERYWHERE
    after = rows(shop)
    for name, found in before.items():
        left = [row for row in found if name not in EVERYWHERE or row[0] != id]
        assert after[name] == left
    assert segql.forget(shop, id) == {}
    assert rows(shop) == after


@pytest.mark.parametrize("id", ["C00042", "%", "4_", " 42", "042", "' or true --", 7, 4.0])
def test_an_absent_id_changes_nothing(shop: duckdb.DuckDBPyConnection, id: Any) -> None:
    before = rows(shop)
    assert segql.forget(shop, id) == {}
    assert rows(shop) == before


def test_numbers_are_compared_as_text(shop: duckdb.DuckDBPyConnection) -> None:
    assert segql.forget(shop, 42, id_columns=["CLIENT"]) == EVERYWHERE | {
        '"features"."by_client"': 1
    }
    assert shop.execute("select client from features.by_client order by 1").fetchall() == [
        (4,), (420,),
    ]  # fmt: skip


def test_id_columns_of_the_models_are_known(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("create table clients as select i as CLIENT, i % 7 as a from range(60) as r (i)")
    segql.fit(shop, "clients", id="CLIENT", name="m", k=2, features=["a"])
    before = registry_picture(shop)
    assert segql.forget(shop, "42")['"features"."by_client"'] == 1
    assert registry_picture(shop) == before
    # The table that the model was learned from is a source.
    assert shop.execute("select count(*) from clients where client = 42").fetchall() == [(1,)]


def test_more_schemas_are_named(shop: duckdb.DuckDBPyConnection) -> None:
    found = segql.forget(shop, "42", schemas=["main"])
    assert found == EVERYWHERE | {'"main"."plain"': 1}
    assert "raw" not in "".join(found)


@pytest.mark.parametrize("id", [None, ""])
def test_no_id_is_refused(shop: duckdb.DuckDBPyConnection, id: Any) -> None:
    before = rows(shop)
    with pytest.raises(segql.SegqlError, match=r"^id got (None|''); accepted: an id that is not"):
        segql.forget(shop, id)
    assert rows(shop) == before


def test_all_tables_or_none(shop: duckdb.DuckDBPyConnection) -> None:
    """A table whose rows something else points to stops it, and nothing is deleted."""
    shop.execute(
        "create table features.pointing (f varchar references features.f (customer_id)); "
        "insert into features.pointing values ('42')"
    )
    before = rows(shop)
    with pytest.raises(duckdb.ConstraintException):
        segql.forget(shop, "42")
    assert rows(shop) == before
    shop.begin()
    segql.forget(shop, "4")
    shop.rollback()
    assert rows(shop) == before


def test_a_read_only_database_is_refused(shop_file: Path) -> None:
    duckdb.connect(str(shop_file), config=CONFIG).close()
    with (
        duckdb.connect(str(shop_file), read_only=True) as con,
        pytest.raises(segql.SegqlError, match="attached read-only"),
    ):
        segql.forget(con, "42")


# -- the file ----------------------------------------------------------------------------------

SECRET = "SECRET-CUSTOMER-4711"


@pytest.fixture
def file(shop_file: Path) -> Path:
    """A file with everything that a database may hold, and a model."""
    with duckdb.connect(str(shop_file), config=CONFIG) as con:
        con.execute(
            f"""
            create type mood as enum ('sad', 'ok');
            create schema features; create schema marts; create schema "my s";
            create sequence numbers start 5;
            create table features.f (
                customer_id varchar primary key, a double not null check (a >= 0),
                mood mood default 'ok', n bigint default nextval('numbers'),
                twice double generated always as (a * 2), "Ünï ""q" varchar
            );
            comment on table features.f is 'the features';
            comment on column features.f.a is 'it''s a column';
            insert into features.f (customer_id, a)
            select if(i = 700, '{SECRET}', 'C' || i), i % 7 * 1.5 from range(3000) as r (i);
            create table marts.c as select customer_id, 1 as segment_id from features.f;
            create index by_segment on marts.c (segment_id);
            create table features.links (customer_id varchar references features.f (customer_id));
            create view marts.v as select * from features.f inner join marts.c using (customer_id);
            comment on view marts.v is 'a view';
            create view "my s"."a view" as from marts.v;
            create macro twice(x, y := 2) as x * y;
            comment on macro twice is 'a macro';
            create macro all_of(relation) as table from query_table(relation);
            """
        )
        segql.fit(con, "features.f", id="customer_id", name="m", k=3, features=["a", "n"])
    return shop_file


def picture(path: Path) -> dict[str, Any]:
    """Everything in a file's catalog, and what it answers."""
    wanted = {
        "tables": "schema_name, table_name, sql, comment",
        "views": "schema_name, view_name, sql, comment",
        "functions": "schema_name, function_name, parameters, macro_definition, comment",
        "types": "schema_name, type_name, labels",
        "columns": "schema_name, table_name, column_name, data_type, column_default, comment",
        "constraints": "schema_name, table_name, constraint_text",
        "indexes": "schema_name, index_name, sql",
        "sequences": "schema_name, sequence_name, start_value, last_value",
        "databases": "tags['storage_version']",
    }
    with duckdb.connect(str(path), read_only=True) as con:
        found: dict[str, Any] = {
            name: con.execute(
                f"select {columns} from duckdb_{name}() where database_name = current_database() "
                f"{'and not internal' if name in ('functions', 'types', 'views') else ''} "
                "order by all"
            ).fetchall()
            for name, columns in wanted.items()
        }
        for query in (
            "from segql.predict('m', 'features.f')", "from segql.segments('m')",
            'from "my s"."a view"', "from all_of('marts.c')", "select twice(3)",
            "select enum_range(null::mood)",
        ):  # fmt: skip
            found[query] = con.execute(f"from ({query}) order by all").fetchall()
        found["registry"] = registry_picture(con)
    return found


def test_a_file_that_is_written_anew_holds_everything(file: Path) -> None:
    before = picture(file)
    assert rewrite(file) is None
    assert picture(file) == before
    assert [item.name for item in file.parent.iterdir()] == [file.name]
    with duckdb.connect(str(file)) as con:
        assert segql.fit(con, "features.f", id="customer_id", name="m", k=2).version == 2
        assert con.execute("select nextval('numbers')").fetchall() == [(3005,)]
        with pytest.raises(duckdb.ConstraintException):
            con.execute("insert into features.f (customer_id, a) values ('new', -1)")


def test_bytes_leave_the_file(file: Path) -> None:
    assert SECRET.encode() in file.read_bytes()
    deleted = rewrite(file, lambda con: segql.forget(con, SECRET))
    assert deleted == {'"features"."f"': 1, '"marts"."c"': 1}
    assert SECRET.encode() not in file.read_bytes()
    with duckdb.connect(str(file), read_only=True) as con:
        assert con.execute("select count(*) from marts.v").fetchall() == [(2999,)]


READER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
query = "select count(*), count(distinct customer_id) from features.f"
print(con.execute(query).fetchall(), flush=True)
sys.stdin.readline()
print(con.execute(query).fetchall(), con.execute("select sum(a) from marts.v").fetchall())
"""


def test_readers_keep_what_they_have_open(file: Path) -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(file)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reader.stdout is not None
    assert reader.stdout.readline() == "[(3000, 3000)]\n"
    rewrite(file, lambda con: segql.forget(con, SECRET))
    left, _ = reader.communicate("\n", timeout=60)
    assert left == "[(3000, 3000)] [(13491.0,)]\n"
    assert SECRET.encode() not in file.read_bytes()


def test_nobody_writes_meanwhile(file: Path) -> None:
    """What another process wrote to the old file would be lost with it."""
    said = []

    def change(con: duckdb.DuckDBPyConnection) -> None:
        command = "import sys, duckdb; duckdb.connect(sys.argv[1])"
        done = subprocess.run(
            [sys.executable, "-c", command, str(file)], capture_output=True, text=True, check=False
        )
        said.append(done.stderr)

    rewrite(file, change)
    assert "Could not set lock on file" in said[0]


def test_a_failure_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, bytes_before = picture(file), file.read_bytes()

    def broken(*_: Any) -> None:
        raise OSError("no space left on device")

    def refuse(con: duckdb.DuckDBPyConnection) -> None:
        con.execute("delete from marts.c")
        raise segql.SegqlError("no")

    with pytest.raises(segql.SegqlError, match=r"^no$"):
        rewrite(file, refuse)
    for name in ("replace", "_copied"):
        with monkeypatch.context() as patched:
            patched.setattr(os if name == "replace" else forgetting, name, broken)
            with pytest.raises(OSError, match="no space left"):
                rewrite(file, lambda con: segql.forget(con, SECRET))
    assert file.read_bytes() == bytes_before
    assert picture(file) == before
    assert [item.name for item in file.parent.iterdir()] == [file.name]


def test_link_mode_and_log_of_the_file(file: Path) -> None:
    """A link goes on to lead to the file; who may read it stays; the log is in the new file."""
    file.chmod(0o600)
    link = file.with_name("link.duckdb")
    link.symlink_to(file)
    crash = (
        "import os, sys, duckdb; con = duckdb.connect(sys.argv[1]); "
        "con.execute(\"create table late as select 'late' as x\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", crash, str(file)], check=True)
    assert file.with_name(file.name + ".wal").exists()
    rewrite(link, lambda con: segql.forget(con, SECRET))
    assert link.is_symlink()
    assert SECRET.encode() not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(item.name for item in file.parent.iterdir()) == sorted([file.name, link.name])
    with duckdb.connect(str(file)) as con:
        assert con.execute("from late").fetchall() == [("late",)]


def test_an_id_is_found_whatever_the_type_of_the_column(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create schema marts; create schema crm")
    for kind in ("integer", "double", "decimal(9, 2)", "varchar", "hugeint"):
        name = kind.split("(")[0]
        con.execute(
            f"create table marts.t_{name} as select i::{kind} as customer_id "
            "from range(10) as r (i)"
        )
    con.execute("create table crm.clients as select i as customer_id, 1 as segment_id "
                "from range(10) as r (i)")  # fmt: skip
    assert len(segql.forget(con, 7)) == 5
    assert con.execute("select count(*) from crm.clients").fetchall() == [(10,)]
    con.execute("create table marts.u as select uuid() as customer_id from range(3)")
    [(first,)] = con.execute("select customer_id::varchar from marts.u limit 1").fetchall()
    assert segql.forget(con, first.upper()) == {'"marts"."u"': 1}
