"""Fifth part of the report: whether to trust the segments, and on what all of it rests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segql.report.contents import Absent, Chart, Column, Figure, Part, Row, Sheet, Table, shown
from segql.report.figures import axis, bars, bound, extra, height, line
from segql.report.reading import ALGORITHMS, Shop
from segql.report.statements import SILHOUETTES
from segql.report.trees import dendrogram

#: Points of a silhouette plot, for each segment.
STEPS = 60
#: Hennig's bounds of the bootstrap Jaccard, and the usual ones of the stability index.
JACCARDS = ((0.6, "0.6"), (0.85, "0.85 stable"))
DRIFTS = ((0.1, "0.1 watch"), (0.25, "0.25 refit"))
NO_MODEL = "There is no model in this database's registry."


def trust(shop: Shop) -> Part:
    """Write the part."""
    items: list[Chart | Sheet | Absent] = [
        stability(shop),
        elbow(shop),
        silhouettes_by_k(shop),
        silhouettes(shop),
        dendrogram(shop),
        k_distances(shop),
        drift(shop),
        *backtest(shop),
        readiness(shop),
        quality(shop),
        samples(shop),
    ]
    lead = []
    reason = shop.current.get("reason")
    if reason:
        lead.append(f"Why so many segments: {reason.rstrip('.')}.")
    if shop.current.get("prefers_one"):
        lead.append("The gap statistic prefers one segment: these segments are not to be trusted.")
    return Part("trust", "Trust", lead, items=items)


def stability(shop: Shop) -> Chart | Absent:
    """Bootstrap Jaccard of each segment."""
    key, title = "stability", "Do the segments come back?"
    missing = shop.lacks("segment_trust")
    if missing:
        return Absent(key, title, missing)
    rows = [row for row in shop.mart("segment_trust", "jaccard desc nulls last, segment_key")
            if row["jaccard"] is not None]  # fmt: skip
    if not rows:
        return Absent(key, title, "Stability was not measured: the model is of an earlier segql.")
    figure = bars(
        [row["segment_name"] for row in rows],
        [("Jaccard", [row["jaccard"] for row in rows],
          ["@bad" if row["is_trusted"] is False else "@good" for row in rows])],
        title="Mean Jaccard over bootstraps", style="decimal",
        shapes=[bound(value, words) for value, words in JACCARDS],
    )  # fmt: skip
    figure["layout"]["xaxis"] |= {"range": [0, 1.05]}
    worst = rows[-1]
    alt = (
        f"Least stable is {worst['segment_name']}, Jaccard {worst['jaccard']:.2f}: "
        f"{worst['verdict']}."
    )
    table = Table.of(
        rows, segment_name="Segment", verdict="Verdict", jaccard="Jaccard|decimal",
        silhouette="Silhouette|decimal", share="Share now|share", fitted_share="Share at fit|share",
        reason="Why",
    )  # fmt: skip
    first = rows[0]
    note = (
        f"{shown(first['bootstraps'], 'count')} bootstraps of "
        f"{shown(first['bootstrap_rows'], 'count')} of {shown(first['input_rows'], 'count')} "
        "customers; below 0.6 a segment is not to be trusted."
    )
    return Chart(key, title, figure, alt, table, note)


def _trials(shop: Shop) -> list[Row]:
    return shop.kept("trials", "k")


def _trial_table(rows: Sequence[Row]) -> Table:
    return Table.of(
        rows, k="k|count", inertia="Inertia|decimal", silhouette="Silhouette|decimal",
        davies_bouldin="Davies-Bouldin|decimal", calinski_harabasz="Calinski-Harabasz|decimal",
        gap="Gap|decimal", stability="Bootstrap Jaccard|decimal",
        smallest_share="Smallest segment|share", is_elbow="Elbow|flag", chosen="Chosen|flag",
    )  # fmt: skip


def _by_k(shop: Shop, key: str, title: str, name: str, label: str) -> Chart | Absent:
    rows = [row for row in _trials(shop) if row[name] is not None]
    if len(rows) < 2:
        how = shop.current.get("algorithm")
        reason = NO_MODEL
        if how in ("dbscan", "hdbscan"):
            reason = f"{ALGORITHMS[how]} finds the number of segments itself: no k was tried."
        elif how:
            reason = f"One k only was asked for: k = {shop.current['k']}."
        return Absent(key, title, reason)
    k = [row["k"] for row in rows]
    low, high = ([row[f"{name}_{end}"] for row in rows] for end in ("low", "high"))
    data = [line(label, k, [row[name] for row in rows], "@0")]
    if all(value is not None for value in [*low, *high]):
        band = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip",
                "showlegend": False}  # fmt: skip
        data = [band | {"x": k, "y": high},
                band | {"x": k, "y": low, "fill": "tonexty", "fillcolor": "@0/0.2"},
                *data]  # fmt: skip
    chosen = next((row for row in rows if row["chosen"]), None)
    found = next((row["k"] for row in rows if row["is_elbow"]), None)
    shapes = []
    if chosen is not None:
        shapes.append(bound(chosen["k"], f"chosen: {chosen['k']}", colour="@ink"))
    figure: Figure = {
        "data": data,
        "layout": {"height": 360, "showlegend": False, "shapes": shapes,
                   "xaxis": axis("k", dtick=1), "yaxis": axis(label)},
    }  # fmt: skip
    elbow_said = "there is no elbow" if found is None else f"the elbow is at k = {found}"
    best = max(rows, key=lambda row: -1.0 if row["silhouette"] is None else row["silhouette"])
    alt = f"{label} by k from {k[0]} to {k[-1]}: {elbow_said}; silhouette is best at {best['k']}."
    if chosen is not None:
        alt += f" Chosen: {chosen['k']}."
    sampled = shown(shop.current.get("coreset_rows"), "count")
    exact = shop.current.get("is_exact")
    note = (
        f"On all {sampled} customers." if exact else
        f"On a weighted sample of {sampled} of {shown(shop.current.get('row_count'), 'count')} "
        "customers, with 95 % intervals."
    )  # fmt: skip
    if found is not None and found != best["k"]:
        note += f" Elbow ({found}) and silhouette ({best['k']}) disagree; both are shown."
    return Chart(key, title, figure, alt, _trial_table(rows), note)


def elbow(shop: Shop) -> Chart | Absent:
    """Inertia by k."""
    return _by_k(shop, "elbow", "Elbow: inertia by k", "inertia", "Inertia")


def silhouettes_by_k(shop: Shop) -> Chart | Absent:
    """Silhouette by k."""
    return _by_k(shop, "silhouette-k", "Silhouette by k", "silhouette", "Silhouette")


def silhouettes(shop: Shop) -> Chart | Absent:
    """How clearly customers belong to their segment, customer by customer."""
    key, title = "silhouette", "How clearly customers belong"
    rows = shop.query(
        SILHOUETTES.format(steps=STEPS, customer_segments=shop.table("customer_segments"))
    )
    if not rows:
        return Absent(
            key, title, "No customer has a confidence: there is one segment, or noise only."
        )
    there = {row["segment_key"] for row in rows}
    keys = [item for item in shop.names if item in there]
    count = {row["segment_key"]: row["customers"] for row in rows}
    data, middles, start = [], [], 0.0
    whole = sum(count.values())
    for item in keys:
        own = [row["confidence"] for row in rows if row["segment_key"] == item]
        size = count[item] / whole
        y = [start + size * (place + 0.5) / len(own) for place in range(len(own))]
        middles.append(start + size / 2)
        hover = "%{x:.2f}" + extra(shop.name(item))
        data.append(
            line(shop.name(item), [0, *own, 0], [y[0], *y, y[-1]], shop.colour(item), marks=None,
                 fill="toself", hovertemplate=hover)
        )  # fmt: skip
        start += size + 0.02
    figure: Figure = {
        "data": data,
        "layout": {
            "height": max(360, height(len(keys))), "showlegend": False,
            "xaxis": axis("0: on the border, 1: at the centroid", range=[0, 1]),
            "yaxis": axis(tickvals=middles, ticktext=[shop.name(item) for item in keys],
                          showgrid=False, range=[start, 0]),
        },
    }  # fmt: skip
    mean = {
        item: [row["confidence"] for row in rows if row["segment_key"] == item] for item in keys
    }
    means = {item: sum(values) / len(values) for item, values in mean.items()}
    worst = min(means, key=lambda item: means[item])
    alt = (
        f"Customers of each segment from the clearest to the least clear; {shop.name(worst)} is "
        f"least clear, {means[worst]:.2f} on average."
    )
    exact = {row["segment_key"]: row["silhouette"] for row in shop.kept("segments", "segment_key")}
    table = Table(
        [Column("Segment"), Column("Customers", "count"), Column("Mean, this chart", "decimal"),
         Column("Tenth least clear, up to", "decimal"), Column("Silhouette at the fit", "decimal")],
        [[shop.name(item), count[item], means[item],
          mean[item][min(len(mean[item]) - 1, int(0.9 * len(mean[item])))], exact.get(item)]
         for item in keys],
    )  # fmt: skip
    note = (
        f"All {shown(whole, 'count')} scored customers, in up to {STEPS} steps a segment: "
        "(distance to the next centroid − distance to the own) ÷ the former, the simplified "
        "silhouette. The table has the silhouette at the fit, by squared distances, too."
    )
    return Chart(key, title, figure, alt, table, note)


def k_distances(shop: Shop) -> Chart | Absent:
    """Distance to the k-th neighbour, the customers in order."""
    key, title = "k-distance", "k-distance plot"
    rows = shop.kept("k_distances", '"position"')
    if not rows:
        return Absent(key, title, f"It belongs to DBSCAN and HDBSCAN; {shop.kind}.")
    found = shop.kept("diagnostics", "diagnostic")
    eps = next((row["numerical_value"] for row in found if row["diagnostic"] == "eps"), None)
    figure: Figure = {
        "data": [line("Distance", [row["share"] for row in rows],
                      [row["distance"] for row in rows], "@0", marks=None)],
        "layout": {"height": 360, "showlegend": False,
                   "shapes": [bound(eps, f"eps {eps:.3g}", upright=False)] if eps else [],
                   "xaxis": axis("Share of the customers", "share"),
                   "yaxis": axis("Distance to the min_samples-th neighbour")},
    }  # fmt: skip
    alt = "Distances to the min_samples-th neighbour in order"
    alt += f"; eps is {eps:.3g}." if eps else "."
    table = Table.of(rows[:: max(1, len(rows) // 30)], share="Share of customers|share",
                     distance="Distance|decimal")  # fmt: skip
    return Chart(key, title, figure, alt, table, "Every so-manieth point of the curve is listed.")


def drift(shop: Shop) -> Chart | Absent:
    """How far customers have moved since the fit."""
    key, title = "drift", "Drift since the fit"
    missing = shop.lacks("segment_readiness")
    if missing:
        return Absent(key, title, missing)
    rows = [row for row in shop.mart("segment_readiness", "value desc nulls last, name")
            if row["kind"] == "drift" and row["value"] is not None]  # fmt: skip
    if not rows:
        return Absent(key, title, "Drift was not measured: the registry has no distributions.")
    limit = DRIFTS[-1][0]
    figure = bars(
        [row["name"].removeprefix("psi of ") for row in rows],
        [("PSI", [row["value"] for row in rows],
          ["@bad" if row["value"] >= limit else "@good" for row in rows])],
        title="Population stability index", style="decimal",
        shapes=[bound(value, words) for value, words in DRIFTS],
    )  # fmt: skip
    figure["layout"]["xaxis"] |= {"range": [0, max(0.3, 1.1 * rows[0]["value"])]}
    alt = f"Most drift: {rows[0]['name']}, {rows[0]['value']:.3f}."
    table = Table.of(rows, name="What", value="PSI|decimal", bound="Bound|decimal",
                     is_met="Kept|flag", reason="In words")  # fmt: skip
    return Chart(key, title, figure, alt, table, "All customers, against those of the fit.")


def backtest(shop: Shop) -> list[Chart | Sheet | Absent]:
    """What segments of the past have said about what came next."""
    key, title = "backtest", "Backtest: did segments of the past tell what came next?"
    missing = shop.lacks("segment_backtest")
    rows = shop.mart("segment_backtest", "segmentation")
    if missing or not rows:
        return [Absent(key, title, missing or "segment_backtest has no rows.")]
    measured = [row for row in rows if row["eta_squared"] is not None]
    if not measured:
        return [Absent(key, title, rows[0]["verdict"] or rows[0]["status"])]
    words = {"segments": "Learned segments", "rfm_quintiles": "RFM groups, as many",
             "rfm_segments": "RFM segments", "everybody": "No segments"}  # fmt: skip
    order = [name for name in words if name in {row["segmentation"] for row in measured}]
    found = {row["segmentation"]: row for row in measured}
    names = [f"{words[name]} ({found[name]['segments']})" for name in order]
    data: list[tuple[str, list[Any], Any]] = [
        ("Spend explained (eta²)", [found[name]["eta_squared"] for name in order], "@0"),
    ]
    if any(found[name]["hit_rate_at_10"] is not None for name in order):
        data += [
            ("Hit rate of 10 recommendations", [found[name]["hit_rate_at_10"] for name in order],
             "@2"),
            ("Hit rate of the 10 most popular",
             [found[name]["popular_hit_rate_at_10"] for name in order], "@rest"),
        ]  # fmt: skip
    figure = bars(names, data, title="Share", style="share")
    first = measured[0]
    table = Table.of(
        [found[name] for name in order], segmentation="Segmentation", segments="Segments|count",
        eta_squared="Spend explained (eta²)|decimal",
        top_revenue_share="Revenue of the top fifth|share", lift="Lift|decimal",
        gini="Gini|decimal", hit_rate_at_10="Hit rate at 10|share",
        popular_hit_rate_at_10="Popular at 10|share", customers="Customers|count",
        buyers="Buyers measured|count",
    )  # fmt: skip
    note = (
        f"Fitted on what was known at {shown(first['past_date'])}, compared with the "
        f"{first['horizon_days']} days after it; {shown(first['customers'], 'count')} customers"
    )
    if first["buyers"]:
        note += (
            f", recommendations on {shown(first['buyers'], 'count')} of "
            f"{shown(first['all_buyers'], 'count')} buyers of something new"
        )
    return [Chart(key, title, figure, first["verdict"], table, note + ".", is_wide=True)]


def readiness(shop: Shop) -> Sheet | Absent:
    """Checks of rows, history, repeat buyers, noise and the fit."""
    key, title = "readiness", "Is there enough to go on?"
    missing = shop.lacks("segment_readiness")
    if missing:
        return Absent(key, title, missing)
    rows = [row for row in shop.mart("segment_readiness", "kind, name") if row["kind"] != "drift"]
    table = Table.of(rows, name="Check", value="Figure|decimal", bound="Bound|decimal",
                     is_met="Kept|flag", reason="In words")  # fmt: skip
    return Sheet(key, title, table)


def quality(shop: Shop) -> Sheet | Absent:
    """Which order lines were used, and why the others were not."""
    key, title = "quality", "Which order lines were used"
    missing = shop.lacks("data_quality")
    if missing:
        return Absent(key, title, missing)
    rows = shop.mart("data_quality", "is_flag, order_lines desc, reason")
    table = Table.of(rows, reason="Reason", source="Source", is_flag="Flag only|flag",
                     order_lines="Order lines|count", amount="Amount|amount")  # fmt: skip
    return Sheet(key, title, table, "Rows that are no flags sum to the lines read.")


def samples(shop: Shop) -> Sheet | Absent:
    """On how many rows everything rests, and what was limited."""
    key, title, now = "samples", "On what this rests", shop.current
    if not now:
        return Absent(key, title, NO_MODEL)
    measured = next(iter(shop.trust.values()), {})
    rows: list[list[Any]] = [
        ["Model", f"{now['model_name']}, version {now['model_version']}, {now['algorithm']}"],
        ["Fitted", f"{shown(now['fitted_at'])}, in {shown(now['seconds'], 'decimal')} s"],
        ["Customers of the fit", shown(now["row_count"], "count")],
        ["Customers that could not be scored", shown(now["unscorable_count"], "count")],
        ["Sample in which segments were looked for",
         "all customers" if now["is_exact"] else shown(now["coreset_rows"], "count")],
        ["Bootstraps of the stability", f"{shown(measured.get('bootstraps'), 'count')} of "
         f"{shown(measured.get('bootstrap_rows'), 'count')} customers"],
        ["Share of noise", shown(now["noise_share"], "share")],
        ["Seed", str(now["seed"])],
        ["Digest of the input", str(now["input_hash"])],
        ["Versions", f"segql {now['segql_version']}, DuckDB {now['duckdb_version']}"],
        *(["Limited", text] for text in now.get("caps") or []),
    ]  # fmt: skip
    return Sheet(key, title, Table([Column("What"), Column("Figure")], rows))
