"""MariaDB, started on a socket from the binaries of the system's package."""

from __future__ import annotations

import shutil
from typing import Any

import pyarrow as pa
from adapter import Row, Server, lacks

TYPES = {
    "int64": "bigint", "int32": "integer", "double": "double", "bool": "boolean",
    "string": "longtext",
}  # fmt: skip


class MariaDB(Server):
    """A server without a network, in a temporary folder, with the settings of the package."""

    name = "MariaDB"
    dialect = "mysql"
    user = "mysql"
    has_nan = False
    has_infinity = False

    @classmethod
    def missing(cls) -> str | None:
        if not (shutil.which("mariadbd", path=_PATH) and shutil.which("mariadb-install-db")):
            return "the MariaDB server is not installed (Debian: mariadb-server)"
        return lacks("pymysql", "PyMySQL")

    def start(self) -> None:
        import pymysql

        self.hand_over()
        data, socket = self.folder / "data", self.folder / "socket"
        self.setup(
            [
                "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ]
        )  # fmt: skip
        command = [
            str(shutil.which("mariadbd", path=_PATH)), "--no-defaults", f"--datadir={data}",
            f"--socket={socket}", "--skip-networking", "--character-set-server=utf8mb4",
            # The package's setting; letters that differ in case or accent are the same in it.
            "--collation-server=utf8mb4_general_ci",
        ]  # fmt: skip

        def connect() -> None:
            self.connection = pymysql.connect(
                unix_socket=str(socket), user="root", charset="utf8mb4", autocommit=True
            )

        self.serve(command, connect)
        self.run("create database segql")
        self.run("use segql")

    def stop(self) -> None:
        if hasattr(self, "connection"):
            self.connection.close()
        super().stop()

    def version(self) -> str:
        return str(self.rows("select version()")[0][0])

    def load(self, name: str, table: pa.Table) -> None:
        self.run(f"create table {self.quoted(name)} ({self.columns(table, TYPES)})")
        marks = ", ".join("%s" for _ in table.column_names)
        rows = self.values(table)
        with self.connection.cursor() as cursor:
            for start in range(0, len(rows), 1000):
                part = rows[start : start + 1000]
                cursor.execute(
                    f"insert into {self.quoted(name).replace('%', '%%')} values "
                    + ", ".join([f"({marks})"] * len(part)),
                    [value for row in part for value in row],
                )

    def run(self, statement: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)

    def rows(self, query: str) -> list[Row]:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            found: Any = cursor.fetchall()
        return list(found)


_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/usr/libexec"
