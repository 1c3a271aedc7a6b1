"""PostgreSQL, started on the loopback from the binaries of the system's package."""

from __future__ import annotations

import secrets
import shutil
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
from adapter import Row, Server, free_port, lacks

TYPES = {
    "int64": "bigint", "int32": "integer", "double": "double precision", "bool": "boolean",
    "string": "text",
}  # fmt: skip


def binary(name: str) -> str | None:
    """Find a program of the newest installed server."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])
    )
    return str(found[-1]) if found else shutil.which(name)


class Postgres(Server):
    """A server with a password, in a temporary folder."""

    name = "PostgreSQL"
    dialect = "postgres"
    user = "postgres"
    #: End at once; open sessions are rolled back.
    stop_signal = signal.SIGINT

    @classmethod
    def missing(cls) -> str | None:
        if binary("initdb") is None:
            return "the PostgreSQL server is not installed (Debian: postgresql)"
        return lacks("psycopg", "psycopg[binary]")

    def start(self) -> None:
        import psycopg

        self.hand_over()
        password, port = secrets.token_hex(16), free_port()
        secret = self.folder / "password"
        secret.write_text(password)
        secret.chmod(0o644)  # the folder itself is closed to others
        data = str(self.folder / "data")
        self.setup(
            [
                str(binary("initdb")), "--pgdata", data, "--username", "segql", "--encoding",
                "UTF8", "--locale", "C.UTF-8", "--auth", "scram-sha-256", "--pwfile", str(secret),
                "--no-sync",
            ]
        )  # fmt: skip
        command = [
            str(binary("postgres")), "-D", data, "-h", "127.0.0.1", "-p", str(port),
            "-k", str(self.folder), "-c", "fsync=off", "-c", "max_wal_size=4GB",
        ]  # fmt: skip

        def connect() -> None:
            self.connection = psycopg.connect(
                host="127.0.0.1", port=port, user="segql", password=password, dbname="postgres",
                autocommit=True,
            )  # fmt: skip

        self.serve(command, connect)

    def stop(self) -> None:
        if hasattr(self, "connection"):
            self.connection.close()
        super().stop()

    def version(self) -> str:
        return str(self.rows("show server_version")[0][0])

    def load(self, name: str, table: pa.Table) -> None:
        self.run(f"create table {self.quoted(name)} ({self.columns(table, TYPES)})")
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"copy {self.quoted(name)} from stdin") as copy,
        ):
            for row in self.values(table):
                copy.write_row(row)

    def run(self, statement: str) -> None:
        self._execute(statement)

    def rows(self, query: str) -> list[Row]:
        return list(self._execute(query).fetchall())

    def _execute(self, text: str) -> Any:
        # Without parameters a percent sign is a percent sign.
        return self.connection.execute(text.encode())
