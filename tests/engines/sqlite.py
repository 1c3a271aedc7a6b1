"""SQLite, in memory, as Python has it."""

from __future__ import annotations

import sqlite3

import pyarrow as pa
from adapter import Engine, Row

TYPES = {
    "int64": "integer", "int32": "integer", "double": "real", "bool": "boolean",
    "string": "text",
}  # fmt: skip


class SQLite(Engine):
    """It has no functions of its own to create."""

    name = "SQLite"
    dialect = "sqlite"
    forms = ("query", "expression", "tables")
    has_nan = False

    @classmethod
    def missing(cls) -> str | None:
        with sqlite3.connect(":memory:") as connection:
            options = {name for (name,) in connection.execute("pragma compile_options")}
        if "ENABLE_MATH_FUNCTIONS" not in options:
            return f"SQLite {sqlite3.sqlite_version} was built without ln, pow and sqrt"
        return None

    def start(self) -> None:
        self.connection = sqlite3.connect(":memory:")

    def stop(self) -> None:
        self.connection.close()

    def version(self) -> str:
        return sqlite3.sqlite_version

    def load(self, name: str, table: pa.Table) -> None:
        self.run(f"create table {self.quoted(name)} ({self.columns(table, TYPES)})")
        marks = ", ".join("?" for _ in table.column_names)
        self.connection.executemany(
            f"insert into {self.quoted(name)} values ({marks})", self.values(table)
        )

    def run(self, statement: str) -> None:
        self.connection.execute(statement)

    def rows(self, query: str) -> list[Row]:
        return self.connection.execute(query).fetchall()
