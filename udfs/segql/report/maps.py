"""Fourth part of the report: maps of the customers, learned and by RFM scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segql.report.contents import Absent, Chart, Column, Figure, Part, Row, Sheet, Table, shown
from segql.report.figures import SYMBOLS, axis, extra, heatmap
from segql.report.reading import Shop
from segql.report.statements import GRID, OVERLAP

#: Loadings that are shown, of the largest.
DRAWN_LOADINGS = 20
OLD = (
    "The model was fitted by an earlier segql, which left no map of groups of customers, or no "
    "segment has eleven customers; the next fit "
    "(`dbt build --full-refresh --select kmeans_segments`) leaves one."
)


def maps(shop: Shop) -> Part:
    """Write the part."""
    # Points without a number are single customers, of an earlier segql.
    points = [row for row in shop.kept("map_points", "place") if row.get("customers")]
    axes = shop.kept("map_axes", "axis, feature")
    items: list[Chart | Sheet | Absent] = []
    if shop.model is None:
        items.append(Absent("map", "Map of the customers", "There is no model in this database."))
    elif not points:
        items.append(Absent("map", "Map of the customers", OLD))
    else:
        items += [flat(shop, points, axes), deep(shop, points, axes), loadings(axes)]
    items += [grid(shop), overlap(shop)]
    return Part("map", "Map", items=items)


def _groups(shop: Shop, points: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in points:
        groups.setdefault(shop.keys.get(row["segment_id"], "noise"), []).append(row)
    order = list(shop.names)
    return sorted(groups.items(), key=lambda item: (
        order.index(item[0]) if item[0] in order else len(order), item[0]))  # fmt: skip


def _shares(axes: Sequence[Row]) -> dict[int, float]:
    return {row["axis"]: row["explained_variance_ratio"] for row in axes}


def _about(shop: Shop, points: Sequence[Row]) -> str:
    rows = shop.current.get("row_count") or 0
    drawn = sum(row["customers"] for row in points)
    return (
        f"{shown(drawn, 'count')} of {shown(rows, 'count')} customers of the fit, drawn at random "
        "in proportion; each point is the mean of at least eleven that lie together, so that "
        "none is of a person. Segments are those of the fit, and one with fewer has no point."
    )


def _centres(shop: Shop, points: Sequence[Row], axes: Sequence[Row]) -> Table:
    names = [name for name, _ in zip("xyz", _shares(axes), strict=False)]
    return Table(
        [Column("Segment"), Column("Points", "count"), Column("Customers drawn", "count"),
         *(Column(f"Mean on axis {number}", "decimal") for number in range(1, len(names) + 1))],
        [[shop.name(key), len(rows), sum(row["customers"] for row in rows),
          *(_mean(rows, name) for name in names)]
         for key, rows in _groups(shop, points)],
    )  # fmt: skip


def _mean(rows: Sequence[Row], name: str) -> float:
    """The customers' mean from those of the points."""
    total = sum(row["customers"] for row in rows)
    return float(sum(row[name] * row["customers"] for row in rows) / total)


def flat(shop: Shop, points: Sequence[Row], axes: Sequence[Row]) -> Chart:
    """Two axes."""
    shares = _shares(axes)
    figure: Figure = {
        "data": [
            {
                "type": "scatter", "mode": "markers", "name": shop.name(key),
                "x": [round(row["x"], 3) for row in rows],
                "y": [round(row["y"] or 0.0, 3) for row in rows],
                "marker": {"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 6, "opacity": 0.75,
                           "color": shop.colour(key)},
                "hovertemplate": extra(shop.name(key)),
            }
            for place, (key, rows) in enumerate(_groups(shop, points))
        ],
        "layout": {"height": 460, "showlegend": True, "xaxis": axis(_axis(1, shares)),
                   "yaxis": axis(_axis(2, shares))},
    }  # fmt: skip
    told = sum(list(shares.values())[:2])
    alt = (
        f"Groups of customers on the two axes along which they differ most, {shown(told, 'share')} "
        "of the variance, coloured by segment; the table has the middle of each."
    )
    return Chart("map", "Map of the customers", figure, alt, _centres(shop, points, axes),
                 _about(shop, points))  # fmt: skip


def _axis(number: int, shares: dict[int, float]) -> str:
    if number not in shares:
        return "there is no more axis"
    return f"Axis {number} ({shown(shares[number], 'share')} of variance)"


def deep(shop: Shop, points: Sequence[Row], axes: Sequence[Row]) -> Chart | Absent:
    """Three axes."""
    title, shares = "The same in three dimensions", _shares(axes)
    if len(shares) < 3:
        return Absent("map-3d", title, f"The model has {len(shares)} dimensions, not three.")
    data: list[dict[str, Any]] = [
        {
            "type": "scatter3d", "mode": "markers", "name": shop.name(key),
            **{name: [round(row[name], 3) for row in rows] for name in "xyz"},
            "marker": {"size": 3, "opacity": 0.8, "color": shop.colour(key)},
            "hovertemplate": extra(shop.name(key)),
        }
        for key, rows in _groups(shop, points)
    ]  # fmt: skip
    scene = {
        f"{name}axis": {"title": {"text": f"Axis {number}"}, "color": "@muted",
                        "gridcolor": "@grid", "showbackground": False}
        for number, name in enumerate("xyz", start=1)
    }  # fmt: skip
    figure: Figure = {
        "data": data,
        "layout": {"height": 460, "showlegend": True, "scene": scene},
    }
    told = shown(sum(shares.values()), "share")
    alt = f"The same customers on three axes, {told} of the variance; drag to turn it."
    return Chart("map-3d", title, figure, alt, _centres(shop, points, axes),
                 _about(shop, points) + f" Three axes have {told} of the variance.")  # fmt: skip


