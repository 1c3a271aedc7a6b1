"""Run BigQuery statements in order: models are created and dropped, the rest is DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
from sqlglot import exp

from segql import sql_text as writing
from segql.bigquery.creating import Wanted, check_new, create_model, drop_model, wanted
from segql.bigquery.dialect import parse
from segql.bigquery.options import plain_value
from segql.bigquery.rewriting import rewritten
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, said
from segql.features import SOURCE


def sql(con: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyRelation | None:
    """Run BigQuery SQL, ML statements included, on DuckDB.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
    text : str
        One statement, or several with a semicolon after each; they run in order, up to the
        first that fails.

    Returns
    -------
    duckdb.DuckDBPyRelation or None
        The rows of the last statement; None when it has none.

    Raises
    ------
    SegqlError
        Naming what cannot be read or done, and what is accepted.
    """
    if not isinstance(text, str):
        raise SegqlError(f"sql got {text!r}; accepted: a text with BigQuery statements")
    engine = DuckDBEngine(con)
    result = None
    for statement in parse(text):
        result = run(engine, statement)
    return result


def run(engine: DuckDBEngine, statement: exp.Expr) -> duckdb.DuckDBPyRelation | None:
    """Run one statement that :func:`parse` has read."""
    if isinstance(statement, exp.Create) and _kind(statement) == "MODEL":
        if not isinstance(statement.expression, exp.Query):
            raise SegqlError("CREATE MODEL has no query; accepted: CREATE MODEL … AS SELECT …")
        if check_new(engine, statement):
            query = writing.text(rewritten(engine, statement.expression))
            create_model(engine, wanted(statement, query))
        return None
    if isinstance(statement, exp.Drop) and _kind(statement) == "MODEL":
        drop_model(engine, statement)
        return None
    if isinstance(statement, exp.Command):
        raise SegqlError(
            f"the statement {statement.this!s} cannot be translated; accepted: queries, CREATE, "
            "INSERT, UPDATE, DELETE, MERGE, DROP, and BigQuery's statements on models"
        )
    translated = writing.text(rewritten(engine, statement))
    try:
        result: duckdb.DuckDBPyRelation | None = engine.connection.sql(translated)
    except duckdb.Error as error:
        raise SegqlError(_told(said(error))) from error
    return result if isinstance(statement, exp.Query) else None


def translated(con: duckdb.DuckDBPyConnection, text: str) -> str:
    """Translate one query to DuckDB's SQL, its ML functions included."""
    statements = parse(text)
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise SegqlError(f"expected one query, got {' '.join(text.split())[:80]!r}")
    return writing.text(rewritten(DuckDBEngine(con), statements[0]))


def create(
    con: duckdb.DuckDBPyConnection, name: str, options: Mapping[str, Any], text: str
) -> None:
    """Learn a model of a query in BigQuery's SQL, its options given by name, as dbt has them."""
    query = translated(con, text)
    given = {str(key).upper(): plain_value(value) for key, value in options.items()}
    create_model(DuckDBEngine(con), Wanted(name, given, None, query))


def _told(message: str) -> str:
    """Say what DuckDB refuses; a feature that the rows lack in segql's words."""
    start = f'Values list "{SOURCE}" does not have a column named "'
    if start in message:
        name = message.split(start)[1].split('"', maxsplit=1)[0]
        return f"the rows lack the column {name!r}, a feature of the model"
    return f"DuckDB: {message}"


def _kind(statement: exp.Expr) -> str:
    return str(statement.args.get("kind") or "").upper()
