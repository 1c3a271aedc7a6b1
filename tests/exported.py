"""Models written down, so that what is exported of them is the same to the letter everywhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from segql.model import Model
from segql.segments import Segment, SegmentRule

GOLDEN = Path(__file__).with_name("golden")
#: One for each algorithm, and k-means on principal components.
NAMES = ("kmeans", "projected", "hierarchical", "hdbscan", "dbscan")


@cache
def written_model(name: str) -> Model:
    """Read a model from what was learned; figures, which no text shows, are none."""
    state = (GOLDEN / "models" / f"{name}.json").read_text(encoding="utf-8")
    parts = Model.parts_from_state(state)
    keys = ["it's", "back\\slash", *(f"S{i}" for i in range(3, 9))]
    segments = [
        Segment(number, keys[number - 1], 1, 0.5, None, None)
        for number in range(1, len(parts["points"]) + 1)
    ]
    feature = parts["recipe"].features[0].name
    rule = SegmentRule(1, 1, "low", f'cast("{feature}" as double) <= 2.5e0', 1, 1, 1, 1.0, 1.0)
    return Model(
        name=name, version=1, segments=segments, metrics={}, trials=[], reason="", iterations=[],
        rules=[rule], **parts,
    )  # fmt: skip
