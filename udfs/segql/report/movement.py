"""Third part of the report: who moved between segments, and the revenue that moved with them."""

from __future__ import annotations

from collections.abc import Sequence

from segql.report.contents import (
    Absent,
    Chart,
    Column,
    Figure,
    Part,
    Row,
    Sheet,
    Table,
    said_list,
    shown,
)
from segql.report.figures import SYMBOLS, axis, bars, cut, heatmap, line
from segql.report.reading import Shop

#: The ends of transitions that are no segments, as they are said.
ENDS = {"entry": "not yet a customer", "exit": "no longer known"}
ONE_DATE = (
    "The history holds one date only: movement shows after the next run, or at once by "
    "`dbt run --select segment_history segment_transitions --vars '{history_months: 6}'`."
)


def movement(shop: Shop) -> Part:
    """Write the part."""
    items: list[Chart | Sheet | Absent]
    missing = shop.lacks("segment_transitions")
    rows = moves(shop)
    if not rows:
        items = [Absent("flows", "Who moved", missing or ONE_DATE)]
    else:
        items = [flows(shop, rows), matrix(shop, rows), revenue(shop, rows)]
    items.append(sizes(shop))
    return Part("movement", "Movement", items=items)


def moves(shop: Shop) -> list[Row]:
    """Transitions of the learned segments between two dates."""
    return [
        row
        for row in shop.mart("segment_transitions", "customers desc, from_segment, to_segment")
        if row["segmentation"] == "customer_segments" and row["from_date"] is not None
    ]


def changes(shop: Shop) -> list[str]:
    """What changed, in three sentences."""
    rows = moves(shop)
    if not rows:
        best = max(shop.summary, key=lambda row: row["revenue_share"] or 0.0, default=None)
        told = [
            "Nothing can have changed yet: the history holds one date only.",
            f"{shown(sum(row['customers'] for row in shop.summary), 'count')} customers are in "
            f"{len(shop.segments)} segments as of {shown(shop.as_of_date)}.",
        ]
        if best is not None and best["revenue_share"]:
            told.append(
                f"Most revenue: {shop.name(best['segment_key'])}, "
                f"{shown(best['revenue_share'], 'share')}."
            )
        return told
    whole = sum(row["customers"] for row in rows)
    entered = sum(row["customers"] for row in rows if row["from_segment"] == "entry")
    left = sum(row["customers"] for row in rows if row["to_segment"] == "exit")
    moved = [row for row in rows if row["from_segment"] != row["to_segment"]
             and row["from_segment"] != "entry" and row["to_segment"] != "exit"]  # fmt: skip
    count = sum(row["customers"] for row in moved)
    told = [
        f"From {shown(rows[0]['from_date'])} to {shown(rows[0]['to_date'])} "
        f"{shown(count, 'count')} of {shown(whole, 'count')} customers changed segment "
        f"({shown(count / whole, 'share')})."
    ]
    if moved:
        most = moved[0]
        told.append(
            f"Most went from {_end(shop, most['from_segment'])} to "
            f"{_end(shop, most['to_segment'])}: {shown(most['customers'], 'count')}."
        )
    else:
        told.append("Nobody left their segment.")
    told.append(
        f"New in the base: {shown(entered, 'count')}; no longer known: {shown(left, 'count')}."
    )
    return told


def _end(shop: Shop, key: str) -> str:
    return ENDS.get(key) or shop.name(key)


def _ends(shop: Shop, rows: Sequence[Row], side: str, last: str) -> list[str]:
    """Segments on one side, in the order of the report."""
    there = {row[side] for row in rows}
    known = [row["segment_key"] for row in shop.summary if row["segment_key"] in there]
    return known + sorted(there - set(known) - {last}) + ([last] if last in there else [])


def _table(shop: Shop, rows: Sequence[Row]) -> Table:
    return Table(
        [Column("From"), Column("To"), Column("Customers", "count"),
         Column("Share of all", "share"), Column("Share of the segment before", "share"),
         Column("Revenue between the dates", "amount")],
        [[_end(shop, row["from_segment"]), _end(shop, row["to_segment"]), row["customers"],
          row["share"], row["share_of_from_segment"], row["revenue"]] for row in rows],
    )  # fmt: skip


def flows(shop: Shop, rows: Sequence[Row]) -> Chart:
    """Customers from segment to segment, as bands."""
    before = _ends(shop, rows, "from_segment", "entry")
    after = _ends(shop, rows, "to_segment", "exit")
    start = {key: place for place, key in enumerate(before)}
    end = {key: place + len(before) for place, key in enumerate(after)}
    dates = shown(rows[0]["from_date"]), shown(rows[0]["to_date"])
    # Before and after are nodes of their own: a segment that feeds itself would be a circle.
    labels = [f"{cut(_end(shop, key), 20)}, before" for key in before]
    labels += [f"{cut(_end(shop, key), 20)}, now" for key in after]
    figure: Figure = {
        "data": [
            {
                "type": "sankey", "arrangement": "snap",
                "node": {"label": labels, "pad": 14, "thickness": 14,
                         "color": [shop.colour(key) for key in [*before, *after]],
                         "line": {"width": 0}},
                "link": {
                    "source": [start[row["from_segment"]] for row in rows],
                    "target": [end[row["to_segment"]] for row in rows],
                    "value": [row["customers"] for row in rows],
                    "color": [f"{shop.colour(row['from_segment'])}/0.35" for row in rows],
                },
                "textfont": {"size": 12, "color": "@ink"},
            }
        ],
        "layout": {"height": max(420, 46 * max(len(before), len(after)) + 60)},
    }  # fmt: skip
    stayed = sum(row["customers"] for row in rows if row["from_segment"] == row["to_segment"])
    whole = sum(row["customers"] for row in rows)
    alt = (
        f"Bands from the segments of {dates[0]} to those of {dates[1]}: "
        f"{shown(stayed / whole, 'share')} of the customers stayed."
    )
    return Chart("flows", f"Who moved, {dates[0]} to {dates[1]}", figure, alt, _table(shop, rows),
                 "All customers known at either date.", is_wide=True)  # fmt: skip


