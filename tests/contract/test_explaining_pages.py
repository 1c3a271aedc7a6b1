"""The pages "how it works" and "limits": blocks print what they say, figures are the code's."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import Page, Reader
from support import ROOT

from segql import (
    aggregates,
    cells,
    coreset,
    diagnostics,
    gap,
    recipe,
    rules,
    sample_map,
    sql_text,
    sums,
)
from segql.audience_command import ADS
from segql.clusterers import k_distance
from segql.exporting import tables
from segql.functions import clustering
from segql.learners import density, hierarchical
from segql.steps import encode_onehot

#: Phrases of the page of limits, with figures taken from the code.
LIMITS = {
    f"whole numbers of {sums.SUMMAND_BITS} bits",
    f"DBSCAN up to {density.FETCHED:,} values",
    f"trees up to {hierarchical.EXACT_ROWS:,} rows",
    f"HDBSCAN up to {density.HIERARCHY_ROWS:,} rows",
    f"| {coreset.SIZE:,} rows, weighted (the coreset)",
    f"{diagnostics.BOOTSTRAPS} bootstraps | {diagnostics.BOOTSTRAP_POINTS:,} rows (k-means, ",
    f"| {density.HDBSCAN_ROWS:,} rows (k-means, HDBSCAN)",
    f"{hierarchical.BOOTSTRAP_LEAVES} (trees), {density.DBSCAN_ROWS:,} (DBSCAN)",
    f"| gap statistic | {gap.SAMPLE:,} rows, {gap.REFERENCES} references",
    f"Euclidean distance | {diagnostics.EUCLIDEAN_ROWS:,} rows",
    f"on {rules.FETCHED_ROWS:,} rows and the {rules.FEATURES} most relevant features, "
    f"up to {rules.MOST_SEGMENTS} segments",
    f"{sample_map.MAP_POINTS:,} points, each the mean of {sample_map.FEWEST} customers",
    f'| eps `"auto"` | {k_distance.CURVE_POINTS:,} rows',
    f"{hierarchical.LEAVES_EXACT} of a table of up to {coreset.SIZE:,} rows, "
    f"{hierarchical.LEAVES}\n",
    f"whole up to {cells.LISTED:,} points",
    f"(more than {cells.CROWDED} points)",
    f"| features of a model | {recipe.MAXIMUM_FEATURES:,} |",
    f"| {encode_onehot.DEFAULT_TOP} with a column of their own (`top`), "
    f"{encode_onehot.MAXIMUM_RARE:,} more that share one |",
    f"frequency column | {aggregates.MAXIMUM_LEVELS:,} |",
    f"| characters of a category | {aggregates.LONGEST_LEVEL:,} |",
    f"beyond {sql_text.LARGEST:g} it counts as missing".replace("e+", "e"),
    f"segments by DBSCAN or HDBSCAN | {density.MOST_SEGMENTS:,} |",
    f"`segql_hierarchical` (a list in a query) | {clustering.MOST_LEAVES:,} |",
    f"`--form tables`, written as text | {tables.MOST_ROWS:,} |",
    f"with `--ads` fewer than {ADS} to contact",
}


def test_limits_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert not sorted(phrase for phrase in LIMITS if phrase not in text)


@pytest.mark.parametrize(("name", "runs"), [("how_it_works", 10), ("limits", 1)])
def test_blocks_print_what_the_page_says(tmp_path: Path, name: str, runs: int) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert Reader(folder).follow(Page(ROOT / "docs" / f"{name}.md")) == runs
