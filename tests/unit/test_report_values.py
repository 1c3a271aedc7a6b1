"""How the report writes a value: few digits, and a dash where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from segql.report.contents import shown


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (None, "count", "–"),
        (float("nan"), "decimal", "–"),
        (0.12345, "share", "12.3 %"),
        (1234567.8, "amount", "1,234,568"),
        (12.345, "amount", "12.35"),
        (-5, "signed", "−5"),
        (0.00012345, "decimal", "0.000123"),
        (1234.5, "decimal", "1,234"),
        (True, "flag", "yes"),
        ("a", "count", "a"),
    ],
)
def test_values_are_written_as_readers_expect(value: Any, style: str, text: str) -> None:
    assert shown(value, style) == text