def matrix(shop: Shop, rows: Sequence[Row]) -> Chart:
    """Where the customers of each segment went, as shares."""
    before = _ends(shop, rows, "from_segment", "entry")
    after = _ends(shop, rows, "to_segment", "exit")
    share = {(row["from_segment"], row["to_segment"]): row["share_of_from_segment"] for row in rows}
    figure = heatmap(
        [_end(shop, key) for key in after],
        [_end(shop, key) for key in before],
        [[share.get((a, b), 0.0) for b in after] for a in before],
        style="share", span=(0, 1),
        texts=[[f"{100 * share.get((a, b), 0.0):.0f}" for b in after] for a in before],
    )  # fmt: skip
    kept = [(key, share.get((key, key), 0.0)) for key in before if key in after]
    alt = "Where the customers of each segment went."
    if kept:
        key, least = min(kept, key=lambda item: item[1])
        alt += f" {shop.name(key)} kept fewest, {shown(least, 'share')}."
    title = "Where they went, % of the segment before"
    note = "Rows sum to 100; all customers known at either date."
    return Chart("matrix", title, figure, alt, _table(shop, rows), note)


def revenue(shop: Shop, rows: Sequence[Row]) -> Chart:
    """Customers and revenue of upgrades and downgrades, by revenue per customer of segments."""
    worth = {row["segment_key"]: (row["revenue"] or 0.0) / max(row["customers"], 1)
             for row in shop.summary}  # fmt: skip
    groups = {name: [0, 0.0] for name in ("Upgraded", "Stayed", "Downgraded", "New", "Left")}
    for row in rows:
        source, target = row["from_segment"], row["to_segment"]
        if source == "entry":
            name = "New"
        elif target == "exit":
            name = "Left"
        elif source == target:
            name = "Stayed"
        else:
            name = "Upgraded" if worth.get(target, 0) > worth.get(source, 0) else "Downgraded"
        groups[name][0] += row["customers"]
        groups[name][1] += row["revenue"] or 0.0
    names = list(groups)
    figure = bars(
        names,
        [("Revenue between the dates", [groups[name][1] for name in names],
          ["@good", "@rest", "@bad", "@0", "@muted"])],
        title="Revenue between the dates", style="amount",
    )  # fmt: skip
    alt = (
        f"{shown(groups['Upgraded'][0], 'count')} customers moved up and spent "
        f"{shown(groups['Upgraded'][1], 'amount')} between the dates; "
        f"{shown(groups['Downgraded'][0], 'count')} moved down and spent "
        f"{shown(groups['Downgraded'][1], 'amount')}."
    )
    table = Table(
        [Column("Movement"), Column("Customers", "count"),
         Column("Revenue between the dates", "amount")],
        [[name, *groups[name]] for name in names],
    )  # fmt: skip
    order = said_list([shop.name(key) for key in sorted(worth, key=lambda k: -worth[k])])
    note = f"Up is towards more revenue per customer; from most to least: {order}."
    return Chart("upgrades", "Upgrades and downgrades", figure, alt, table, note)


def sizes(shop: Shop) -> Chart | Absent:
    """Customers of each segment at each date of the history."""
    key, title = "sizes", "Size of the segments over time"
    missing = shop.lacks("segment_history")
    if missing:
        return Absent(key, title, missing)
    rows = shop.query(
        "select as_of_date, segment_key, count(*) as customers "
        f"from {shop.table('segment_history')} group by all order by as_of_date, segment_key"
    )
    dates = sorted({row["as_of_date"] for row in rows})
    if len(dates) < 2:
        return Absent(key, title, ONE_DATE)
    count = {(row["as_of_date"], row["segment_key"]): row["customers"] for row in rows}
    there = {row["segment_key"] for row in rows}
    keys = [item for item in shop.names if item in there] + sorted(there - set(shop.names))
    figure: Figure = {
        "data": [
            line(shop.name(item), [day.isoformat() for day in dates],
                 [count.get((day, item), 0) for day in dates], shop.colour(item),
                 marks=SYMBOLS[place % len(SYMBOLS)])
            for place, item in enumerate(keys)
        ],
        "layout": {"height": 400, "xaxis": axis(), "showlegend": True,
                   "yaxis": axis("Customers", "count", rangemode="tozero")},
    }  # fmt: skip
    alt = f"Customers of {len(keys)} segments at {len(dates)} dates, {dates[0]} to {dates[-1]}."
    table = Table(
        [Column("Date"), *(Column(shop.name(item), "count") for item in keys)],
        [[day, *(count.get((day, item), 0) for item in keys)] for day in dates],
    )
    return Chart(key, title, figure, alt, table,
                 "All customers; the past is scored by the model of today.")  # fmt: skip
