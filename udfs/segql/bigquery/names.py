"""Names of BigQuery's models and tables as DuckDB has them."""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp

from segql.errors import SegqlError


def model_name(table: exp.Expr) -> str:
    """Name of a model in the registry: ``dataset.model``; the project is left out.

    Models are stored in the registry of the database that is in use, which stands for the project.
    """
    parts = [part.name for part in table.parts] if isinstance(table, exp.Table) else []
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise SegqlError(
            f"model got {table.sql(dialect='bigquery')}; accepted: model, dataset.model or "
            "project.dataset.model"
        )
    return ".".join(parts[-2:])


def place_tables(statement: exp.Expr, databases: Collection[str]) -> None:
    """Leave out the project of each table, unless a database of that name is attached."""
    lowered = {name.lower() for name in databases}
    for table in statement.find_all(exp.Table):
        if table.args.get("catalog") and table.catalog.lower() not in lowered:
            table.set("catalog", None)
