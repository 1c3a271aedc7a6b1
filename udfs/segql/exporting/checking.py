"""Read an exported text back in its dialect, and refuse functions that the engine lacks.

sqlglot prints a function that a dialect does not know as it is, without a word.
"""

from __future__ import annotations

from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as Grammar
from sqlglot.errors import SqlglotError

from segql.errors import SegqlError
from segql.exporting.dialects import Dialect

#: Words before a parenthesis that call nothing: grammar, and types with a length.
WORDS = frozenset(
    [
        "ALL",
        "AND",
        "ANY",
        "AS",
        "BETWEEN",
        "BY",
        "CASE",
        "CAST",
        "DISTINCT",
        "ELSE",
        "END",
        "EXISTS",
        "FROM",
        "IN",
        "IS",
        "JOIN",
        "KEY",
        "LIKE",
        "NOT",
        "ON",
        "OR",
        "OVER",
        "RETURN",
        "SELECT",
        "THEN",
        "UNION",
        "USING",
        "VALUES",
        "WHEN",
        "WHERE",
        "NULLABLE",
        "NVARCHAR",
        "VARBINARY",
        "VARCHAR",
        "DECIMAL",
        "NUMERIC",
        "CHAR",
        "BINARY",
    ]
)


def called(text: str, dialect: Dialect) -> set[str]:
    """Names of the functions that a text calls, in capitals."""
    tokens = Grammar.get_or_raise(dialect.name).tokenize(text)
    quoted = ("IDENTIFIER", "STRING", "NATIONAL_STRING")
    names = {
        token.text.upper()
        for token, following in pairwise(tokens)
        if following.token_type.name == "L_PAREN" and token.token_type.name not in quoted
    }
    return {name for name in names if name.isidentifier()} - WORDS


def check(text: str, dialect: Dialect) -> str:
    """Give the text back when its dialect reads it and has every function that it calls.

    Raises
    ------
    SegqlError
        With the function that is missing, or what could not be read.
    """
    lacking = sorted(called(text, dialect) - dialect.functions)
    if lacking:
        raise SegqlError(
            f"this model is not possible in {dialect.name} because that has no function "
            f"{', '.join(lacking)}; use dialect 'duckdb'"
        )
    try:
        parsed = sqlglot.parse_one(text, dialect=dialect.name)
    except SqlglotError as error:
        raise SegqlError(
            f"this model is not possible in {dialect.name} because its text cannot be read back "
            f"there: {str(error).splitlines()[0]}; use dialect 'duckdb'"
        ) from error
    if isinstance(parsed, exp.Command):
        raise SegqlError(f"this model's text is no statement that can be read in {dialect.name}")
    return text
