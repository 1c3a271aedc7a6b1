"""A model's SQL on other engines: the labels of every row are DuckDB's."""

from __future__ import annotations

import math
from typing import Any

import pytest
from adapter import FORMS, Engine, Row
from cases import CASES, Case, Proof

import segql

#: Models of few dimensions, whose cells are a table in DuckDB.
SCORED_BY_A_JOIN = ("odd_cells",)
#: Models that have rules.
RULED = tuple(case for case in CASES if case.name != "one_segment")
#: Of distance and confidence, which pass through a root and a difference.
PRECISION = 1e-9
#: A distance to the own place is the root of what rounding leaves of zero.
TINY = 1e-12


@pytest.fixture(scope="module")
def loaded(engine: Engine, proof: Proof) -> Any:
    """Load a table once, by its name."""
    done: set[str] = set()

    def load(name: str) -> str:
        if name not in done:
            engine.load(name, proof.table(name))
            done.add(name)
        return name

    return load


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_labels_are_duckdbs(
    engine: Engine, proof: Proof, loaded: Any, form: str, case: Case
) -> None:
    expected = proof.expected(case)
    table = loaded(case.table)
    model = proof.model(case)
    if case.name in SCORED_BY_A_JOIN or form not in engine.forms:
        with pytest.raises(segql.SegqlError, match=f"not possible in {engine.dialect} because"):
            model.sql_statements(engine.dialect, form, relation=table)
        return
    statements = model.sql_statements(engine.dialect, form, relation=table)
    if form == "query":
        found = ordered(engine.rows(statements[0]))
        assert [row[:3] for row in found] == [row[:3] for row in expected]
        assert [row[4] for row in found] == [row[4] for row in expected]
        assert_near([row[3::2] for row in found], [row[3::2] for row in expected])
    else:
        segment = statements[0]
        if form == "function":
            for statement in statements:
                engine.run(statement)
            arguments = ", ".join(engine.quoted(name) for name in model.recipe.names)
            segment = f"{engine.quoted(case.name + '_segment')}({arguments})"
        found = ordered(
            engine.rows(f"select {engine.quoted('id')}, {segment} from {engine.quoted(table)}")
        )
        assert found == [row[:2] for row in expected]


@pytest.mark.parametrize("case", RULED, ids=lambda case: case.name)
def test_rules_are_duckdbs(engine: Engine, proof: Proof, loaded: Any, case: Case) -> None:
    expected = proof.by_rules(case)
    table = loaded(case.table)
    text = proof.model(case).sql(engine.dialect, "rules")
    query = f"select {engine.quoted('id')}, {text} from {engine.quoted(table)}"
    # Rules are plain comparisons: a missing number is no part of them as it is of a model.
    unlike = proof.unlike(case.table)
    assert [row for row in ordered(engine.rows(query)) if row[0] not in unlike] == [
        row for row in expected if row[0] not in unlike
    ]
    assert len(expected) > 2 * len(unlike)


def assert_near(found: list[Row], expected: list[Row]) -> None:
    """NULL is where NULL is expected, and numbers agree."""
    for ours, theirs in zip(found, expected, strict=True):
        for value, wanted in zip(ours, theirs, strict=True):
            assert (value is None) == (wanted is None), (ours, theirs)
            assert wanted is None or math.isclose(value, wanted, rel_tol=PRECISION, abs_tol=TINY), (
                ours,
                theirs,
            )


def ordered(rows: list[Row]) -> list[Row]:
    """Order rows by id."""
    return sorted(rows, key=lambda row: row[0])
