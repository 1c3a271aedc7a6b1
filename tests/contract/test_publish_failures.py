"""A publish that fails, is killed or refused: the files stay as they were, in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from published_shop import names, published, refused, rows

import segql
from segql import placing, publishing, served_file


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
    # Without those of coverage, which would write a file of its own.
    environment = {key: item for key, item in os.environ.items() if not key.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit)],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
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
         "mart 'segment_summary' would have no column left without segment_key, customers, "),
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
