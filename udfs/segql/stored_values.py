"""Checks of single values, lists and records, which a stored model's schema is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from segql.errors import SegqlError

#: A check gets the place of a value, for the message, and the value.
Check = Callable[[str, Any], None]


def refusal(place: str, value: Any, expected: str) -> SegqlError:
    """The error that names the place, the value and what belongs there."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return SegqlError(
        f"the stored model cannot be read: {place} got {shown}; accepted: {expected} "
        "(was the registry changed by hand?)"
    )


def number(place: str, value: Any) -> None:
    """A finite number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # An integer may be too large for a double.
    if not is_number or not abs(value) <= 1.7976931348623157e308:
        raise refusal(place, value, "a finite number")


def positive(place: str, value: Any) -> None:
    """A number above 0."""
    number(place, value)
    if value <= 0:
        raise refusal(place, value, "a number above 0")


def count(place: str, value: Any) -> None:
    """A whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise refusal(place, value, "a whole number of at least 0")


def flag(place: str, value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise refusal(place, value, "true or false")


def text(place: str, value: Any) -> None:
    """A text."""
    if not isinstance(value, str):
        raise refusal(place, value, "a text")


def name(place: str, value: Any) -> None:
    """A text that is not empty."""
    text(place, value)
    if not value:
        raise refusal(place, value, "a name")


def one_of(*accepted: str) -> Check:
    """One of these texts."""

    def check(place: str, value: Any) -> None:
        if not isinstance(value, str) or value not in accepted:
            raise refusal(place, value, ", ".join(accepted))

    return check


def maybe(inner: Check) -> Check:
    """What the inner check accepts, or null."""

    def check(place: str, value: Any) -> None:
        if value is not None:
            inner(place, value)

    return check


def list_of(inner: Check, length: int | None = None) -> Check:
    """A list of what the inner check accepts, of that length if one is given."""

    def check(place: str, value: Any) -> None:
        if not isinstance(value, list):
            raise refusal(place, value, "a list")
        if length is not None and len(value) != length:
            raise refusal(place, value, f"a list of {length}, which has {len(value)}")
        for index, item in enumerate(value):
            inner(f"{place}[{index}]", item)

    return check


def mapping_of(inner: Check) -> Check:
    """An object of any names, each with what the inner check accepts."""

    def check(place: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise refusal(place, value, "an object")
        for name, item in value.items():
            inner(f"{place}.{name}", item)

    return check


def record_of(fields: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these fields and no others; older registries lack the optional ones."""
    known = {**fields, **(optional or {})}

    def check(place: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise refusal(place, value, "an object")
        for name in fields:
            if name not in value:
                raise refusal(f"{place}.{name}", None, "a value, which is missing")
        for name, item in value.items():
            if name not in known:
                raise refusal(f"{place}.{name}", item, f"only {', '.join(known)}")
            known[name](f"{place}.{name}", item)

    return check
