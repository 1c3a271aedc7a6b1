"""Build a warehouse: a dataset's, loaded into `raw`, or a shop's of one's own, where it lies.

A dataset's is built in a temporary folder and takes the target's place only when everything
succeeded. A warehouse that already holds the same dataset, made with the same
parameters from the same files, is kept: dbt then only scores it again. With ``--shop`` nothing is
loaded: a YAML file says where the sources are, and the warehouse is built in its own file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
DATASETS = ROOT / "datasets"
PROJECT = ROOT / "dbt_project"

# A file in this storage version can be opened by every DuckDB client since 1.4.
STORAGE = {"storage_compatibility_version": "v1.4.0"}


class BuildError(Exception):
    """A problem that one line explains."""


@dataclass(frozen=True)
class Source:
    """A dataset with what it is loaded from."""

    folder: Path
    data: Path
    files: list[Path]
    customers: int
    seed: int
    dbt_vars: dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Build what the arguments ask for; 0 on success, 1 with one clear line otherwise."""
    options = parse_arguments(arguments)
    try:
        build_shop(options) if options.shop else build(options)
    except (BuildError, duckdb.Error, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", default="demo", help="a folder of datasets/")
    parser.add_argument("--data", help="the folder of the dataset's files")
    parser.add_argument("--customers", type=int, default=20_000, help="size of the demo shop")
    parser.add_argument("--seed", type=int, default=42, help="seed of the demo shop")
    parser.add_argument(
        "--database", default=os.environ.get("SEGQL_DATABASE") or str(ROOT / "warehouse.duckdb")
    )
    parser.add_argument("--shop", help="a YAML file of dbt vars that says where the sources are")
    parser.add_argument("--vars", default="{}", help="more dbt vars, as YAML")
    return parser.parse_args(arguments)


def build_shop(options: argparse.Namespace) -> None:
    """Build what a shop's own YAML file describes, in the database that it has."""
    file, target = Path(options.shop), Path(options.database).resolve()
    if not file.is_file():
        raise BuildError(f"there is no file {file}; accepted: YAML that says where the sources are")
    try:
        dbt_vars = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BuildError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(dbt_vars, dict) or "order_lines" not in dbt_vars:
        raise BuildError(f"{file} says nothing of order_lines; accepted: a mapping with them")
    # The unit tests are of the project's SQL: no shop changes their rows.
    run_dbt(target, dbt_vars, "--exclude-resource-type", "unit_test")
    print_summary(target)


def build(options: argparse.Namespace) -> None:
    """Load and build the dataset, or only build when the same one is loaded."""
    source = read_source(options)
    target = Path(options.database).resolve()
    signature = sign(source)
    if target.exists() and loaded_signature(target) == signature:
        print(f"{target} holds this dataset already: scoring it again", flush=True)
        run_dbt(target, source.dbt_vars)
    else:
        build_anew(target, source, signature)
    print_summary(target)


def read_source(options: argparse.Namespace) -> Source:
    """Check the options against the dataset's folder and files."""
    if options.customers < 1:
        raise BuildError(f"--customers must be 1 or more, not {options.customers}")
    folder = dataset_folder(options.dataset)
    data = Path(options.data) if options.data else ROOT / "data" / options.dataset
    return Source(
        folder=folder,
        data=data,
        files=source_files(folder, data),
        customers=options.customers,
        seed=options.seed,
        dbt_vars=read_vars(folder, options.vars),
    )


def dataset_folder(dataset: str) -> Path:
    """Find the folder that describes a dataset."""
    known = sorted(path.parent.name for path in DATASETS.glob("*/load.sql"))
    if dataset not in known:
        raise BuildError(f"no dataset {dataset!r}; there are {', '.join(known)}")
    return DATASETS / dataset


def source_files(folder: Path, data: Path) -> list[Path]:
    """List the files that load.sql reads, each of which must exist."""
    text = (folder / "load.sql").read_text(encoding="utf-8")
    names = re.findall(r"getvariable\('data'\) \|\| '/([^']+)'", text)
    files = [data / name for name in dict.fromkeys(names)]
    for file in files:
        if not file.is_file():
            raise BuildError(
                f"{folder.name}: the file {file.name} is not in the folder {data}"
                " (make demo DATA=<folder> names another)"
            )
    return files


def read_vars(folder: Path, more: str) -> dict[str, Any]:
    """Read the dbt vars of a dataset, and add those of the command line."""
    dbt_vars = yaml.safe_load((folder / "vars.yml").read_text(encoding="utf-8")) or {}
    try:
        given = yaml.safe_load(more) or {}
    except (yaml.YAMLError, ValueError) as error:
        raise BuildError(f"--vars is no YAML: {more!r}") from error
    if not isinstance(given, dict):
        raise BuildError(f"--vars must be a mapping, not {more!r}")
    return dbt_vars | given


def sign(source: Source) -> str:
    """Digest all that decides what `raw` holds."""
    digest = hashlib.sha256(f"{source.folder.name}\n".encode())
    digest.update((source.folder / "load.sql").read_bytes())
    for file in source.files:
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    if not source.files:
        digest.update(f"{source.customers} {source.seed}\n".encode())
    return digest.hexdigest()


def loaded_signature(target: Path) -> str | None:
    """Read the signature of an existing warehouse; refuse one that was not made here."""
    with duckdb.connect(str(target), config=STORAGE) as connection:
        marker = connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'raw' and table_name = 'loaded'"
            " and database_name = current_database()"
        ).fetchone()
        if marker is None:
            raise BuildError(
                f"{target} was not made by make demo; set SEGQL_DATABASE to another path"
            )
        row = connection.execute("select signature from raw.loaded").fetchone()
    return row[0] if row else None


