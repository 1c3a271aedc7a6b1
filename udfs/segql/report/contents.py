"""What a report is made of: parts with charts, tables and words, before any HTML."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

#: What an empty cell shows.
NOTHING = "–"
Figure = dict[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
    style : {"text", "count", "amount", "cents", "share", "decimal", "signed", "flag"}
        How its values are written.
    """

    title: str
    style: str = "text"

    @property
    def is_number(self) -> bool:
        """Whether values stand to the right."""
        return self.style not in ("text", "flag")


@dataclass(frozen=True)
class Table:
    """Figures in rows; the first column names the row."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    @classmethod
    def of(cls, rows: Iterable[Row], **columns: str) -> Table:
        """Take columns out of rows, each written as ``name="title"`` or ``name="title|style"``."""
        heads = [Column(*text.split("|")) for text in columns.values()]
        return cls(heads, [[row[name] for name in columns] for row in rows])


@dataclass(frozen=True)
class Chart:
    """A chart with the words and figures that say the same.

    Attributes
    ----------
    key : str
        Names it in the page and in the files of ``--png``.
    title : str
        What it is of.
    figure : dict
        ``data`` and ``layout`` as plotly takes them. A text that starts with ``@`` is a colour of
        the theme: ``@0`` … ``@9`` of segments, ``@ink``, ``@muted``, ``@grid``, ``@rest``,
        ``@good``, ``@bad``, ``@diverging``, ``@sequential``.
    alt : str
        What a reader would see, in a sentence.
    table : Table
    note : str
        On how many rows it rests, and what was left out.
    is_wide : bool
        Whether it needs the whole width.
    """

    key: str
    title: str
    figure: Figure
    alt: str
    table: Table
    note: str = ""
    is_wide: bool = False

    @property
    def height(self) -> int:
        """Height, in pixels."""
        return int(self.figure["layout"].get("height", 380))


@dataclass(frozen=True)
class Sheet:
    """A table that is no chart's."""

    key: str
    title: str
    table: Table
    note: str = ""


@dataclass(frozen=True)
class Absent:
    """What cannot be shown, and why."""

    key: str
    title: str
    reason: str


@dataclass(frozen=True)
class Card:
    """A segment at a glance.

    Attributes
    ----------
    facts : list of (str, Any, str)
        Label, value, style.
    """

    key: str
    name: str
    colour: str
    trust: str
    is_trusted: bool | None
    facts: list[tuple[str, Any, str]]
    action: str
    detail: str


@dataclass(frozen=True)
class Part:
    """A part of the report."""

    key: str
    title: str
    lead: Sequence[str] = ()
    cards: Sequence[Card] = ()
    items: Sequence[Chart | Sheet | Absent] = field(default_factory=list)


def shown(value: Any, style: str = "text") -> str:
    """Write a value as a reader expects it.

    Examples
    --------
    >>> shown(0.1234, "share"), shown(12345.6, "amount"), shown(None)
    ('12.3 %', '12,346', '–')
    """
    if isinstance(value, Decimal):
        value = float(value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if style == "flag" or isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.date):
        return value.isoformat()[:10]
    if style == "text" or isinstance(value, str):
        return str(value)
    forms = {
        "count": "{:,.0f}",
        "amount": "{:,.0f}" if abs(value) >= 100 else "{:,.2f}",
        "cents": "{:,.2f}",
        "share": "{:.1%}",
        "signed": "{:+,.0f}",
    }
    if style in forms:
        return forms[style].format(value).replace("%", " %").replace("-", "−")
    return decimal(float(value)).replace("-", "−")


def decimal(value: float) -> str:
    """Write three significant digits, all of a whole part."""
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 6)}f}"


def said_list(names: Sequence[str]) -> str:
    """Write names as a person would: a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
