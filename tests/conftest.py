"""Fixtures of the whole suite: connections, a small shop, and the real data."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from published_shop import make_warehouse
from support import ROOT

#: The folders whose files take minutes: begun first, they leave no process waiting for another.
SLOW = ("dbt", "faults", "data")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in SLOW)


def pytest_configure(config: pytest.Config) -> None:
    """Make a folder that all processes of this run share, before they start."""
    # A shell starts what is in its background deaf to Ctrl-C, and what that starts as well.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ["SEGQL_TESTS_SHARED"] = tempfile.mkdtemp(prefix="segql-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop("SEGQL_TESTS_SHARED", ""), ignore_errors=True)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory."""
    connection = duckdb.connect(":memory:")
    yield connection
    connection.close()


@pytest.fixture
def shop_file(tmp_path: Path) -> Path:
    """Name a database file that does not exist yet."""
    return tmp_path / "shop.duckdb"


@pytest.fixture(scope="session")
def cli() -> str:
    """Find the DuckDB command line beside this Python."""
    found = shutil.which("duckdb", path=os.path.dirname(sys.executable))
    assert found, "the duckdb command line is missing: pip install duckdb-cli"
    return found


@pytest.fixture(scope="session")
def data_dir() -> Callable[[str], Path]:
    """Find a real data file; skip where it is absent, fail where SEGQL_REQUIRE_DATA=1."""

    def find(name: str) -> Path:
        folder = Path(os.environ.get("SEGQL_DATA") or ROOT.parent / "shared" / "data")
        path = folder / name
        if not path.exists():
            reason = f"the real data {path} is absent (SEGQL_DATA names another folder)"
            if os.environ.get("SEGQL_REQUIRE_DATA") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find


@pytest.fixture(scope="session")
def warehouse_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a small warehouse to publish: every test has a copy of its own."""
    path = tmp_path_factory.mktemp("publish") / "warehouse.duckdb"
    make_warehouse(path)
    return path.read_bytes()


@pytest.fixture
def warehouse(warehouse_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A warehouse to publish, in the folder that the test runs in."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(warehouse_bytes)
    return path
