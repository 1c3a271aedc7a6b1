"""Worker processes of a Spark session on this machine, so that one can be killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def executors(spark: Any) -> list[int]:
    """Worker processes of this session."""
    port = spark.conf.get("spark.driver.port")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode()
        except OSError:
            continue
        if "CoarseGrainedExecutorBackend" in command and f":{port}" in command:
            found.append(int(process.name))
    return found
