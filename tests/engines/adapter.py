"""What the tests ask of a database engine: start, load a table, run a text, fetch rows."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlglot import exp

#: Forms of a model's SQL.
FORMS = ("query", "expression", "function", "tables")
#: Seconds that a server may take to start.
PATIENCE = 60.0

Row = tuple[Any, ...]


class Engine(ABC):
    """A running engine of one dialect."""

    #: Name in messages, dialect of the SQL, forms that the engine can have.
    name: str
    dialect: str
    forms: tuple[str, ...] = FORMS
    #: Values that a DOUBLE can hold; others are loaded as NULL, which a model treats alike.
    has_nan = True
    has_infinity = True

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """Why the engine cannot run here, or None."""

    @abstractmethod
    def start(self) -> None:
        """Start the engine."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it and leave nothing behind."""

    @abstractmethod
    def version(self) -> str:
        """Version, in the engine's own words."""

    @abstractmethod
    def load(self, name: str, table: pa.Table) -> None:
        """Store a table of BIGINT, INTEGER, DOUBLE, BOOLEAN and text columns."""

    @abstractmethod
    def run(self, statement: str) -> None:
        """Run a statement that has no rows."""

    @abstractmethod
    def rows(self, query: str) -> list[Row]:
        """Fetch the rows of a query."""

    def quoted(self, name: str) -> str:
        """Quote a name as the dialect does."""
        return exp.to_identifier(name, quoted=True).sql(dialect=self.dialect)

    def columns(self, table: pa.Table, types: dict[str, str]) -> str:
        """Write the columns of a CREATE TABLE; ``types`` by the Arrow type's name."""
        return ", ".join(
            f"{self.quoted(field.name)} {types[str(field.type)]}" for field in table.schema
        )

    def values(self, table: pa.Table) -> list[Row]:
        """Rows of a table as Python values, without those that the engine lacks."""

        def kept(value: Any) -> Any:
            if isinstance(value, float):
                if math.isnan(value) and not self.has_nan:
                    return None
                if math.isinf(value) and not self.has_infinity:
                    return None
            return value

        columns = [[kept(value) for value in column.to_pylist()] for column in table.columns]
        return list(zip(*columns, strict=True))


class Server(Engine):
    """An engine whose server is started in a folder of its own, as a user without rights."""

    #: System user that the server runs as where the tests run as root.
    user: str

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"segql-{self.name.lower()}-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.log = self.folder / "server.log"

    @property
    def run_as(self) -> dict[str, Any]:
        """Arguments of a subprocess that must not run as root."""
        if os.geteuid() != 0:
            return {"cwd": self.folder}
        return {"user": self.user, "group": self.user, "extra_groups": [], "cwd": self.folder}

    def hand_over(self) -> None:
        """Give the folder to the server's user."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user, self.user)

    def setup(self, command: list[str]) -> None:
        """Run a command that prepares the server's files."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self.run_as)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr[-1000:]}{done.stdout[-1000:]}")

    def serve(self, command: list[str], is_ready: Callable[[], None]) -> None:
        """Start the server and wait until ``is_ready`` raises nothing."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **self.run_as
            )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                is_ready()
                return
            except Exception as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    said = self.log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{self.name} did not start: {error}\n{said}") from error
                time.sleep(0.1)

    def stop(self) -> None:
        """Ask the server to end, and wait for it."""
        if self.process is not None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    stop_signal = signal.SIGTERM


def lacks(module: str, package: str) -> str | None:
    """Say that a Python package is not installed."""
    if importlib.util.find_spec(module) is None:
        return f"the Python package {package} is not installed (make engines)"
    return None


def free_port() -> int:
    """Find a port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
