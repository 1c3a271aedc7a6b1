"""Follows the pages "add a step", "add an algorithm" and "add an engine" in a copy of the tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pages import Page, Reader
from support import ROOT

#: What the pages change or run.
COPIED = ("udfs/segql", "tests/conftest.py", "tests/support.py", "tests/published_shop.py",
          "tests/contract/test_steps.py", "tests/contract/test_category_steps.py",
          "pyproject.toml")  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Reader:
    """A reader in a copy, whose package is the one that is imported."""
    folder = tmp_path / "copy"
    for name in COPIED:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    return Reader(folder, variables={"PYTHONPATH": str(folder / "udfs")})


@pytest.mark.parametrize(
    ("name", "runs"), [("add_a_step", 4), ("add_an_algorithm", 4), ("add_an_engine", 3)]
)
def test_page(copy: Reader, name: str, runs: int) -> None:
    assert copy.follow(Page(ROOT / "docs" / "contributing" / f"{name}.md")) == runs
