"""Plotly figures as plain data: the few forms that the report's charts have."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import Any

from segql.report.contents import Figure, shown

#: Height of a bar or a heatmap's row, and of what stands around them, in pixels.
ROW, AROUND = 26, 96
#: A bar of less than this share of the longest bears its value beside it.
SHORT = 0.2
#: Marks of segments, so that colour is not all that tells them apart.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "x", "pentagon",
           "hexagon", "triangle-down")  # fmt: skip
#: Lines of segments, for the same reason.
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def axis(title: str = "", style: str = "", **options: Any) -> dict[str, Any]:
    """An axis with a title and a format of its ticks."""
    forms = {"share": ".0%", "count": ",.3~s", "amount": ",.3~s"}
    made: dict[str, Any] = {"automargin": True, "zeroline": False}
    if title:
        made["title"] = {"text": title}
    if style in forms:
        made["tickformat"] = forms[style]
    return made | options


def places(names: Sequence[str], **options: Any) -> dict[str, Any]:
    """An axis of names, the first at the top of a chart; names of any kind stay apart."""
    numbers = list(range(len(names)))
    return axis(tickvals=numbers, ticktext=[cut(name) for name in names], showgrid=False,
                range=[len(names) - 0.5, -0.5], **options)  # fmt: skip


def across(names: Sequence[str], **options: Any) -> dict[str, Any]:
    """An axis of names from left to right, in lines as far as columns are narrow."""
    wrapped = ["\n".join(wrap(name, 13, max_lines=3, placeholder="…")) for name in names]
    return places(names, **options) | {
        "range": [-0.5, len(names) - 0.5], "ticktext": wrapped, "autotickangles": [0, -60, -90],
    }  # fmt: skip


def cut(name: str, most: int = 30) -> str:
    """Shorten a name for an axis; the table has the whole."""
    return name if len(name) <= most else name[: most - 1] + "…"


def extra(name: str) -> str:
    """End of a hover's template: the name beside the box. Templates alone may bear markup."""
    return f"<extra>{escape(name, quote=False)}</extra>"


def height(rows: int, around: int = AROUND) -> int:
    """Height of a chart of so many rows."""
    return max(240, rows * ROW + around)


def bars(
    names: Sequence[str],
    series: Sequence[tuple[str, Sequence[Any], Any]],
    *,
    title: str,
    style: str,
    errors: tuple[Sequence[Any], Sequence[Any]] | None = None,
    shapes: Sequence[dict[str, Any]] = (),
    texts: bool = True,
) -> Figure:
    """Bars from left to right, a row for each name.

    Parameters
    ----------
    names : sequence of str
    series : sequence of (name, values, colours)
    title, style : str
        Of the values.
    errors : (low, high), optional
        Ends of an interval of the only series.
    shapes : sequence of dict
        Lines across, from :func:`bound`.
    texts : bool
        Whether bars bear their values.
    """
    data = []
    for name, values, colours in series:
        trace: dict[str, Any] = {
            "type": "bar", "orientation": "h", "name": name, "x": list(values),
            "y": list(range(len(names))), "marker": {"color": colours}, "cliponaxis": False,
            "customdata": [[item, shown(value, style)]
                           for item, value in zip(names, values, strict=True)],
            "hovertemplate": "%{customdata[0]}: %{customdata[1]}" + extra(name),
        }  # fmt: skip
        if texts:
            longest = max((abs(value) for value in values if value is not None), default=0.0)
            trace |= {
                "text": [shown(value, style) for value in values],
                "textposition": ["inside" if abs(value or 0.0) > SHORT * longest else "outside"
                                 for value in values],
            }  # fmt: skip
        if errors is not None:
            low, high = errors
            trace["error_x"] = {
                "type": "data", "symmetric": False, "color": "@ink", "thickness": 1.5,
                "array": [_gap(end, value) for end, value in zip(high, values, strict=True)],
                "arrayminus": [_gap(value, end) for end, value in zip(low, values, strict=True)],
            }  # fmt: skip
        data.append(trace)
    known = [float(value) for _, values, _ in series for value in values if value is not None]
    least, most = min(known, default=0.0), max([0.0, *known])
    # Room for the value to the left of a bar below zero, where the names stand.
    room = {"range": [1.2 * least - 0.2 * most, 1.05 * most]} if least < 0 else {}
    layout: dict[str, Any] = {
        "height": height(len(names) * max(1, len(series))),
        "xaxis": axis(title, style, **room),
        "yaxis": places(names),
        "barmode": "group",
        "bargap": 0.25,
        "showlegend": len(series) > 1,
        "shapes": list(shapes),
    }
    return {"data": data, "layout": layout}


def heatmap(
    columns: Sequence[str],
    rows: Sequence[str],
    values: Sequence[Sequence[Any]],
    *,
    style: str,
    scale: str = "@sequential",
    span: tuple[float, float] | None = None,
    texts: Sequence[Sequence[str]] | None = None,
    title: str = "",
) -> Figure:
    """A cell for each row and column, its value written in it."""
    written = texts or [[shown(value, style) for value in row] for row in values]
    trace: dict[str, Any] = {
        "type": "heatmap", "z": [list(row) for row in values], "colorscale": scale,
        "x": list(range(len(columns))), "y": list(range(len(rows))), "xgap": 2, "ygap": 2,
        "text": written, "texttemplate": "%{text}", "hoverongaps": False,
        "customdata": [[[row, column] for column in columns] for row in rows],
        "hovertemplate": "%{customdata[0]}, %{customdata[1]}: %{text}<extra></extra>",
        "colorbar": {"title": {"text": title}, "thickness": 10, "outlinewidth": 0, "len": 0.9},
        "showscale": bool(title) and len(rows) > 4,
    }  # fmt: skip
    if span is not None:
        trace |= {"zmin": span[0], "zmax": span[1]}
    layout = {
        "height": height(len(rows), AROUND + 40),
        "xaxis": across(columns, side="top"),
        "yaxis": places(rows),
    }
    return {"data": [trace], "layout": layout}


def line(
    name: str, x: Sequence[Any], y: Sequence[Any], colour: str, *, dash: str = "solid",
    marks: str | None = "circle", **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """One line of a chart."""
    trace: dict[str, Any] = {
        "type": "scatter", "name": name, "x": list(x), "y": list(y),
        "mode": "lines+markers" if marks else "lines", "line": {"color": colour, "dash": dash},
    }  # fmt: skip
    if marks:
        trace["marker"] = {"symbol": marks, "size": 7, "color": colour}
    return trace | options


def bound(value: float, words: str, *, upright: bool = True, colour: str = "@muted") -> Figure:
    """A dashed line at a value, with what it stands for."""
    whole = {"x0": value, "x1": value, "yref": "paper", "y0": 0, "y1": 1}
    if not upright:
        whole = {"y0": value, "y1": value, "xref": "paper", "x0": 0, "x1": 1}
    return {
        "type": "line", **whole, "line": {"color": colour, "dash": "dot", "width": 1.5},
        "label": {"text": words, "textposition": "end" if upright else "start", "textangle": 0,
                  "yanchor": "bottom", "font": {"size": 11, "color": "@muted"}},
    }  # fmt: skip


def _gap(upper: Any, lower: Any) -> float:
    return 0.0 if upper is None or lower is None else max(0.0, float(upper) - float(lower))
