"""The reference page is what the functions say, every example run again."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
from support import ROOT

import segql
from segql.functions.models import FIT_OPTIONS, MODEL_FUNCTIONS
from segql.functions.session import FUNCTIONS
from segql.functions.shared_macros import TABLE_MACROS
from segql.training import DEFAULTS


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """Load the script that writes the page."""
    return runpy.run_path(str(ROOT / "docs" / "build_reference.py"))


def test_the_page_is_up_to_date(reference: dict[str, Any]) -> None:
    """Run `python docs/build_reference.py` when this fails for a good reason."""
    written = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert written == reference["page"]()


def test_everything_is_on_the_page() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for name in (
        *(function.name for function in FUNCTIONS),
        *(function.name for function in MODEL_FUNCTIONS),
        *(f"segql.{macro.name}" for macro in TABLE_MACROS),
    ):
        assert f"### `{name}(" in page, name
    for option in FIT_OPTIONS:
        assert f"- `{option}`:" in page


def test_segql_fit_has_the_options_of_fit() -> None:
    assert set(FIT_OPTIONS) == {*DEFAULTS, "id", "refit"}


def test_declared_example_results_are_those_of_the_page(
    reference: dict[str, Any], con: Any
) -> None:
    segql.register(con)
    for function in FUNCTIONS:
        [row] = con.execute(function.example).fetchall()
        assert row is not None
        assert function.summary.endswith(".")
        assert all(item.description.endswith(".") for item in function.parameters)
