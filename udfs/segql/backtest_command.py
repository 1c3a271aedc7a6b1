"""segql backtest: the dbt project's backtest on a copy of the warehouse, for any cut or horizon."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
from sqlglot import exp

from segql import sql_text as sql
from segql.cli_support import DEFAULT_DATABASE, Database, Json, opened, print_rows, told
from segql.errors import SegqlError

MART = "segment_backtest"
#: What a table on a screen holds; --json gives every column.
SHOWN = (
    "segmentation", "segments", "eta_squared", "eta_squared_log", "top_revenue_share", "gini",
    "hit_rate_at_10", "popular_hit_rate_at_10",
)  # fmt: skip
#: A hundred years, as the model past_as_of has it.
LONGEST = 36525
#: The events of dbt's log that say why a run has failed.
FAILURES = ("RunResultError", "RunResultFailure", "MainEncounteredError", "MainReportException")


@told
def backtest_command(
    project_dir: Annotated[
        Path, typer.Option(help="The folder of dbt_project.yml.", show_default="here")
    ] = Path(),
    profiles_dir: Annotated[
        Path | None,
        typer.Option(help="The folder of profiles.yml; by default the project's, or above it."),
    ] = None,
    cut: Annotated[
        str | None, typer.Option(help="The date that is known up to, as 2025-09-30.")
    ] = None,
    horizon: Annotated[
        str | None, typer.Option(help="The days after it; by default the project's horizon_days.")
    ] = None,
    dbt_vars: Annotated[
        str, typer.Option("--vars", help="Vars of dbt, as YAML, that the warehouse is built with.")
    ] = "{}",
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Fit segments on the past only and look at the period after it, beside RFM quintiles.

    Runs the dbt project's models of the tag backtest, and what they need, on a copy of the
    warehouse, which stays as it is.

    \b
    Examples:
      segql backtest --project-dir dbt_project
      segql backtest --project-dir dbt_project --horizon 180 --json
      segql backtest --project-dir dbt_project --cut 2025-06-30 --horizon 90
    """
    days = None if horizon is None else _parsed_horizon(horizon)
    day = None if cut is None else _parsed_cut(cut)
    project = _checked_project(project_dir)
    settings = _parsed_vars(dbt_vars)
    with _copied(database, lambda con: settings.update(_period(con, day, days))) as copy:
        _run_dbt(project, _written_profile(project, profiles_dir, copy), settings, copy.parent)
        with duckdb.connect(str(copy), read_only=True) as built:
            _print(built, project, as_json=as_json)


