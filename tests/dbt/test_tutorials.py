"""Follows the tutorials: every block is run in its order, and prints what the page says."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import harness
import pytest
from pages import Page, Reader

TUTORIALS = harness.ROOT / "docs" / "tutorials"
#: What a clone of the repository has and the tutorials use.
CLONED = ("Makefile", "dbt_project", "macros", "profiles.yml", "datasets", "udfs")


@pytest.fixture
def clone(tmp_path: Path, demo: tuple[harness.Shop, harness.Result]) -> Reader:
    """A reader in what is like a clone, where `make demo CUSTOMERS=3000` was run."""
    shop, result = demo
    folder = tmp_path / "segql"
    folder.mkdir()
    for name in CLONED:
        (folder / name).symlink_to(harness.ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    shutil.copy(shop.database, folder / "warehouse.duckdb")
    return Reader(folder, {"make demo CUSTOMERS=3000": result.output})


def test_analytics_engineer(clone: Reader) -> None:
    clone.go(clone.folder.parent)
    assert clone.follow(Page(TUTORIALS / "analytics_engineer.md")) >= 9


def test_sql_user(clone: Reader) -> None:
    assert clone.follow(Page(TUTORIALS / "sql_user.md")) >= 13


def test_bi_user(clone: Reader) -> None:
    assert clone.follow(Page(TUTORIALS / "bi_user.md")) >= 9
    assert (clone.folder / "report.html").stat().st_size > 1e6
    assert sorted((clone.folder / "exports").glob("*.parquet"))
