"""First part of the report: what to decide, a card for each segment, where money is and goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from segql.report.contents import Absent, Card, Chart, Column, Part, Row, Sheet, Table, shown
from segql.report.figures import axis, bars, height, line
from segql.report.movement import changes, moves
from segql.report.reading import Shop

#: Points of the Lorenz curve.
LORENZ_STEPS = 100


def decisions(shop: Shop) -> Part:
    """Write the part."""
    items: list[Chart | Sheet | Absent] = [revenue_shares(shop), lorenz(shop), expected(shop)]
    items += budget(shop)
    items.append(campaigns(shop))
    return Part("decisions", "Decisions", changes(shop), cards(shop), items)


def cards(shop: Shop) -> list[Card]:
    """Write a card for each segment, prospects and noise among them."""
    advice = {
        row["segment_key"]: row
        for row in shop.mart("segment_recommendations")
        if row["segmentation"] == "customer_segments"
    }
    worth = {row["segment_key"]: row for row in shop.mart("segment_value")}
    moved, since = net_changes(shop)
    made = []
    for row in shop.summary:
        key = row["segment_key"]
        facts: list[tuple[str, Any, str]] = [
            ("Customers", row["customers"], "count"),
            ("Share of customers", row["share"], "share"),
            ("Share of revenue", row["revenue_share"], "share"),
            ("Order value", row["average_order_value"], "amount"),
            ("Days since last order", row["days_since_last_order"], "count"),
        ]
        value = worth.get(key)
        if value is not None:
            facts.append(
                (f"Expected revenue, {value['horizon_days']} days", value["expected_revenue"],
                 "amount")
            )  # fmt: skip
        if moved is not None:
            facts.append((f"Change since {shown(since)}", moved.get(key, 0), "signed"))
        todo = advice.get(key, {})
        verdict = shop.trust.get(key, {})
        made.append(
            Card(
                key=key,
                name=shop.name(key),
                colour=shop.colour(key),
                trust=row.get("trust") or "not measured",
                is_trusted=verdict.get("is_trusted"),
                facts=facts,
                action=todo.get("action") or "No action: segment_recommendations has none.",
                detail=_detail(todo),
            )
        )
    return made


def net_changes(shop: Shop) -> tuple[dict[str, int] | None, Any]:
    """Customers that each segment has gained or lost, since when; None while there is one date."""
    rows = moves(shop)
    if not rows:
        return None, None
    net: dict[str, int] = {}
    for row in rows:
        net[row["to_segment"]] = net.get(row["to_segment"], 0) + row["customers"]
        net[row["from_segment"]] = net.get(row["from_segment"], 0) - row["customers"]
    return net, rows[0]["from_date"]


def _detail(todo: Row) -> str:
    parts = [("Offer", "offer_style"), ("Channel", "channel"), ("When", "timing"),
             ("Measure", "measure")]  # fmt: skip
    return " · ".join(f"{label}: {todo[name]}" for label, name in parts if todo.get(name))


def revenue_shares(shop: Shop) -> Chart:
    """Share of customers beside share of revenue."""
    rows = shop.summary
    names = [shop.name(row["segment_key"]) for row in rows]
    figure = bars(
        names,
        [
            ("Customers", [row["share"] for row in rows], "@rest"),
            ("Revenue", [row["revenue_share"] for row in rows],
             [shop.colour(row["segment_key"]) for row in rows]),
        ],
        title="Share of all", style="share",
    )  # fmt: skip
    best = max(rows, key=lambda row: row["revenue_share"] or 0.0)
    alt = (
        f"{shop.name(best['segment_key'])}: {shown(best['revenue_share'], 'share')} of the "
        f"revenue, {shown(best['share'], 'share')} of the customers."
    )
    table = Table.of(
        rows, segment_name="Segment", customers="Customers|count", share="Share of customers|share",
        revenue="Revenue|amount", revenue_share="Share of revenue|share",
        average_order_value="Order value|amount",
    )  # fmt: skip
    return Chart("revenue", "Who brings the revenue", figure, alt, table,
                 "All customers; revenue net of returns.")  # fmt: skip


def lorenz(shop: Shop) -> Chart | Absent:
    """Revenue of the customers who spent least, up to all of them."""
    key, title = "lorenz", "How concentrated revenue is"
    missing = shop.lacks("rfm_segments")
    if missing:
        return Absent(key, title, missing)
    [whole] = shop.query(
        "select count(*) as customers, coalesce(sum(greatest(monetary, 0)), 0) as revenue "
        f"from {shop.table('rfm_segments')} where monetary is not null"
    )
    if not whole["customers"] or not whole["revenue"] > 0:
        return Absent(key, title, "No customer has spent anything.")
    rows = shop.query(
        f"""
        with spent as (
            select
                greatest(monetary, 0) as revenue,
                row_number() over (order by monetary, customer_id) as place
            from {shop.table("rfm_segments")} where monetary is not null
        ),
        steps as (
            select
                ceil(place * {LORENZ_STEPS}.0 / ?)::integer as step,
                count(*) as customers,
                sum(revenue) as revenue,
                sum(revenue * place) as ranked
            from spent group by step
        )
        select
            sum(customers) over (order by step) / ? as customers,
            sum(revenue) over (order by step) / ? as revenue,
            sum(ranked) over () as ranked
        from steps order by step
        """,
        [whole["customers"], whole["customers"], whole["revenue"]],
    )
    count, total = whole["customers"], float(whole["revenue"])
    gini = 2 * float(rows[0]["ranked"]) / (count * total) - (count + 1) / count
    x = [0.0, *(float(row["customers"]) for row in rows)]
    y = [0.0, *(float(row["revenue"]) for row in rows)]
    top = 1 - float(np.interp(0.8, x, y))
    figure = {
        "data": [
            line("Customers", x, y, "@0", marks=None, fill="tozeroy",
                 hovertemplate="%{x:.0%} of customers: %{y:.1%} of revenue<extra></extra>"),
            line("Equal", [0, 1], [0, 1], "@muted", marks=None, dash="dash", hoverinfo="skip"),
        ],
        "layout": {
            "height": 380, "showlegend": False,
            "xaxis": axis("Customers, from those who spent least", "share", range=[0, 1]),
            "yaxis": axis("Share of revenue", "share", range=[0, 1]),
        },
    }  # fmt: skip
    alt = (
        f"The fifth of customers who spent most bring {shown(top, 'share')} of the revenue; the "
        f"Gini coefficient is {gini:.2f}."
    )
    tenths = [
        (a, b) for place, (a, b) in enumerate(zip(x, y, strict=True))
        if place % (LORENZ_STEPS // 10) == 0 or place == len(x) - 1
    ]  # fmt: skip
    table = Table(
        [Column("Customers, up to", "share"), Column("Share of revenue", "share")], tenths
    )
    note = (
        f"{shown(count, 'count')} customers with orders; spending below 0 counts as 0; Gini "
        f"{gini:.3f} on all of them."
    )
    return Chart(key, title, figure, alt, table, note)


def expected(shop: Shop) -> Chart | Absent:
    """Revenue that each segment is expected to bring, with its interval."""
    key, title = "expected", "What the next period is expected to bring"
    missing = shop.lacks("segment_value")
    if missing:
        return Absent(key, title, missing)
    order = "expected_revenue desc nulls last, segment_key"
    rows = [row for row in shop.mart("segment_value", order) if row["expected_revenue"] is not None]
    if not rows:
        return Absent(key, title, "No segment has a history to expect anything from.")
    figure = bars(
        [shop.name(row["segment_key"]) for row in rows],
        [("Expected revenue", [row["expected_revenue"] for row in rows],
          [shop.colour(row["segment_key"]) for row in rows])],
        title="Expected revenue", style="amount", texts=False,
        errors=([row["expected_revenue_low"] for row in rows],
                [row["expected_revenue_high"] for row in rows]),
    )  # fmt: skip
    days = rows[0]["horizon_days"]
    alt = (
        f"Most in the next {days} days: {shop.name(rows[0]['segment_key'])}, "
        f"{shown(rows[0]['expected_revenue'], 'amount')} expected."
    )
    table = Table.of(
        rows, segment_name="Segment", customers="Customers|count",
        probability_to_buy="Probability to buy|share", expected_orders="Orders each|decimal",
        average_order_value="Order value|amount", expected_revenue="Expected revenue|amount",
        expected_revenue_low="Low|amount", expected_revenue_high="High|amount",
        expected_profit="Expected profit|amount", margin="Margin|share",
        margin_basis="Margin is", past_customers="Past customers|count", basis="Rests on",
    )  # fmt: skip
    note = (
        f"{days} days, from what such customers did in the last such period; lines are 95 % "
        "intervals; the table says on how many past customers each rests."
    )
    return Chart(key, title, figure, alt, table, note)


def budget(shop: Shop) -> list[Chart | Sheet | Absent]:
    """Where the budget goes, against an even split, and what it is expected to bring."""
    title = "Where the next unit of budget pays"
    missing = shop.lacks("segment_budget")
    rows = shop.mart("segment_budget", "spend desc, segment_key")
    if missing or not rows:
        return [Absent("budget", title, missing or "segment_budget has no rows.")]
    names = [shop.name(row["segment_key"]) for row in rows]
    figure = bars(
        names,
        [
            ("Even split", [row["uniform_spend"] for row in rows], "@rest"),
            ("Proposed", [float(row["spend"]) for row in rows],
             [shop.colour(row["segment_key"]) for row in rows]),
        ],
        title="Spend", style="amount",
    )  # fmt: skip
    total = sum(float(row["spend"]) for row in rows)
    profit = sum(row["incremental_profit"] or 0.0 for row in rows)
    even = sum(row["uniform_profit"] or 0.0 for row in rows)
    alt = (
        f"Of a budget of {shown(total, 'cents')} most goes to {names[0]}; expected incremental "
        f"profit {shown(profit, 'amount')}, {shown(even, 'amount')} by an even split."
    )
    table = Table.of(
        rows, segment_name="Segment", spend="Spend|cents", uniform_spend="Even split|cents",
        incremental_profit_low="Profit, low|amount", incremental_profit="Profit, base|amount",
        incremental_profit_high="Profit, high|amount", roi="ROI|share",
        marginal_return="Next unit brings|decimal", break_even_uplift="Break-even uplift|share",
        uplift="Uplift|share", uplift_basis="Uplift is", worthwhile_spend="Worth spending|cents",
    )  # fmt: skip
    losing = [name for name, row in zip(names, rows, strict=True)
              if row["marginal_return"] is not None and row["marginal_return"] < 1
              and float(row["spend"]) > 0]  # fmt: skip
    note = (
        "Profit is incremental: what a contact adds to what would have been bought anyway, less "
        "all costs. Assumed figures come from the seed marketing_assumptions."
    )
    if losing:
        note += (
            " The last unit spent brings back less than one in "
            f"{shown(len(losing), 'count')} of {len(rows)} segments: see “Worth spending”."
        )
    figure["layout"]["height"] = height(2 * len(names), 110)
    return [Chart("budget", title, figure, alt, table, note, is_wide=True)]


def campaigns(shop: Shop) -> Sheet | Absent:
    """What campaigns with a holdout have measured."""
    key, title = "campaigns", "What campaigns have measured"
    missing = shop.lacks("campaign_uplift")
    rows = shop.mart("campaign_uplift", "uplift desc nulls last, segment_key")
    if missing or not rows:
        reason = "No campaign with a holdout is in the seed campaign_results: uplift is assumed."
        return Absent(key, title, missing or reason)
    table = Table.of(
        rows, segment_name="Segment", campaigns="Campaigns|count", treated="Contacted|count",
        treated_rate="Bought|share", holdout="Held out|count", holdout_rate="Bought anyway|share",
        uplift="Uplift|share", uplift_low="Low|share", uplift_high="High|share",
    )  # fmt: skip
    note = "95 % intervals by Newcombe's method; one that holds 0 shows no effect."
    return Sheet(key, title, table, note)
