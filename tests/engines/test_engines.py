"""A model's SQL on other engines: the labels of every row are DuckDB's."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from adapter import FORMS, Engine, Row
from cases import CASES, ODD_NUMBER, ROWS, Case, Proof, odd_rows

import segql
from segql.learners.density import LEVELS

#: Models of few dimensions, whose cells are a table in DuckDB.
SCORED_BY_A_JOIN = ("odd_cells", "odd_levels", "shop_cells", "shop_levels")
BY_JOIN = tuple(case for case in CASES if case.name in SCORED_BY_A_JOIN)
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
    if (case.name in SCORED_BY_A_JOIN) != (form == "tables") or form not in engine.forms:
        with pytest.raises(segql.SegqlError, match=f"not possible (in {engine.dialect}|for this)"):
            model.sql_statements(engine.dialect, form, relation=table)
        return
    *made, statement = model.sql_statements(engine.dialect, form, relation=table)
    if form in ("query", "tables"):
        for other in made:
            engine.run(other)
        found = ordered(engine.rows(statement))
        assert [row[:3] for row in found] == [row[:3] for row in expected]
        assert [row[4] for row in found] == [row[4] for row in expected]
        assert_near([row[3::2] for row in found], [row[3::2] for row in expected])
    else:
        segment = statement
        if form == "function":
            for other in (*made, statement):
                engine.run(other)
            arguments = ", ".join(engine.quoted(name) for name in model.recipe.names)
            segment = f"{engine.quoted(case.name + '_segment')}({arguments})"
        found = ordered(
            engine.rows(f"select {engine.quoted('id')}, {segment} from {engine.quoted(table)}")
        )
        assert found == [row[:2] for row in expected]


@pytest.mark.parametrize("case", BY_JOIN, ids=lambda case: case.name)
def test_tables_hold_the_very_doubles(engine: Engine, proof: Proof, case: Case) -> None:
    expected = proof.cells(case)
    *made, _ = proof.model(case).sql_statements(engine.dialect, "tables")
    for statement in made:
        engine.run(statement)
    axes = range(1, len(proof.model(case).recipe.features) + 1)
    columns = [f"cell_{axis}" for axis in axes] + [f"point_{axis}" for axis in axes]
    listed = ", ".join(engine.quoted(column) for column in (*columns, "segment_id"))
    found = engine.rows(f"select {listed} from {engine.quoted(f'{case.name}_1_cells')}")
    assert in_order(found) == in_order(expected)


def test_ids_that_are_shared_and_names_that_clash(engine: Engine, proof: Proof) -> None:
    """Every row is scored, whatever its id; columns may be called as those of the tables are."""
    ids = ["a", "a", "A", "a ", None, None, "ä", "b"]
    learned = odd_rows().slice(0, ROWS)
    features = ["level", "cell_1"]
    learned = pa.table(
        {
            "id": learned["id"].cast(pa.string()),
            "level": learned["order"],
            "cell_1": learned[ODD_NUMBER],
        }
    )
    scored = pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "level": learned["level"].slice(0, len(ids)),
            "cell_1": learned["cell_1"].slice(0, len(ids)),
            "place": pa.array(range(len(ids)), pa.int32()),
            "point_1": pa.array([0.5] * len(ids)),
            "segment_id": pa.array([7] * len(ids), pa.int32()),
        }
    )
    proof.con.register("clash_learned", learned)
    proof.con.register("clash", scored)
    model = segql.fit(
        proof.con, "clash_learned", id="id", name="select", features=features, algorithm="dbscan"
    )
    columns = "id, segment_id, segment_key, distance, next_segment_id, confidence"
    expected = segql.predict(proof.con, "select", "clash").project(columns).fetchall()
    engine.load("clash", scored)
    *made, query = model.sql_statements(engine.dialect, "tables", relation="clash")
    for statement in made:
        engine.run(statement)
    found = engine.rows(query)
    assert [row[:3] for row in in_order(found)] == [row[:3] for row in in_order(expected)]
    assert_near([row[3:] for row in in_order(found)], [row[3:] for row in in_order(expected)])


def test_as_many_levels_as_a_fit_gives(engine: Engine, proof: Proof, loaded: Any) -> None:
    """The longest query; the cells of levels that the model lacks are none."""
    case = next(case for case in CASES if case.name == "odd_cells")
    expected, table = proof.expected(case), loaded(case.table)
    model = proof.model(case)
    scorer = replace(model.scorer, levels=model.scorer.levels * LEVELS)  # type: ignore[union-attr, type-var]
    *made, query = replace(model, scorer=scorer).sql_statements(
        engine.dialect, "tables", relation=table
    )
    for statement in made:
        engine.run(statement)
    assert [row[:3] for row in ordered(engine.rows(query))] == [row[:3] for row in expected]


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


def in_order(rows: list[Row]) -> list[Row]:
    """Order rows by all of their values, NULL first."""
    return sorted(
        rows,
        key=lambda row: [(value is not None, value if value is not None else 0) for value in row],
    )


def ordered(rows: list[Row]) -> list[Row]:
    """Order rows by id."""
    return sorted(rows, key=lambda row: row[0])
