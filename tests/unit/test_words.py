"""Small things that everything rests on: number literals, error sentences, segment keys."""

from __future__ import annotations

import math
import struct

import duckdb
import numpy as np
import pytest
import sqlglot

from segql import sql_text as sql
from segql.errors import unknown
from segql.keys import first_keys, matched_keys


def test_number_literals_keep_every_bit(con: duckdb.DuckDBPyConnection) -> None:
    """The double that is printed is the double that the engine reads."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**64, 4000, dtype=np.uint64)
    random = [struct.unpack("<d", struct.pack("<Q", int(item)))[0] for item in bits]
    plain = [*rng.normal(0, 1, 2000).tolist(), *(10.0 ** rng.uniform(-20, 20, 2000)).tolist()]
    named = [0.0, 1.0, -1.0, 0.1, 1e22, 1e23, 5e-324, 1.7976931348623157e308, 2.0**53 + 2, 1e100]
    values = [value for value in [*named, *plain, *random] if math.isfinite(value)]
    for start in range(0, len(values), 500):
        part = values[start : start + 500]
        listed = ", ".join(sql.text(sql.number(value)) for value in part)
        read = con.execute(f"select unnest([{listed}]) as v").fetchall()
        assert [row[0] for row in read] == part
        types = con.execute(f"select distinct typeof(unnest([{listed}]))").fetchall()
        assert types == [("DOUBLE",)]


@pytest.mark.parametrize("value", [2.0, 1e-300, 12.345678901234567, -0.5, 1e100])
@pytest.mark.parametrize("dialect", ["duckdb", "snowflake", "bigquery", "spark", "postgres"])
def test_number_literals_are_doubles_in_every_dialect(value: float, dialect: str) -> None:
    text = sql.text(sql.number(value), dialect)
    assert "e" in text.lower()
    assert float(text) == value
    assert sqlglot.parse_one(text, dialect=dialect) is not None


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_number_literals_are_finite(value: float) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        sql.number(value)


@pytest.mark.parametrize("text", ["it's", "''", "\\", "\\'", "--", "/*", "a\nb", "", "ü😀", '"'])
def test_string_and_name_literals_round_trip(con: duckdb.DuckDBPyConnection, text: str) -> None:
    assert con.execute(f"select {sql.text(sql.string(text))}").fetchall() == [(text,)]
    if text:
        name = sql.text(sql.column(text))
        found = con.sql(f"select 1 as {name}").columns
        assert found == [text]


@pytest.mark.parametrize(
    ("given", "near"),
    [("standart", "standard"), ("Robust", "robust"), ("min_max", "minmax"), ("mxabs", "maxabs")],
)
def test_errors_name_the_nearest(given: str, near: str) -> None:
    names = ["none", "standard", "minmax", "robust", "maxabs"]
    message = unknown("scale", given, names)
    assert message == (
        f"unknown scale {given!r}; did you mean {near!r}? (accepted: {', '.join(names)})"
    )


def test_errors_do_not_guess_wildly() -> None:
    assert unknown("scale", "zzz", ["standard"]) == "unknown scale 'zzz' (accepted: standard)"
    assert unknown("model", "m", []) == "unknown model 'm' (accepted: none)"
    assert "'3'" in unknown("column", 3, ["a"])


def test_first_keys() -> None:
    assert first_keys(3) == ["S1", "S2", "S3"]


@pytest.mark.parametrize(
    ("counts", "old", "used", "expected"),
    [
        # The same segments in another order keep their keys.
        ([[0, 90], [60, 0]], ["S1", "S2"], {"S1", "S2"}, ["S2", "S1"]),
        # Jaccard exactly 0.5 is a match: 50 shared of 100.
        ([[50, 0], [0, 100]], ["S1", "S2"], {"S1", "S2"}, ["S1", "S2"]),
        ([[50, 50]], ["S1"], {"S1"}, ["S1", "S2"]),
        # Below it a new key, which no version ever had.
        ([[49, 51]], ["S1"], {"S1", "S2", "S7"}, ["S8", "S1"]),
        ([[30, 30, 40]], ["S4"], {"S1", "S4"}, ["S5", "S6", "S7"]),
        # Fewer segments than before.
        ([[80, 0], [0, 70], [10, 0]], ["S3", "S1", "S2"], {"S1", "S2", "S3"}, ["S3", "S1"]),
        # The pairing of the largest total, not the greedy one, and no key twice.
        ([[60, 50], [55, 0]], ["S1", "S2"], {"S1", "S2"}, ["S3", "S4"]),
        # A first fit.
        (np.zeros((0, 2)), [], set(), ["S1", "S2"]),
        # Foreign keys do not disturb the numbering.
        ([[10, 0], [0, 1]], ["VIP", "noise"], {"VIP", "noise"}, ["VIP", "noise"]),
    ],
)
def test_keys_are_matched(
    counts: list[list[int]], old: list[str], used: set[str], expected: list[str]
) -> None:
    matched = matched_keys(np.array(counts, dtype=float), old, used)
    assert matched == expected
    assert len(set(matched)) == len(matched)
