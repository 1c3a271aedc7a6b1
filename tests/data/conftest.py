"""Real datasets: built once each; skipped where the files are absent, unless required."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "dbt"))

import harness

Build = Callable[[str], harness.Shop]


def data_folder(dataset: str) -> Path:
    """Find a dataset's folder, or skip (fail where SEGQL_REQUIRE_DATA=1)."""
    data = Path(os.environ.get("SEGQL_DATA") or harness.ROOT.parent / "shared" / "data")
    folder = data / dataset
    if not folder.is_dir():
        reason = f"the real data {folder} is absent (SEGQL_DATA names another folder)"
        if os.environ.get("SEGQL_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder.resolve()


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build a dataset once per session."""
    harness.ensure_packages(tmp_path_factory.mktemp("packages"))
    shops: dict[str, harness.Shop] = {}

    def build_once(dataset: str) -> harness.Shop:
        data = data_folder(dataset)
        if dataset not in shops:
            shop, result = harness.build_dataset(
                tmp_path_factory.mktemp(dataset), "--dataset", dataset, "--data", str(data)
            )
            assert result.code == 0, result.output
            shops[dataset] = shop
        return shops[dataset]

    return build_once
