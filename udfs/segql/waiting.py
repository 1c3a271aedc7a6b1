"""Open a database file that another process may hold: wait a while, then say who holds it."""

from __future__ import annotations

import math
import os
import re
import time
from pathlib import Path

import duckdb

from segql.errors import SegqlError

#: How long to wait for a file, in seconds, when the environment does not say so.
DEFAULT_SECONDS = 5.0
SECONDS_VARIABLE = "SEGQL_LOCK_SECONDS"
#: What DuckDB says of the process that holds a lock.
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_FIRST_PAUSE = 0.05


class LockedError(SegqlError):
    """A file that another process holds; it was waited for."""


def connect_waiting(
    path: Path, *, read_only: bool, otherwise: str = "the same again when that has ended"
) -> duckdb.DuckDBPyConnection:
    """Open a database; while another process holds it, try again for a few seconds.

    Parameters
    ----------
    path : Path
    read_only : bool
    otherwise : str
        What to do while another process has it.

    Raises
    ------
    LockedError
        Naming the process that holds the file, and for how long it was waited for.
    """
    limit = _seconds()
    started, pause = time.monotonic(), _FIRST_PAUSE
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            if "lock on file" not in str(error):
                raise
            left = limit - (time.monotonic() - started)
            if left <= 0:
                # A reader is kept out by a writer only, a writer by anybody.
                how = "open for writing" if read_only else "open"
                raise LockedError(
                    f"the database {str(path)!r} is {how} in another process{_holder(error)}, also "
                    f"after {limit:g} seconds; accepted: {otherwise}, or a longer wait by "
                    f"{SECONDS_VARIABLE}"
                ) from error
            time.sleep(min(pause, left))
            pause *= 2


def _holder(error: duckdb.IOException) -> str:
    found = _HOLDER.search(str(error))
    return f" ({Path(found['program']).name}, PID {found['pid']})" if found else ""


def _seconds() -> float:
    given = os.environ.get(SECONDS_VARIABLE)
    if given is None:
        return DEFAULT_SECONDS
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 86400:
        raise SegqlError(
            f"{SECONDS_VARIABLE} got {given!r}; accepted: seconds to wait for a file that another "
            "process holds, from 0 to 86400"
        )
    return seconds
