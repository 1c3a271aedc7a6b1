"""The errors that segql raises, each a sentence: what, which value, what is accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

import duckdb

#: Characters of a message: what is named in it may have megabytes.
LONGEST_MESSAGE = 4000


class SegqlError(ValueError):
    """A request that cannot be carried out; the message names the column or option and value."""

    def __init__(self, message: str = "") -> None:
        if len(message) > LONGEST_MESSAGE:
            half = LONGEST_MESSAGE // 2
            message = f"{message[:half]} … {message[-half:]}"
        super().__init__(message)


class UnknownModelError(SegqlError, LookupError):
    """A model name or version that the registry does not hold."""


class ConflictError(SegqlError):
    """Another transaction has changed what this one writes, and is not at its end."""


class TooFewRowsError(SegqlError):
    """Rows that no option can make segments of: too few of them, or too few that differ."""


def said(error: BaseException) -> str:
    """What an error says, in one line, without the statement that DuckDB shows it in."""
    return " ".join(str(error).split("\n\nLINE ")[0].split())


@contextmanager
def within_memory() -> Iterator[None]:
    """Say in one line that DuckDB's memory did not do, and what can be done about it.

    Raises
    ------
    SegqlError
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        first = str(error).partition("\n")[0]
        raise SegqlError(
            f"DuckDB's memory did not do, and nothing was stored ({first}); accepted: a larger "
            "memory_limit, a temp_directory, fewer threads, or fewer columns"
        ) from error


def unknown(kind: str, name: object, known: Iterable[object]) -> str:
    """Word the error for a name outside a closed list.

    Parameters
    ----------
    kind : str
        What the name should have been, e.g. ``"option"``.
    name : object
        The name as given.
    known : iterable
        Every accepted name.

    Returns
    -------
    str
        One sentence with the nearest accepted name first and the whole list after it.
    """
    names = [str(item) for item in known]
    lowered = {item.lower(): item for item in names}
    # Of a megabyte nothing is near, and looking takes its time.
    near = get_close_matches(str(name)[:200].lower(), list(lowered), n=1, cutoff=0.5)
    hint = f"; did you mean {lowered[near[0]]!r}?" if near else ""
    listed = ", ".join(names) if names else "none"
    return f"unknown {kind} {str(name)!r}{hint} (accepted: {listed})"
