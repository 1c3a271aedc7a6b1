"""Write the report: parts to one HTML file that needs nothing else."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from segql.errors import SegqlError
from segql.placing import part_of
from segql.report.contents import Absent, Chart, Part, Sheet, Table, shown
from segql.report.decisions import decisions
from segql.report.maps import maps
from segql.report.movement import movement
from segql.report.profiles import profiles
from segql.report.reading import Shop
from segql.report.trust import trust

PARTS: tuple[Callable[[Shop], Part], ...] = (decisions, profiles, movement, maps, trust)
#: Texts of a figure that are the report's own.
TEMPLATES = ("hovertemplate", "texttemplate")
LIBRARIES = "the report needs plotly and jinja2; accepted: pip install 'segql[report]'"


def write_report(
    con: duckdb.DuckDBPyConnection,
    to: str | os.PathLike[str],
    *,
    title: str = "Customer segments",
    marts: str = "marts",
    model: str | None = None,
) -> list[Part]:
    """Write one self-contained HTML page about the segments of a built database.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        On a warehouse or a served file; it is only read.
    to : path
        The file; it is replaced whole, or stays as it was.
    title : str
    marts : str
        Schema of the marts.
    model : str, optional
        Model in the registry; by default ``customers``, or the only one.

    Returns
    -------
    list of Part
        What is on the page.

    Raises
    ------
    SegqlError
        Where there is nothing to report on, or plotly is not installed.
    """
    shop = Shop(con, marts=marts, model=model)
    parts = [build(shop) for build in PARTS]
    path = Path(to)
    if path.is_dir():
        raise SegqlError(f"to got {str(path)!r}, a folder; accepted: a file")
    text = page(shop, parts, title)
    part = part_of(path)
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        why = error.strerror
        raise SegqlError(f"to got {str(path)!r}, which cannot be written: {why}") from error
    finally:
        part.unlink(missing_ok=True)
    return parts


def page(shop: Shop, parts: list[Part], title: str) -> str:
    """Lay the parts out as HTML."""
    try:
        from jinja2 import Environment, PackageLoader
        from markupsafe import Markup
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise SegqlError(LIBRARIES) from error
    environment = Environment(
        loader=PackageLoader("segql.report", ""), autoescape=True, trim_blocks=True
    )
    environment.globals |= {"shown": shown, "exact": _exact(Markup), "kind_of": _kind}
    table = environment.get_template("table.html")

    def drawn(rows: Table, heading: str) -> Any:
        return Markup(table.render(table=rows, title=heading))

    charts = {
        item.key: item.figure for part in parts for item in part.items if isinstance(item, Chart)
    }
    return environment.get_template("page.html").render(
        title=title,
        subtitle=_subtitle(shop),
        footer=_footer(shop),
        parts=parts,
        table=drawn,
        style=Markup(_own("page.css")),
        script=Markup(_own("page.js")),
        plotly=Markup(get_plotlyjs()),
        figures=Markup(_json(charts)),
    )


def _own(name: str) -> str:
    return (files("segql.report") / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """Write JSON that may stand within a script element."""
    text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: Any, name: str = "") -> Any:
    """Turn a figure into what JSON and plotly take; texts stay text, a line break aside."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float):
        # Six digits draw the same, in less than half the bytes.
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, str):
        # Plotly reads markup in any text, links among it: names come from the data.
        return value if name in TEMPLATES else escape(value, quote=False).replace("\n", "<br>")
    if isinstance(value, dict):
        return {key: _plain(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, name) for item in value]
    return value


def _exact(markup: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Give a cell the number that it rounds."""

    def attribute(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return ""
        return markup(f'data-value="{value}"')

    return attribute


def _kind(item: Chart | Sheet | Absent) -> str:
    return type(item).__name__.lower()


def _subtitle(shop: Shop) -> str:
    customers = sum(row["customers"] for row in shop.summary)
    said = f"{shown(customers, 'count')} customers in {len(shop.segments)} segments"
    day = shop.as_of_date
    return f"{said}, as of {shown(day)}" if isinstance(day, date) else said


def _footer(shop: Shop) -> str:
    now = shop.current
    if not now:
        return "Made by segql from the marts of this database."
    return (
        f"Made by segql from the marts and the model {now['model_name']}, version "
        f"{now['model_version']}, fitted {shown(now['fitted_at'])}."
    )
