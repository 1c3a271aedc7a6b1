"""Runs the reference project on a warehouse of its own: one class, one file per shop."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import forked

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "dbt_project"
STORAGE = {"storage_compatibility_version": "v1.4.0"}
SCHEMAS = ("staging", "features", "segmentation", "marts", "segql")


@dataclass
class Result:
    """What a command left behind."""

    code: int
    output: str


def run(command: list[str], workshop: Path, cwd: Path = ROOT, **environment: str) -> Result:
    """Run a command, by default from the root, with dbt's artefacts in the workshop."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=_environment(workshop, environment),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return Result(done.returncode, _plain(done.stdout + done.stderr))


def dbt(arguments: list[str], workshop: Path, cwd: Path = ROOT, **environment: str) -> Result:
    """Run dbt, by default from the root, with its artefacts in the workshop."""
    arguments = ["--no-use-colors", *arguments]
    code, output = forked.run_dbt(arguments, cwd, _environment(workshop, environment))
    return Result(code, _plain(output))


def _environment(workshop: Path, more: dict[str, str]) -> dict[str, str]:
    places = {
        "DBT_TARGET_PATH": str(workshop / "target"),
        "DBT_LOG_PATH": str(workshop / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "NO_COLOR": "1",
        # Their rows are fixed, whatever the shop: they run once, in the build that is linted.
        "DBT_EXCLUDE_RESOURCE_TYPES": "unit_test",
    }
    return os.environ | places | more


def _plain(output: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", output)


@dataclass
class Shop:
    """A warehouse and the vars that its runs get."""

    database: Path
    dbt_vars: dict[str, Any]

    def dbt(self, *command: str, **dbt_vars: Any) -> Result:
        """Run dbt on the warehouse; the vars given here come on top."""
        arguments = [*command, "--project-dir", str(PROJECT), "--profiles-dir", str(ROOT)]
        dbt_vars = self.dbt_vars | dbt_vars
        arguments += ["--vars", json.dumps(dbt_vars)]
        workshop = self.database.parent
        # Relative: dbt parses anew when the connection changes, and the path is a part of it.
        with parsed_before(workshop / "target", dbt_vars) as places:
            return dbt(arguments, workshop, workshop, SEGQL_DATABASE=self.database.name, **places)

    def build(self, *command: str, tests: bool = False, **dbt_vars: Any) -> Result:
        """Run `dbt build`, which has to succeed; the tests of the data only where asked for."""
        left_out = ("unit_test",) if tests else ("test", "unit_test")
        # Cautious: with --select, tests that also read what is not selected do not run.
        options = ("--indirect-selection", "cautious", "--exclude-resource-type", *left_out)
        result = self.dbt("build", *options, *command, **dbt_vars)
        assert result.code == 0, result.output
        return result

    def run_sql(self, *statements: str) -> None:
        """Run statements that write."""
        with duckdb.connect(str(self.database), config=STORAGE) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Fetch a query's rows from the read-only file."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def value(self, query: str) -> Any:
        """Fetch a query's one value."""
        rows = self.rows(query)
        assert len(rows) == 1, rows
        assert len(rows[0]) == 1, rows
        return rows[0][0]

    def columns(self, relation: str) -> list[str]:
        """List a relation's columns."""
        return [row[0] for row in self.rows(f"describe {relation}")]

    def copy(self, folder: Path, **dbt_vars: Any) -> Shop:
        """Copy the warehouse to another folder, under the same name: views hold it."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.database, folder / self.database.name)
        return Shop(folder / self.database.name, self.dbt_vars | dbt_vars)

    def contents(self) -> dict[str, tuple[int, int]]:
        """Digest every table and view outside `raw`: its rows and a hash of them."""
        digests = {}
        with duckdb.connect(str(self.database), read_only=True) as connection:
            tables = connection.execute(
                "select table_schema, table_name, table_type from information_schema.tables"
                f" where table_schema in {SCHEMAS} order by all"
            ).fetchall()
            for schema, table, kind in tables:
                name = f'"{schema}"."{table}"'
                if kind == "VIEW":
                    digests[name] = connection.execute(
                        "select 0, hash(sql) from duckdb_views()"
                        f" where schema_name = '{schema}' and view_name = '{table}'"
                    ).fetchone()
                else:
                    digests[name] = connection.execute(
                        f"select count(*), coalesce(sum(hash(t)::hugeint), 0) from {name} as t"
                    ).fetchone()
        return digests


@contextmanager
def parsed_before(target: Path, dbt_vars: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Let dbt start from the project as another run with the same vars has parsed it."""
    digest = hashlib.sha256(json.dumps(dbt_vars, sort_keys=True).encode())
    parsed = shared_folder() / f"{digest.hexdigest()}.msgpack"
    yield {"DBT_PARTIAL_PARSE_FILE_PATH": str(parsed)} if parsed.exists() else {}
    left = target / "partial_parse.msgpack"
    if left.exists() and not parsed.exists():
        part = parsed.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        shutil.copy(left, part)
        part.replace(parsed)


def shared_folder() -> Path:
    """Find the folder that the processes of one run of the tests share."""
    folder = Path(os.environ.get("SEGQL_TESTS_SHARED") or tempfile.mkdtemp())
    os.environ["SEGQL_TESTS_SHARED"] = str(folder)
    return folder


@contextmanager
def alone(name: str) -> Iterator[Path]:
    """Do something while no other process of this run does; gives the shared folder."""
    folder = shared_folder()
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def new_shop(folder: Path, *statements: str, **dbt_vars: Any) -> Shop:
    """Create a warehouse with a schema `raw` and what the statements put there."""
    folder.mkdir(parents=True, exist_ok=True)
    shop = Shop(folder / "shop.duckdb", dbt_vars)
    shop.run_sql("create schema raw", *statements)
    return shop


def build_dataset(folder: Path, *arguments: str) -> tuple[Shop, Result]:
    """Run what `make demo` runs; the database is in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "warehouse.duckdb"
    command = [sys.executable, str(ROOT / "datasets" / "build.py"), "--database", str(database)]
    result = run([*command, *arguments], folder)
    return Shop(database, {}), result


def ensure_packages(folder: Path) -> None:
    """Install the dbt package `segql` into the project, once."""
    with alone("packages"):
        if not (PROJECT / "dbt_packages" / "segql").exists():
            done = new_shop(folder).dbt("deps")
            assert done.code == 0, done.output
