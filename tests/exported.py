"""Models written down, so that what is exported of them is the same to the letter everywhere."""

from __future__ import annotations

import weakref
from functools import cache
from pathlib import Path

import duckdb

from segql.model import Model
from segql.schema import TABLES
from segql.segments import Segment, SegmentRule

GOLDEN = Path(__file__).with_name("golden")
#: One for each algorithm, k-means on principal components, and cells of two levels.
NAMES = ("kmeans", "projected", "hierarchical", "hdbscan", "dbscan", "levels")
#: Those that are scored by a join with their cells.
BY_CELLS = ("dbscan", "levels")


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
        rules=[rule], home=weakref.ref(cells_home()) if name in BY_CELLS else None, **parts,
    )  # fmt: skip


@cache
def cells_home() -> duckdb.DuckDBPyConnection:
    """Open a registry that holds few cells: some with a segment, some that list points."""
    con = duckdb.connect()
    con.execute(f"create schema segql; create table segql.cells ({TABLES['cells']})")
    point = "{'x': %s, 'y': %s, 'z': 0, 'segment_id': %s}"
    near, far = point % (-0.1, 0.1 + 0.2, 1), point % (1e-130, -2.5e-7, 2)
    noise = point % (0.3, 0.4, -1)
    for name, levels in (("dbscan", 1), ("levels", 2)):
        for level in range(levels):
            con.execute(
                f"""insert into segql.cells values
                ('{name}', 1, 'mark', {level}, 12, -3, 0, 1, null),
                ('{name}', 1, 'mark', {level}, -1, 0, 0, null, [{near}, {far}, {noise}]),
                ('{name}', 1, 'mark', {level}, 0, 7, 0, 2, null),
                ('{name}', 2, 'mark', {level}, 9, 9, 0, 2, null)"""
            )
    return con
