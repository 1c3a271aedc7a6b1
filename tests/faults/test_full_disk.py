"""A disk that is full, a folder that cannot be written: one line, and all that was there stays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from support import load_frame, registry_picture, shop_frame
from typer.testing import CliRunner

import segql
from segql.cli import app

CONFIG = {"storage_compatibility_version": "v1.4.0"}
NUMBERS = ["recency", "frequency", "monetary"]
FIT = ["fit", "m", "t", "--id", "customer_id", "--features", "recency,monetary"]
Mount = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Mount]]:
    """A small file system of its own, and how to mount it again with other options."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root of Linux mounts a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = mount("size=64m")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        with duckdb.connect(str(folder / "shop.duckdb"), config=CONFIG) as con:
            load_frame(con, "t", shop_frame(2000))
            segql.fit(con, "t", id="customer_id", name="m", k=3, features=NUMBERS)
            con.execute("checkpoint")
        yield folder, lambda options: mount(f"remount,{options}").check_returncode()
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, free: int) -> Path:
    """Leave so many bytes."""
    filler = folder / "filler"
    status = os.statvfs(folder)
    filler.write_bytes(b"x" * (status.f_bavail * status.f_frsize - free))
    return filler


def picture(path: Path) -> object:
    with duckdb.connect(str(path), read_only=True) as con:
        known = registry_picture(con)
        # A checkpoint prints a macro's numbers in another way.
        names = [name for name, _ in known["macros"]]
        scores = con.execute("select sum(segment_id), count(*) from segql.predict('m', 't')")
        return known["rows"], names, scores.fetchall()


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 1, (result.output, result.exception)
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize("free", [0, 20_000])
def test_a_fit_on_a_full_disk(disk: tuple[Path, Mount], free: int) -> None:
    folder, _ = disk
    path = folder / "shop.duckdb"
    before = picture(path)
    filler = fill(folder, free)
    said = refused(*FIT, "--k", "5", "--database", str(path))
    assert "No space left on device" in said
    assert picture(path) == before
    filler.unlink()
    done = CliRunner().invoke(app, [*FIT, "--k", "5", "--database", str(path)])
    assert done.exit_code == 0, done.output
    with duckdb.connect(str(path)) as con:
        assert segql.load(con, "m").version == 2


def test_forgetting_on_a_full_disk(disk: tuple[Path, Mount]) -> None:
    """The rows are deleted; that the file could not be written anew is told, and it is whole."""
    folder, _ = disk
    path = folder / "shop.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create schema features; create table features.f as select * from t")
        con.execute("checkpoint")
    filler = fill(folder, 1_500_000)
    said = refused("forget", "c00007", "--yes", "--database", str(path))
    assert "the rows are deleted, but" in said
    assert "No space left on device" in said
    assert sorted(item.name for item in folder.iterdir()) == ["filler", "shop.duckdb"]
    with duckdb.connect(str(path)) as con:
        assert con.execute("select count(*) from features.f").fetchall() == [(1999,)]
    filler.unlink()
    done = CliRunner().invoke(app, ["forget", "c00007", "--yes", "--database", str(path)])
    assert done.exit_code == 0, done.output


def test_a_folder_that_is_read_only(disk: tuple[Path, Mount], tmp_path: Path) -> None:
    """Who writes is refused in one line; who reads is answered."""
    folder, remount = disk
    path = folder / "shop.duckdb"
    before = picture(path)
    remount("ro")
    for command in (
        [*FIT, "--k", "5"], ["use-version", "m", "1"], ["drop", "m", "--yes"],
        ["forget", "c00007", "--yes"],
    ):  # fmt: skip
        said = refused(*command, "--database", str(path))
        assert "Read-only file system" in said or "Cannot open file" in said
    for command in (["models"], ["predict", "m", "t", "--json"], ["evaluate", "m", "t"]):
        done = CliRunner().invoke(app, [*command, "--database", str(path)])
        assert done.exit_code == 0, done.output
    with duckdb.connect(str(path), read_only=True) as con:
        con.execute("create temporary table here as select 1")
        with pytest.raises(segql.SegqlError, match="attached read-only"):
            segql.fit(con, "t", id="customer_id", name="m", k=2, features=NUMBERS)
    assert picture(path) == before
    said = refused("publish", "--to", str(folder / "serve.duckdb"), "--database", str(path))
    assert said.startswith("segql: ")
    remount("rw")
    assert CliRunner().invoke(app, [*FIT, "--k", "5", "--database", str(path)]).exit_code == 0