def loadings(axes: Sequence[Row]) -> Chart:
    """What the axes are made of."""
    shares = _shares(axes)
    load = {(row["axis"], row["feature"]): row["loading"] for row in axes}
    names = list(dict.fromkeys(row["feature"] for row in axes))
    names.sort(key=lambda name: -max(abs(load[number, name]) for number in shares))
    drawn = names[:DRAWN_LOADINGS]
    values = [[load[number, name] for number in shares] for name in drawn]
    figure = heatmap(
        [f"Axis {number}" for number in shares], drawn, values, style="decimal",
        scale="@diverging", span=(-1, 1),
        texts=[[f"{value:+.2f}".replace("-", "−") for value in row] for row in values],
    )  # fmt: skip
    first = drawn[0]
    alt = f"Loadings of the axes: the largest is that of {first}."
    table = Table(
        [Column("Feature"), *(Column(f"Axis {number}", "decimal") for number in shares)],
        [["Share of variance", *shares.values()],
         *([name, *(load[number, name] for number in shares)] for name in names)],
    )  # fmt: skip
    note = "Axes are principal components of the prepared features, learned on the fit's sample."
    if len(names) > len(drawn):
        note += f" The {len(drawn)} largest of {len(names)}; the table has all."
    return Chart("loadings", "What the axes are made of", figure, alt, table, note)


def grid(shop: Shop) -> Chart | Absent:
    """Customers by recency and frequency score."""
    key, title = "rfm-grid", "RFM grid"
    missing = shop.lacks("rfm_segments")
    if missing:
        return Absent(key, title, missing)
    rows = shop.query(GRID.format(rfm_segments=shop.table("rfm_segments")))
    if not rows:
        return Absent(key, title, "No customer has scores.")
    count = {(row["r_score"], row["f_score"]): row for row in rows}
    scores = list(range(1, 6))
    values = [[count[r, f]["customers"] if (r, f) in count else 0 for r in scores]
              for f in reversed(scores)]  # fmt: skip
    figure = heatmap(
        [f"R {score}" for score in scores], [f"F {score}" for score in reversed(scores)], values,
        style="count", title="Customers",
    )  # fmt: skip
    figure["layout"]["xaxis"]["tickangle"] = 0
    top = max(rows, key=lambda row: row["customers"])
    alt = (
        f"Customers by recency and frequency score, 5 is best; most are at recency "
        f"{top['r_score']}, frequency {top['f_score']}: {shown(top['customers'], 'count')}."
    )
    table = Table.of(
        rows, r_score="Recency score", f_score="Frequency score", customers="Customers|count",
        monetary="Mean amount spent|amount", segment="Most are",
    )  # fmt: skip
    return Chart(key, title, figure, alt, table, "All customers with orders.")


def overlap(shop: Shop) -> Chart | Absent:
    """Learned segments against RFM segments."""
    key, title = "overlap", "Learned segments and RFM segments"
    missing = shop.lacks("rfm_segments")
    if missing:
        return Absent(key, title, missing)
    rows = shop.query(
        OVERLAP.format(
            customer_segments=shop.table("customer_segments"),
            rfm_segments=shop.table("rfm_segments"),
        )
    )
    if not rows:
        return Absent(key, title, "No customer is in both.")
    there = {row["segment_key"] for row in rows}
    keys = [item for item in shop.names if item in there]
    kinds = sorted({row["rfm_segment"] for row in rows}, key=lambda kind: -sum(
        row["customers"] for row in rows if row["rfm_segment"] == kind))  # fmt: skip
    share = {(row["segment_key"], row["rfm_segment"]): row["share"] for row in rows}
    values = [[share.get((item, kind), 0.0) for item in keys] for kind in kinds]
    figure = heatmap(
        [shop.name(item) for item in keys], kinds, values, style="share", span=(0, 1),
        texts=[[f"{100 * value:.0f}" for value in row] for row in values],
    )  # fmt: skip
    best = max(rows, key=lambda row: row["share"])
    alt = (
        f"RFM segments within each learned segment: {shown(best['share'], 'share')} of "
        f"{shop.name(best['segment_key'])} are {best['rfm_segment']}."
    )
    table = Table.of(
        [{**row, "segment_name": shop.name(row["segment_key"])} for row in rows],
        segment_name="Segment", rfm_segment="RFM segment", customers="Customers|count",
        share="Share of the segment|share", share_of_rfm="Share of the RFM segment|share",
    )  # fmt: skip
    return Chart(key, title + ", % of the learned segment", figure, alt, table,
                 "All customers in both; columns sum to 100.")  # fmt: skip
