"""Publishing from Python: the served file holds what the warehouse held, or stays as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
from published_shop import OPEN_STORAGE, SECRETS, make_warehouse, write_marts
from support import registry_picture, rounded

import segql
from segql import placing, publishing, served_file

MARTS = ["customer_segments", 'it\'s a "view"/2', "segment_summary"]
LEFT_OUT = {"email", "contact", "last_name"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The warehouse's bytes: every test has a copy of its own."""
    path = tmp_path_factory.mktemp("publish") / "warehouse.duckdb"
    make_warehouse(path)
    return path.read_bytes()


@pytest.fixture
def warehouse(made: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(made)
    return path


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


# -- failures ------------------------------------------------------------------------------------


def picture(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in sorted(folder.rglob("*")):
        if not item.name.endswith(".lock"):
            is_plain = item.is_file() and not item.is_symlink()
            found[str(item)] = item.read_bytes() if is_plain else os.path.realpath(item)
    return found


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (publishing, "write_parquet"), (publishing, "note_publication"),
        (served_file, "_copy_registry"), (served_file, "_comment"), (placing, "folder_to_disk"),
        (placing, "part_link"), (placing, "part_folder"), (os, "fsync"), (os, "symlink"),
    ],
)  # fmt: skip
def test_a_failure_leaves_everything(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, place: Any, name: str
) -> None:
    published(warehouse, parquet="out")
    before = picture(warehouse.parent)

    def broken(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(place, name, broken)
        said = refused(warehouse, parquet="out")
    assert "No space left on device" in said
    assert said.startswith(f"'{warehouse.with_name('serve.duckdb')}' stays as it was: ")
    assert picture(warehouse.parent) == before
    published(warehouse, parquet="out")


LIMITED = """
import resource, signal, sys, duckdb, segql
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
con = duckdb.connect("warehouse.duckdb", read_only=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
try:
    segql.publish(con, parquet="out")
except segql.SegqlError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [0, 1_000_000])
def test_a_full_disk(warehouse: Path, limit: int) -> None:
    """No file may grow beyond a limit, as on a disk that is full."""
    published(warehouse, parquet="out")
    before = picture(warehouse.parent)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert "File too large" in done.stdout
    assert picture(warehouse.parent) == before


KILLED = """
import os, sys, duckdb, segql
con = duckdb.connect("warehouse.duckdb", read_only=True)
print("ready", flush=True)
while True:
    segql.publish(con, parquet="out")
"""


def test_killed_at_any_moment(warehouse: Path) -> None:
    """The file opens and is whole, the link leads to a whole folder; the next run tidies up."""
    published(warehouse, parquet="out")
    for place in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05 + 0.11 * place)
        process.kill()
        process.wait()
        assert rows("select sum(customers), (select count(*) from marts.customer_segments) "
                    "from marts.segment_summary") == [(300, 300)]  # fmt: skip
        assert rows("select count(*) from segql.trust('customers')") == [(3,)]
        counted = [
            duckdb.sql(f"select count(*) from 'out/{mart}.parquet'").fetchall()[0][0]
            for mart in ("customer_segments", "segment_summary")
        ]
        assert counted == [300, 3]
    published(warehouse, parquet="out")
    assert names(warehouse.parent) == [".out.versions", "out", "serve.duckdb", "warehouse.duckdb"]
    assert len(names(Path(".out.versions"))) <= 3


def test_what_is_refused(warehouse: Path, tmp_path: Path) -> None:
    published(warehouse)
    before = picture(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("mine")
    (tmp_path / "elsewhere").symlink_to("folder")
    (tmp_path / "notes.txt").write_text("as they were")
    (tmp_path / "hard.duckdb").hardlink_to(warehouse)
    with duckdb.connect("crm.duckdb") as con:
        con.execute("create table clients as select 1 as a")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"to": 3}, "to got 3; accepted: a path"),
        ({"to": ""}, "to got ''; accepted: a path"),
        ({"to": "folder"}, "to got 'folder', which is a folder; accepted: a file"),
        ({"to": "nowhere/a.duckdb"}, "to got 'nowhere/a.duckdb'; accepted: a file in a folder"),
        ({"to": "segql.duckdb"}, "to got 'segql.duckdb': DuckDB calls the database 'segql', which"),
        ({"to": "marts.duckdb"}, "to got 'marts.duckdb': DuckDB calls the database 'marts', which"),
        ({"to": "warehouse.duckdb"}, "which is the database 'warehouse' itself; accepted: another"),
        ({"to": "hard.duckdb"}, "which is the database 'warehouse' itself; accepted: another file"),
        ({"to": "notes.txt"}, "notes.txt', which is no DuckDB file; accepted: a name that is free"),
        ({"to": "crm.duckdb"}, "crm.duckdb', a database that was not made by publish; accepted: a"),
        ({"to": "/proc/a.duckdb"}, "the folder '/proc' cannot be written ("),
        ({"parquet": "folder"}, "which is a folder with files of its own; accepted: a name that"),
        ({"parquet": "notes.txt"}, "notes.txt', which is a file; accepted: a name that is free"),
        ({"parquet": "elsewhere"}, "which is a link to 'folder'; accepted: a name that is free"),
        ({"parquet": "no/where"}, "parquet got 'no/where'; accepted: a folder in one that exists"),
        ({"parquet": "serve.duckdb"}, "to and parquet are both 'serve.duckdb'; accepted: a file"),
        ({"parquet": 1}, "parquet got 1; accepted: a path"),
        ({"schema": "segql"}, "schema got 'segql'; accepted: the schema of the marts"),
        ({"schema": "mart"}, "the database 'warehouse' has no marts in schema 'mart'; accepted"),
        ({"keep": 3}, "keep got 3; accepted: a column or a list of columns"),
        ({"keep": "emial"}, "keep: no mart has a column 'emial'; did you mean 'email'? (accepted:"),
        ({"leave_out": ["segment_summary.email"]},
         "leave_out: no mart has a column 'segment_summary.email'; did you mean"),
        ({"keep": "city", "leave_out": "City"}, "keep and leave_out both name 'city'; accepted"),
        ({"leave_out": ["segment_key", "customers", "round"]},
         "mart 'segment_summary' would have no column left without segment_key, customers, round; "),
    ]  # fmt: skip
    for options, message in cases:
        said = refused(warehouse, **options)
        assert message in said, (said, message)
    assert {key: item for key, item in picture(tmp_path).items() if key in before} == before
    assert (tmp_path / "notes.txt").read_text() == "as they were"


def test_a_database_that_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as con:
        with pytest.raises(segql.SegqlError, match="'memory' has no marts in schema 'marts'"):
            segql.publish(con)
        con.execute("create schema marts; create table marts.a as select 1 as a")
        with pytest.raises(segql.SegqlError, match="'memory' has no model in schema 'segql'; acc"):
            segql.publish(con)
    assert names(tmp_path) == []


def test_a_registry_of_a_newer_segql(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as con:
        con.execute("update segql.registry_info set schema_version = 999")
    assert "schema version 999, which a newer segql has written" in refused(warehouse)
    assert names(warehouse.parent) == ["warehouse.duckdb"]


def test_a_view_that_cannot_be_read(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as con:
        con.execute("create view marts.broken as select error('no good') as a")
    assert "mart 'broken' cannot be published: Invalid Input Error: no good" in refused(warehouse)
