"""The command segql fit-dbt: what a dbt project on Spark segments, learned between selections."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segql.cli_support import DEFAULT_DATABASE, Database, Json, print_json, told
from segql.dbt_spark import fit_segmentations


@told
def fit_dbt_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models to fit; by default every segmentation.")
    ] = None,
    project_dir: Annotated[Path, typer.Option(help="The dbt project.")] = Path(),
    profiles_dir: Annotated[
        Path | None, typer.Option(help="Where profiles.yml is; by default where dbt looks.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="The profile's target, of type spark.")] = None,
    vars: Annotated[str, typer.Option(help="dbt's vars, as YAML.")] = "{}",
    refit: Annotated[
        bool, typer.Option("--refit", help="Learn a new version of what has one.")
    ] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Learn the segmentations of a dbt project on Spark, where dbt itself runs no Python.

    Run it when dbt has built what they read. The models are stored in the DuckDB file, and handed
    to Spark as tables of its schema segql, by which dbt then scores.

    \b
    Examples:
      segql fit-dbt --target spark
      segql fit-dbt customers --refit --project-dir dbt_project --target spark
    """
    arguments = ["--project-dir", str(project_dir), "--vars", vars]
    if profiles_dir is not None:
        arguments += ["--profiles-dir", str(profiles_dir)]
    if target is not None:
        arguments += ["--target", target]
    learned = fit_segmentations(database, arguments, names or (), refit=refit)
    if as_json:
        print_json(
            [
                {"model_name": name, "said": found}
                if isinstance(found, str)
                else {
                    "model_name": name,
                    "model_version": found.version,
                    "k": found.k,
                    "said": found.reason,
                }
                for name, found in learned.items()
            ]
        )
        return
    for name, found in learned.items():
        shown = found if isinstance(found, str) else f"version {found.version}: {found.reason}"
        typer.echo(f"{name}: {shown}")
