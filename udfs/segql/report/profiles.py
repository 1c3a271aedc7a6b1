"""Second part of the report: who the segments are."""

from __future__ import annotations

from collections.abc import Sequence

from segql.report.contents import Absent, Chart, Column, Figure, Part, Row, Sheet, Table, shown
from segql.report.figures import (
    DASHES,
    SYMBOLS,
    across,
    axis,
    bars,
    cut,
    extra,
    heatmap,
    height,
    line,
    places,
)
from segql.report.reading import Shop

#: Features and levels that are drawn, those that tell segments apart most; tables have all.
DRAWN_FEATURES, DRAWN_LEVELS, DRAWN_TEXTS = 16, 8, 6
#: Products that are drawn for each segment.
DRAWN_PRODUCTS = 3
#: Colours of a z-score end here: beyond, a segment is as far as it can look.
MOST_Z = 2.5


def profiles(shop: Shop) -> Part:
    """Write the part."""
    items: list[Chart | Sheet | Absent] = []
    missing = shop.lacks("segment_profiles")
    rows = shop.mart("segment_profiles", "feature_rank nulls last, feature, level, segment_key")
    if missing or not rows:
        reason = missing or "segment_profiles has no rows: no customer is in a segment."
        items.append(Absent("profile", "Features of the segments", reason))
    else:
        numbers = [row for row in rows if row["level"] is None]
        learned = [row for row in numbers if row["is_clustered_on"]]
        others = [row for row in numbers if not row["is_clustered_on"]]
        items += [
            _heat(shop, learned, "profile", "What the segments were learned from"),
            _heat(shop, others, "behaviour", "What else sets them apart: behaviour and the rest"),
            _index(shop, numbers),
            _snake(shop, learned),
            *_texts(shop, [row for row in rows if row["level"] is not None]),
        ]
    items += [_products(shop), _rules(shop)]
    return Part("profiles", "Who they are", items=items)


def _features(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["feature"] for row in rows))


def _keys(shop: Shop, rows: Sequence[Row]) -> list[str]:
    there = {row["segment_key"] for row in rows}
    return [row["segment_key"] for row in shop.summary if row["segment_key"] in there]


def _profile_table(rows: Sequence[Row]) -> Table:
    return Table.of(
        rows, segment_name="Segment", feature="Feature", mean="Mean|decimal",
        overall_mean="Mean of all|decimal", index_100="Index|count", z_score="z-score|decimal",
        eta_squared="Variance between segments|share", customers="Customers|count",
    )  # fmt: skip


def _heat(shop: Shop, rows: Sequence[Row], key: str, title: str) -> Chart | Absent:
    features, keys = _features(rows), _keys(shop, rows)
    if not features:
        return Absent(key, title, "There is no such column of numbers in the features.")
    drawn = features[:DRAWN_FEATURES]
    scores = {(row["segment_key"], row["feature"]): row["z_score"] for row in rows}
    values = [[scores.get((item, feature)) for item in keys] for feature in drawn]
    figure = heatmap(
        [shop.name(item) for item in keys], drawn, values, style="decimal", scale="@diverging",
        span=(-MOST_Z, MOST_Z), title="z-score",
        texts=[[f"{value:+.1f}".replace("-", "−") if value is not None else "" for value in line]
               for line in values],
    )  # fmt: skip
    far = max((row for row in rows if row["z_score"] is not None),
              key=lambda row: abs(row["z_score"]), default=None)  # fmt: skip
    alt = "Means of the segments in standard deviations from the mean of all customers."
    if far is not None:
        side = "above" if far["z_score"] > 0 else "below"
        alt += (
            f" Farthest: {shop.name(far['segment_key'])}, {far['feature']} "
            f"{abs(far['z_score']):.1f} {side}."
        )
    note = "All customers in segments; 0 is the mean of all."
    if len(features) > len(drawn):
        note += f" The {len(drawn)} of {len(features)} columns that matter most; the table has all."
    return Chart(key, title, figure, alt, _profile_table(rows), note, is_wide=True)


def _index(shop: Shop, rows: Sequence[Row]) -> Sheet:
    keys = _keys(shop, rows)
    found = {(row["feature"], row["segment_key"]): row["index_100"] for row in rows}
    table = Table(
        [Column("Feature"), *(Column(shop.name(key), "count") for key in keys)],
        [[feature, *(found.get((feature, key)) for key in keys)] for feature in _features(rows)],
    )
    note = "The mean of all customers is 100; empty where that is not positive."
    return Sheet("index", "Index: the average customer is 100", table, note)


def _snake(shop: Shop, rows: Sequence[Row]) -> Chart | Absent:
    key, title = "snake", "The segments side by side"
    features, keys = _features(rows)[:DRAWN_FEATURES], _keys(shop, rows)
    if len(features) < 2:
        return Absent(key, title, "A line needs two features at least.")
    scores = {(row["segment_key"], row["feature"]): row["z_score"] for row in rows}
    figure: Figure = {
        "data": [
            line(shop.name(item), list(range(len(features))),
                 [scores.get((item, feature)) for feature in features], shop.colour(item),
                 dash=DASHES[place % len(DASHES)], marks=SYMBOLS[place % len(SYMBOLS)],
                 hovertemplate="%{y:.2f}" + extra(shop.name(item)))
            for place, item in enumerate(keys)
        ],
        "layout": {"height": 420, "xaxis": across(features), "yaxis": axis("z-score",
                   zeroline=True), "showlegend": True},
    }  # fmt: skip
    alt = f"A line for each of {len(keys)} segments over {len(features)} features, as z-scores."
    return Chart(key, title, figure, alt, _profile_table(rows), "All customers in segments.")


