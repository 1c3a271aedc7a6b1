"""Odd input through every door, for as long as you like: refused or answered, never a crash.

    python tests/faults/fuzz.py --seconds 600
    python tests/faults/fuzz.py --seconds 60 --doors names state --seed 7

Each door runs in a process of its own, so that a crash of the process counts, too. An input may be
refused by SegqlError or DuckDB's own errors; any other error, an internal error of DuckDB, a table
that has changed, or an input that takes longer than its door allows is printed with what led to it.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from doors import DOORS as DOORS_OF_VALUES
from doors import Refused
from doors_of_text import DOORS as DOORS_OF_TEXT

DOORS = DOORS_OF_VALUES | DOORS_OF_TEXT


class HangError(Exception):
    """An input that takes too long."""


def _too_long(*_: object) -> None:
    raise HangError("the input does not come to an end")


def run_door(name: str, seconds: float, seed: int) -> None:
    """Send inputs through one door; print what was found, and fail if something was."""
    faulthandler.enable()
    # One more than the alarm: a call that never comes back to Python ends the process.
    signal.signal(signal.SIGALRM, _too_long)
    counted, found = Counter[str](), 0
    until, longest = time.monotonic() + seconds, DOORS[name].longest
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        door = DOORS[name](Path(folder))
        while time.monotonic() < until:
            draw = random.Random(f"{name} {seed} {number}")
            faulthandler.dump_traceback_later(2 * longest, exit=True)
            signal.alarm(longest)
            try:
                counted[door.try_one(draw)] += 1
            except Refused as refused:
                counted[refused.args[0]] += 1
            except BaseException as error:
                found += 1
                said = f"{type(error).__name__}: {str(error)[:500]}"
                print(
                    f"{name} seed {seed} input {number}: {said}\n  {door.last[:1000]}", flush=True
                )
                if isinstance(error, KeyboardInterrupt):
                    raise
                door = DOORS[name](Path(tempfile.mkdtemp(dir=folder)))
            finally:
                signal.alarm(0)
                faulthandler.cancel_dump_traceback_later()
            number += 1
    print(f"{name}: {number} inputs in {seconds:g} s, {found} faults; {dict(counted)}", flush=True)
    if found:
        sys.exit(1)


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="for each door")
    parser.add_argument("--doors", nargs="+", choices=list(DOORS), default=list(DOORS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process:
        run_door(options.doors[0], options.seconds, options.seed)
        return
    failed = []
    for name in options.doors:
        command = [sys.executable, "-W", "ignore", __file__, "--in-process", "--doors", name]
        command += ["--seconds", str(options.seconds), "--seed", str(options.seed)]
        patience = options.seconds + 4 * DOORS[name].longest
        done = subprocess.run(command, check=False, timeout=patience)
        if done.returncode:
            failed.append(f"{name} (exit code {done.returncode})")
    if failed:
        sys.exit(f"faults in {', '.join(failed)}")


if __name__ == "__main__":
    main()
