"""Runs dbt in processes forked from one that has imported it: most of a small run is imports."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

#: The process that is forked has imported these, and started no thread.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["dbt.cli.main", "dbt.adapters.duckdb", "segql.dbt_plugin"])


def run_dbt(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run the dbt command in a process of its own; its exit code and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output.txt"
        output.touch()
        process = FORKS.Process(
            target=_run, args=(list(arguments), str(cwd), dict(environment), str(output))
        )
        process.start()
        process.join()
        assert process.exitcode is not None
        return process.exitcode, output.read_text(encoding="utf-8")


def _run(arguments: list[str], cwd: str, environment: dict[str, str], output: str) -> None:
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    tempfile.tempdir = None  # the folder of the environment before
    sys.argv = ["dbt", *arguments]
    warnings.simplefilter("ignore", RuntimeWarning)
    from dbt.cli.main import cli

    try:
        cli()
    finally:
        atexit._run_exitfuncs()