def _parsed_horizon(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= LONGEST:
        raise SegqlError(
            f"horizon got {text!r}; accepted is a whole number of days from 1 to {LONGEST}"
        )
    return int(text)


def _parsed_cut(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SegqlError(f"cut got {text!r}; accepted is a date such as 2025-09-30") from error


def _checked_project(folder: Path) -> Path:
    if importlib.util.find_spec("dbt") is None or importlib.util.find_spec("dbt.cli") is None:
        raise SegqlError("dbt is not installed; accepted: pip install 'segql[dbt]'")
    if not (folder / "dbt_project.yml").is_file():
        raise SegqlError(
            f"project-dir got {str(folder)!r}, which has no dbt_project.yml; accepted: the folder "
            "of a dbt project"
        )
    return folder.resolve()


def _parsed_vars(text: str) -> dict[str, Any]:
    import yaml  # dbt brings it: segql itself needs none.

    try:
        given = yaml.safe_load(text) or {}
    except (yaml.YAMLError, ValueError) as error:
        raise SegqlError(f"vars got {text!r}, which is no YAML") from error
    if not isinstance(given, dict):
        raise SegqlError(f"vars got {text!r}; accepted is a mapping such as {{k: 4}}")
    return given


@contextmanager
def _copied(database: Path, look: Callable[[duckdb.DuckDBPyConnection], None]) -> Iterator[Path]:
    """Look at the file, then copy it under its own name, which views hold."""
    # No writer can open the file until it is copied.
    with opened(database, writes=False) as con:
        look(con)
        folder = Path(tempfile.mkdtemp(prefix=".backtest-", dir=database.resolve().parent))
        copy = folder / database.name
        try:
            shutil.copyfile(database, copy)
            log = database.with_name(f"{database.name}.wal")
            if log.exists():
                shutil.copyfile(log, folder / log.name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    try:
        with duckdb.connect(str(copy)) as built:
            # What the warehouse was left with is not what this run says.
            for schema, name in _tables(built, MART):
                built.execute(f"drop table {_quoted(schema, name)}")
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tables(con: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, str]]:
    return con.execute(
        "select schema_name, table_name from duckdb_tables()"
        " where database_name = current_database() and table_name = ? order by all",
        [name],
    ).fetchall()


def _quoted(schema: str, name: str) -> str:
    return sql.text(exp.table_(name, schema, quoted=True))


def _period(con: duckdb.DuckDBPyConnection, cut: date | None, days: int | None) -> dict[str, Any]:
    """Say the cut and the horizon in the project's own vars."""
    if cut is None:
        return {} if days is None else {"horizon_days": days}
    tables = _tables(con, "as_of")
    if not tables:
        raise SegqlError("cut: the warehouse has no table as_of; accepted: one that dbt has built")
    [schema, name] = tables[0]
    [(latest,)] = con.execute(
        f"select max(as_of_date)::date from {_quoted(schema, name)}"
    ).fetchall()
    known = (latest - cut).days
    length = known if days is None else days
    if not 0 < length <= known:
        asked = "" if days is None else f" with a horizon of {days} days"
        raise SegqlError(
            f"cut got '{cut}'{asked}; accepted is a date whose period ends by the last known day, "
            f"{latest}"
        )
    until = cut + timedelta(days=length)
    return {"as_of_date": until.isoformat(), "horizon_days": length}


def _written_profile(project: Path, given: Path | None, copy: Path) -> Path:
    """Write the project's profile with the copy as its path, so that nothing else is written."""
    import yaml

    name = _profile_name(project)
    places = [project, project.parent, Path.home() / ".dbt"] if given is None else [given]
    for place in places:
        file = place / "profiles.yml"
        profiles = (yaml.safe_load(file.read_text("utf-8")) or {}) if file.is_file() else {}
        if name in profiles:
            break
    else:
        raise SegqlError(
            f"profiles-dir: there is no profile {name!r} in a profiles.yml of "
            + ", ".join(repr(str(place)) for place in places)
        )
    profile = profiles[name]
    for output in profile["outputs"].values():
        output["path"] = str(copy)
    written = copy.with_name("profiles.yml")
    written.write_text(yaml.safe_dump({name: profile}), encoding="utf-8")
    return written.parent


def _profile_name(project: Path) -> str:
    import yaml

    return str(yaml.safe_load((project / "dbt_project.yml").read_text("utf-8")).get("profile"))


def _run_dbt(project: Path, profiles: Path, settings: dict[str, Any], folder: Path) -> None:
    """Run what the tag backtest needs, fitted anew; dbt's own words are the error."""
    arguments = [sys.executable, "-W", "ignore::RuntimeWarning", "-m", "dbt.cli.main"]
    arguments += ["--log-format", "json", "build", "--select", "+tag:backtest", "--full-refresh"]
    arguments += ["--exclude-resource-type", "test", "unit_test"]
    arguments += ["--project-dir", str(project), "--profiles-dir", str(profiles)]
    arguments += ["--vars", json.dumps(settings, default=str)]
    places = {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}
    done = subprocess.run(
        arguments,
        env=os.environ | places | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        failures = dict.fromkeys(_failures(done.stdout))
        raise SegqlError(" ".join(failures) or done.stderr.strip() or "dbt has failed")


def _failures(output: str) -> Iterator[str]:
    for line in output.splitlines():
        try:
            info = json.loads(line)["info"]
        except (ValueError, KeyError, TypeError):
            continue
        if info["name"] in FAILURES:
            text = re.sub(r"\x1b\[[0-9;]*m", "", info["msg"])
            yield from (part for part in map(str.strip, text.splitlines()) if _says(part))


def _says(line: str) -> bool:
    noise = ("> ", "Failure in ", "Encountered an error", "Compilation Error", "Runtime Error")
    return bool(line) and not line.startswith(noise)


def _print(con: duckdb.DuckDBPyConnection, project: Path, *, as_json: bool) -> None:
    tables = _tables(con, MART)
    if not tables:
        raise SegqlError(f"the dbt project {str(project)!r} has no model {MART} with tag backtest")
    [schema, name] = tables[0]
    mart = _quoted(schema, name)
    [(status, verdict, past, until)] = con.execute(
        f"select distinct status, verdict, past_date, next_until from {mart}"
    ).fetchall()
    if status == "too little history":
        raise SegqlError(verdict)
    if as_json:
        print_rows(con.table(mart), as_json=True)
        return
    typer.echo(f"Fitted on what was known on {past}, compared with the days up to {until}:")
    rounded = ", ".join(
        f"round({column}, 4) as {column}" if position > 1 else column
        for position, column in enumerate(SHOWN)
    )
    print_rows(con.sql(f"select {rounded} from {mart}"), as_json=False)
    typer.echo(verdict)
