"""The dendrogram of the report: the last merges of a hierarchical model, segments by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segql.report.contents import Absent, Chart, Column, Figure, Table, shown
from segql.report.figures import axis, bound, height, line
from segql.report.reading import Shop

#: Leaves of a truncated dendrogram, unless there are more segments.
LEAVES = 24


@dataclass
class Node:
    """A branch that is drawn.

    Attributes
    ----------
    number : int
        In scipy's numbering.
    segment_id : int or None
        The segment that all of its leaves are in.
    """

    number: int
    height: float
    size: float
    y: float
    segment_id: int | None


def dendrogram(shop: Shop) -> Chart | Absent:
    """Draw the merges from the root down; the rest of the tree is leaves."""
    key, title = "dendrogram", "Dendrogram"
    merges = shop.kept("dendrogram", "merge")
    if not merges:
        return Absent(key, title, f"It belongs to hierarchical models; {shop.kind}.")
    keys = shop.keys
    k = int(shop.current["k"])
    leaves = len(merges) + 1
    drawn = min(max(LEAVES, k), leaves)
    # Merges in order of height: the last k − 1 join segments, the last `drawn` − 1 are drawn.
    children = {leaves + place: (row["left"], row["right"]) for place, row in enumerate(merges)}
    # A registry of an earlier segql does not say which branch is which segment.
    segments = {
        row[side]: row.get(f"{side}_segment_id") for row in merges for side in ("left", "right")
    }
    heights = {leaves + place: row["height"] for place, row in enumerate(merges)}
    weights = {leaves + place: row["size"] for place, row in enumerate(merges)}
    root = leaves + len(merges) - 1
    open_until, cut_at = root - (drawn - 1), root - (k - 1)
    order: list[Node] = []
    lines: list[dict[str, Any]] = []

    # A loop, not recursion: a chain of merges can be as deep as there are leaves.
    placed: dict[int, Node] = {}
    stack = [(root, False)]
    while stack:
        number, is_done = stack.pop()
        segment_id = segments.get(number)
        if number <= open_until:
            node = Node(number, 0.0, weights.get(number, 1.0), len(order), segment_id)
            order.append(node)
            placed[number] = node
        elif not is_done:
            left, right = children[number]
            stack += [(number, True), (right, False), (left, False)]
        else:
            left, right = (placed[child] for child in children[number])
            middle = (left.y + right.y) / 2
            node = Node(number, heights[number], weights[number], middle, segment_id)
            placed[number] = node
            colour = "@ink" if segment_id is None else shop.colour(keys.get(segment_id, ""))
            lines.append(
                line("", [left.height, node.height, node.height, right.height],
                     [left.y, left.y, right.y, right.y], colour, marks=None, hoverinfo="skip")
            )  # fmt: skip
    labels = [
        f"{shop.name(keys[node.segment_id])} ({shown(node.size, 'count')})"
        if node.segment_id in keys else shown(node.size, "count")
        for node in order
    ]  # fmt: skip
    between = (heights.get(cut_at, 0.0) + heights[cut_at + 1]) / 2 if k > 1 else heights[root]
    figure: Figure = {
        "data": lines,
        "layout": {
            "height": height(len(order)), "showlegend": False,
            "shapes": [bound(between, f"{k} segments")] if k > 1 else [],
            "xaxis": axis("Height of the merge", range=[heights[root] * 1.03, 0]),
            "yaxis": axis(tickvals=list(range(len(order))), ticktext=labels, showgrid=False,
                          side="right", range=[len(order) - 0.5, -0.5]),
        },
    }  # fmt: skip
    alt = f"The last {drawn - 1} of {len(merges)} merges; {k} segments are left where it is cut."
    table = Table(
        [Column("Merge", "count"), Column("Height", "decimal"), Column("Weight", "count")],
        [[row["merge"], row["height"], row["size"]] for row in merges[-(drawn - 1) :]],
    )
    note = f"Truncated to {drawn} branches of {leaves} leaves; numbers are the weight of a branch."
    return Chart(key, title, figure, alt, table, note, is_wide=True)
