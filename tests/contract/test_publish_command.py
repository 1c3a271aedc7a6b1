"""segql publish: what Python does, told in lines or JSON, and refused in one line."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from published_shop import make_warehouse
from typer.testing import CliRunner

from segql.cli import app

LOCKED = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse that no test changes."""
    made = tmp_path_factory.mktemp("publish_command")
    make_warehouse(made / "warehouse.duckdb", 100)
    return made


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("SEGQL_DATABASE", raising=False)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["publish", *arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    assert result.stderr == ""
    return result.stdout


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["publish", *arguments])
    assert result.exit_code == 1, (result.output, result.exception)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("segql: ").rstrip("\n")


def test_what_is_told(folder: Path) -> None:
    assert run("--parquet", "out", "--leave-out", "round", "--keep", "last_name") == (
        "serve.duckdb: 203 rows of 3 marts, models: customers version 2\n"
        "out: 3 Parquet files\n"
        "  left out: customer_segments.round, asked for\n"
        "  left out: customer_segments.email, is an e-mail address by its name\n"
        "  left out: customer_segments.contact, holds phone numbers in 100 of 100 rows\n"
        "  left out: segment_summary.round, asked for\n"
    )
    with duckdb.connect("serve.duckdb", read_only=True) as con:
        columns = [row[0] for row in con.execute("describe marts.customer_segments").fetchall()]
    assert columns == [
        "customer_id", "segment_key", "segment_name", "city", "last_name", "product_name",
    ]  # fmt: skip
    assert duckdb.sql("from 'out/customer_segments.parquet'").columns == columns


def test_json_and_a_file_of_another_name(folder: Path) -> None:
    told = json.loads(run("--to", "b.duckdb", "--json", "--keep", "customer_segments.email"))

    assert told.pop("publication_id")
    assert told == {
        "to": str(folder / "b.duckdb"), "parquet": None,
        "marts": {"customer_segments": 100, 'it\'s a "view"/2': 100, "segment_summary": 3},
        "models": {"customers": 2},
        "left_out": [
            {"mart": "customer_segments", "column": "contact",
             "reason": "holds phone numbers in 100 of 100 rows"},
            {"mart": "customer_segments", "column": "last_name", "reason": "is a name by its name"},
        ],
    }  # fmt: skip
    assert (folder / "b.duckdb").exists()


def test_the_served_file_is_beside_the_database(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.link(folder / "warehouse.duckdb", tmp_path / "shop.duckdb")
    monkeypatch.chdir("/")
    run("--database", str(tmp_path / "shop.duckdb"))
    assert (tmp_path / "serve.duckdb").exists()


def test_a_database_that_another_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGQL_LOCK_SECONDS", "0.2")
    path = tmp_path / "shop.duckdb"
    path.write_bytes(Path("warehouse.duckdb").read_bytes())
    writer = subprocess.Popen(
        [sys.executable, "-c", LOCKED, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        said = refused("--database", str(path))
        also = refused("--to", str(path))
    finally:
        writer.communicate("\n", timeout=30)
    assert said.startswith(f"the database '{path}' is open for writing in another process (python")
    assert f"PID {writer.pid}), also after 0.2 seconds; accepted: publish when that has" in said
    assert also.startswith(f"'{path}' is open for writing elsewhere; accepted: a name that is free")
    run("--database", str(path))


def test_a_database_of_a_newer_duckdb(tmp_path: Path) -> None:
    """Its header, with the number of a later storage version and the checksum that goes with it."""
    content = bytearray(Path("warehouse.duckdb").read_bytes())
    content[12:20] = struct.pack("<Q", 80)
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", content[8:4096]):
        checksum ^= word * 0xBF58476D1CE4E5B9 % 2**64
    content[:8] = struct.pack("<Q", checksum)
    path = tmp_path / "newer.duckdb"
    path.write_bytes(content)

    assert refused("--database", str(path)) == (
        f"the database '{path}' was written by a newer DuckDB than {duckdb.__version__}; accepted: "
        "one in a storage version that this one reads, or a newer duckdb here"
    )


def test_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("no database at all")
    with duckdb.connect(str(tmp_path / "empty.duckdb")):
        pass
    cases = [
        (
            ("--database", "nope.duckdb"),
            "there is no database 'nope.duckdb'; accepted: an existing",
        ),
        (("--database", str(tmp_path / "text.duckdb")), "cannot be opened: IO Error:"),
        (("--database", str(tmp_path / "empty.duckdb")), "'empty' has no marts in schema 'marts'"),
        (("--to", "warehouse.duckdb"), "which is the database 'warehouse' itself; accepted: anoth"),
        (("--schema", "nope"), "the database 'warehouse' has no marts in schema 'nope'; accepted"),
        (("--keep", "nope"), "keep: no mart has a column 'nope'"),
        (("--to", "nowhere/a.duckdb"), "to got 'nowhere/a.duckdb'; accepted: a file in a folder"),
    ]
    for arguments, message in cases:
        assert message in refused(*arguments), arguments
    told = CliRunner().invoke(app, ["publish", "--schema", "nope", "--json"])
    assert json.loads(told.stderr)["error"].startswith("'")


def test_an_id_that_is_an_address(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    path.write_bytes(Path("warehouse.duckdb").read_bytes())
    with duckdb.connect(str(path)) as con:
        con.execute("create or replace table marts.mails as select 'a@b.de' as customer_id")
    said = refused("--database", str(path))
    assert said.endswith(
        "id 'customer_id' of 'mails' holds e-mail addresses, which do not leave; accepted: ids "
        "that are keys or hashes, or 'customer_id' in the option keep"
    )
    assert not path.with_name("serve.duckdb").exists()
    run("--database", str(path), "--keep", "mails.customer_id")


def test_a_forgotten_customer_is_in_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the served file, nor in any version of the Parquet folder."""
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(Path("warehouse.duckdb").read_bytes())
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        run("--parquet", "out")
    with duckdb.connect("serve.duckdb", read_only=True) as con:
        [(before,)] = con.execute("select publication_id from segql.publication").fetchall()
        version = os.path.realpath("out")
        result = CliRunner().invoke(app, ["forget", "c00042", "--yes"])
        assert result.exit_code == 0, result.output
    assert 'serve.duckdb: 2 rows of 2 tables\n  "marts"."customer_segments": 1' in result.stdout
    # The warehouse has the source.
    files = [item for item in tmp_path.rglob("*") if item.is_file() and item != path]
    assert len([item for item in files if item.suffix == ".parquet"]) == 3
    assert [item for item in files if b"c00042" in item.read_bytes()] == []
    assert duckdb.sql("select count(*) from 'out/customer_segments.parquet'").fetchall() == [(99,)]
    assert not Path(version).exists()
    with duckdb.connect("serve.duckdb", read_only=True) as con:
        [(after, folder)] = con.execute(
            "select publication_id, parquet from segql.publication"
        ).fetchall()
        assert (after != before, folder) == (True, os.path.realpath("out"))
        assert len(con.execute("from segql.trust('customers')").fetchall()) == 3
    run("--parquet", "out")
