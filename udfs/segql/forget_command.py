"""The command segql forget: a customer's rows leave the database and the served file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer

from segql.cli_support import DEFAULT_DATABASE, Database, Json, Yes, opened, print_json, told
from segql.errors import SegqlError
from segql.forgetting import forget, models_of_points, rewrite
from segql.publishing import rewrite_served


@told
def forget_command(
    id: Annotated[str, typer.Argument(help="The id of the customer to forget.")],
    id_column: Annotated[
        list[str] | None, typer.Option(help="An id column that no model has; may be repeated.")
    ] = None,
    schema: Annotated[
        list[str] | None, typer.Option(help="A schema whose tables are segql's; repeatable.")
    ] = None,
    served: Annotated[
        Path | None, typer.Option(help="The served file; by default serve.duckdb beside it.")
    ] = None,
    keep_bytes: Annotated[
        bool, typer.Option("--keep-bytes", help="Do not write the database file anew.")
    ] = False,
    yes: Yes = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Delete a customer's rows from every table of segql, history and the served file included.

    Sources are left alone: delete the customer there too, or the next build brings them back. The
    files are then written anew, so that no byte of the rows stays in them.

    \b
    Example:
      segql forget C00000042 --yes
    """
    with opened(database, writes=False):
        pass
    options: dict[str, Any] = {"id_columns": id_column or (), "schemas": schema or ()}
    given = served is not None
    served = served or database.with_name("serve.duckdb")
    if given and not served.exists():
        raise SegqlError(f"there is no served file {str(served)!r}")
    if not yes:
        typer.confirm(f"Delete all rows of id {id!r} in {str(database)!r}?", abort=True, err=True)
    with opened(database, writes=True) as con:
        deleted = {str(database): forget(con, id, **options)}
        kept = models_of_points(con)
        con.execute("checkpoint")
    failure = None
    if not keep_bytes:
        # Also when no row was left: an earlier run may have ended between the two.
        failure = _rewritten(database)
    if served.exists() and served.resolve() != database.resolve():
        # Its readers hold it open: it is replaced, never changed, and so is its Parquet folder.
        deleted[str(served)] = rewrite_served(served, lambda con: forget(con, id, **options))
    if as_json:
        print_json(
            {"id": id, "deleted": deleted,
             "models_of_points": [dict(zip(("model_name", "model_version", "algorithm"), item,
                                           strict=True)) for item in kept]}
        )  # fmt: skip
    else:
        for file, tables in deleted.items():
            typer.echo(f"{file}: {sum(tables.values())} rows of {len(tables)} tables")
            for table, count in tables.items():
                typer.echo(f"  {table}: {count}")
        for name, version, algorithm in kept:
            typer.echo(
                f"model {name!r} version {version} ({algorithm}) may hold coordinates of single "
                "customers, without ids: fit it again and drop this version to be rid of them"
            )
    if failure is not None:
        raise SegqlError(
            f"the rows are deleted, but {str(database)!r} could not be written anew ({failure}): "
            "free blocks of the file may hold their bytes; accepted: --keep-bytes leaves it so"
        )


def _rewritten(database: Path) -> duckdb.Error | None:
    """Write a file anew; the served file is changed also when DuckDB cannot copy this one."""
    try:
        rewrite(database)
    except duckdb.Error as error:
        return error
    return None
