"""Names that an engine would cut, fold or not read are refused before anything is written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from segql.errors import SegqlError
from segql.exporting.dialects import Dialect

#: What a name is made of where it cannot be quoted.
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_name(dialect: Dialect, form: str, what: str, given: str, name: str) -> None:
    """Refuse the name of a function or table.

    Parameters
    ----------
    dialect : Dialect
    form, what, given : str
        For the message: the form, what the caller has named, and how.
    name : str
        What is made of it.
    """
    if dialect.plain_names and not PLAIN.fullmatch(name):
        kind = "function" if form == "function" else "table"
        raise SegqlError(
            f"form {form!r} is not possible in {dialect.name} for {what} {given!r} because a "
            f"{kind}'s name there holds only letters, digits and underscores; fit under such a name"
            + (", or use form 'query'" if form == "function" else "")
        )
    check_length(dialect, form, what, name)


def check_length(dialect: Dialect, form: str, what: str, name: str) -> None:
    """Refuse a name that an engine would cut."""
    if dialect.longest_name is not None and len(name.encode()) > dialect.longest_name:
        raise SegqlError(
            f"form {form!r} is not possible in {dialect.name} for {what} {name!r} because a "
            f"name there holds at most {dialect.longest_name} bytes; "
            + ("use form 'query'" if form == "function" else "fit under a shorter name")
        )


def check_apart(dialect: Dialect, form: str, names: Sequence[str]) -> None:
    """Refuse names that differ in case only, where those are one."""
    folded: dict[str, str] = {}
    for name in names if dialect.folds_case else []:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise SegqlError(
                f"form {form!r} is not possible in {dialect.name} because it does not tell "
                f"columns {other!r} and {name!r} apart; use form 'query'"
            )