def build_anew(target: Path, source: Source, signature: str) -> None:
    """Build the warehouse beside the target and move it there on success."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Views name their catalog, which is the file's name: the file keeps its name here.
    workshop = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    try:
        built = workshop / target.name
        print(f"loading {source.folder.name} …", flush=True)
        load(built, source, signature)
        run_dbt(built, source.dbt_vars)
        with duckdb.connect(str(built), config=STORAGE) as connection:
            connection.execute("checkpoint")
        os.replace(built, target)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def load(database: Path, source: Source, signature: str) -> None:
    """Run the dataset's load.sql and leave the marker, in one transaction."""
    with duckdb.connect(str(database), config=STORAGE) as connection:
        connection.execute("begin")
        connection.execute("set variable data = ?", [str(source.data)])
        connection.execute("set variable customers = ?", [source.customers])
        connection.execute("set variable seed = ?", [source.seed])
        connection.execute("create schema raw")
        connection.execute((source.folder / "load.sql").read_text(encoding="utf-8"))
        connection.execute("create table raw.loaded (dataset varchar, signature varchar)")
        connection.execute("insert into raw.loaded values (?, ?)", [source.folder.name, signature])
        connection.execute("commit")


def run_dbt(database: Path, dbt_vars: dict[str, Any], *more: str) -> None:
    """Run `dbt build`; show its notes, warnings and errors."""
    if not (PROJECT / "dbt_packages" / "segql").exists():
        call_dbt(["deps"], database)
    print("dbt build …", flush=True)
    call_dbt(["build", "--vars", json.dumps(dbt_vars, default=str), *more], database)


def call_dbt(command: list[str], database: Path) -> None:
    """Run one dbt command from the root, with its own messages as the error."""
    arguments = [sys.executable, "-W", "ignore::RuntimeWarning", "-m", "dbt.cli.main"]
    arguments += ["--log-format", "json", *command]
    arguments += ["--project-dir", str(PROJECT), "--profiles-dir", str(ROOT)]
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=os.environ | {"SEGQL_DATABASE": str(database)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    errors = list(show_messages(process.stdout))
    if process.wait() != 0:
        raise BuildError(
            "\n".join(filter(None, dict.fromkeys(errors))) or f"dbt {command[0]} failed"
        )


def show_messages(lines: Iterable[str]) -> Iterator[str]:
    """Print dbt's notes as they come, and yield the texts of its errors."""
    for line in lines:
        try:
            info = json.loads(line)["info"]
        except (ValueError, KeyError, TypeError):
            if line.strip():
                print(line.rstrip(), flush=True)
            continue
        message = plain(info["msg"])
        if info["name"] in ("RunResultError", "RunResultFailure", "MainEncounteredError"):
            yield message
        elif info["name"] in ("JinjaLogInfo", "StatsLine") or info["level"] == "warn":
            print(message, flush=True)


def plain(message: str) -> str:
    """Strip colours, blank lines and dbt's list of macro calls from a message."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", message).splitlines()]
    noise = ("> ", "Failure in ", "Encountered an error", "Compilation Error in ")
    return "\n".join(line for line in lines if line and not line.startswith(noise))


def print_summary(database: Path) -> None:
    """Print the segments as a table, and what to try next."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "select segment_key, segment_name, customers, share, orders, revenue, revenue_share,"
            " average_order_value, days_since_last_order, trust"
            " from marts.segment_summary order by customers desc, segment_key"
        ).fetchall()
        call = scoring_call(connection)

    table = Table(title="Segments")
    table.add_column("key")
    table.add_column("segment", overflow="fold")
    for heading in (
        "customers",
        "share",
        "orders",
        "revenue",
        "of revenue",
        "order value",
        "days since order",
    ):
        table.add_column(heading, justify="right")
    table.add_column("trust", overflow="fold")
    for key, name, customers, share, orders, revenue, revenue_share, value, days, trust in rows:
        table.add_row(
            key,
            name,
            f"{customers:,}",
            f"{share:.1%}",
            f"{orders:,}",
            f"{revenue:,.0f}",
            "" if revenue_share is None else f"{revenue_share:.1%}",
            "" if value is None else f"{value:,.2f}",
            "" if days is None else f"{days:,.0f}",
            trust,
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    print(f"What to try next, in any DuckDB client, on {database}:")
    print("  from segql.predict('customers', 'features.customer_features') limit 5;")
    print(f"  {call};")
    print("  from marts.segment_recommendations;")


def scoring_call(connection: duckdb.DuckDBPyConnection) -> str:
    """Write a call of the model's own function, for a typical customer."""
    features = connection.execute(
        "select input, kind from segql.feature_info('customers') where used order by position"
    ).fetchall()
    pairs = []
    for name, kind in features:
        quoted = '"' + name.replace('"', '""') + '"'
        typical = f"quantile_disc({quoted}, 0.5)" if kind == "number" else f"mode({quoted})"
        row = connection.execute(f"select {typical} from features.customer_features").fetchone()
        if row and row[0] is not None:
            text = str(row[0]).replace("'", "''")
            value = f"{row[0]:.10g}" if kind == "number" else f"'{text}'"
            shown = name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else quoted
            pairs.append(f"{shown} := {value}")
    return f"select segql.customers_segment({', '.join(pairs)})"


if __name__ == "__main__":
    sys.exit(main())
