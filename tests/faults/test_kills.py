"""Runs that are killed at random moments; `make faults` does it two hundred times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kills.py")


@pytest.mark.parametrize(
    ("scenarios", "times"),
    [(["fit", "refit", "density", "roll back", "drop", "forget", "publish"], 17),
     (["build", "history"], 3)],
)  # fmt: skip
def test_nothing_is_lost(scenarios: list[str], times: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--times", str(times), "--folder", str(tmp_path / "faults"),
         "--only", *scenarios],
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{times} kills, 0 lost" in done.stdout