def _texts(shop: Shop, rows: Sequence[Row]) -> list[Chart | Sheet | Absent]:
    """A chart for each text column: the share of each level in each segment."""
    features = _features(rows)
    if not features:
        reason = "No column of texts, such as region or gender, is among the features."
        return [Absent("demographics", "Demographics", reason)]
    return [_mix(shop, feature, [row for row in rows if row["feature"] == feature], place)
            for place, feature in enumerate(features[:DRAWN_TEXTS], start=1)]  # fmt: skip


def _mix(shop: Shop, feature: str, rows: Sequence[Row], place: int) -> Chart:
    keys = _keys(shop, rows)
    names = [shop.name(key) for key in keys]
    levels = list(dict.fromkeys(row["level"] for row in rows))[:DRAWN_LEVELS]
    share = {(row["segment_key"], row["level"]): row["mean"] for row in rows}
    figure: Figure = {
        "data": [
            {
                "type": "bar", "orientation": "h", "name": cut(str(level)),
                "y": list(range(len(keys))), "x": [share.get((key, level)) for key in keys],
                "text": [shown(share.get((key, level)), "share") for key in keys],
                "textposition": "inside", "insidetextanchor": "middle", "textangle": 0,
                "marker": {"color": f"@{number}", "line": {"color": "@ground", "width": 1}},
                "hovertemplate": "%{text}" + extra(str(level)),
            }
            for number, level in enumerate(levels)
        ],
        "layout": {
            "barmode": "stack", "height": height(len(keys), 140), "yaxis": places(names),
            "xaxis": axis("Share of the segment", "share"), "showlegend": True,
            "uniformtext": {"minsize": 9, "mode": "hide"}, "legend": {"traceorder": "normal"},
        },
    }  # fmt: skip
    spread = max(
        levels,
        key=lambda level: (
            max(share.get((key, level)) or 0 for key in keys)
            - min(share.get((key, level)) or 0 for key in keys)
        ),
    )
    most = max(keys, key=lambda key: share.get((key, spread)) or 0)
    alt = (
        f"Mix of {feature}. {spread} differs most: {shown(share.get((most, spread)), 'share')} in "
        f"{shop.name(most)}."
    )
    table = Table.of(
        rows, segment_name="Segment", level=feature, mean="Share of segment|share",
        overall_mean="Share of all|share", index_100="Index|count", customers="Customers|count",
    )  # fmt: skip
    note = "All customers in segments; levels of few customers are “other”."
    everything = len(dict.fromkeys(row["level"] for row in rows))
    if everything > len(levels):
        note += f" {len(levels)} of {everything} levels are drawn; the table has all."
    return Chart(f"mix-{place}", f"Mix: {feature}", figure, alt, table, note)


def _products(shop: Shop) -> Chart | Sheet | Absent:
    key, title = "products", "Top products"
    missing = shop.lacks("segment_products")
    if missing:
        return Absent(key, title, missing)
    rows = shop.mart("segment_products", "segment_key, rank")
    if not rows:
        return Absent(key, title, "There is no source of products, or nobody has bought one.")
    table = Table.of(
        rows, segment_name="Segment", note="What the row says", product_name="Product",
        category="Category", index_100="Index|count", share="Share of buyers|share",
        overall_share="Share of all|share", buyers="Buyers|count", q_value="q-value|decimal",
    )  # fmt: skip
    note = (
        "The index compares distinct buyers, drawn towards 100 where they are few; distinctive "
        "products hold at a false discovery rate, over all segments and products."
    )
    drawn: list[tuple[str, Row]] = []
    for segment in _keys(shop, rows):
        own = [row for row in rows if row["segment_key"] == segment and row["is_distinctive"]]
        drawn += [(segment, row) for row in own[:DRAWN_PRODUCTS]]
    if not drawn:
        return Sheet(key, title, table, "No segment has a distinctive product. " + note)
    names = [f"{cut(shop.name(segment), 18)}: {cut(str(row['product_name']), 24)}"
             for segment, row in drawn]  # fmt: skip
    figure = bars(
        names,
        [("Index", [row["index_100"] for _, row in drawn],
          [shop.colour(segment) for segment, _ in drawn])],
        title="Index, all customers are 100", style="count",
    )  # fmt: skip
    figure["layout"]["yaxis"] |= {"ticktext": names}
    best_segment, best = max(drawn, key=lambda item: item[1]["index_100"])
    alt = (
        f"{best['product_name']} sets {shop.name(best_segment)} apart most, index "
        f"{best['index_100']:.0f}."
    )
    without = [shop.name(segment) for segment in _keys(shop, rows)
               if segment not in {item for item, _ in drawn}]  # fmt: skip
    if without:
        note += f" Without a distinctive product: {', '.join(without)}."
    note += f" Up to {DRAWN_PRODUCTS} a segment are drawn; the table has all."
    return Chart(key, title, figure, alt, table, note, is_wide=True)


def _rules(shop: Shop) -> Sheet:
    table = Table.of(
        shop.segments, segment_name="Segment", rule="Rule",
        rule_coverage="Covers of the segment|share", rule_precision="Precision|share",
    )  # fmt: skip
    note = (
        "Counted on all customers of the fit. Empty where no plain rule tells a segment apart; "
        "segments are assigned by the model, not by these rules."
    )
    return Sheet("rules", "Each segment in a rule", table, note)
