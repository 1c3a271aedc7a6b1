"""ClickHouse in this process, as the package chdb brings it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from adapter import Engine, Row, lacks

TYPES = {
    "int64": "Int64", "int32": "Int32", "double": "Float64", "bool": "Bool", "string": "String",
}  # fmt: skip


class ClickHouse(Engine):
    """Columns are Nullable, as those of a customer table are."""

    name = "ClickHouse"
    dialect = "clickhouse"

    @classmethod
    def missing(cls) -> str | None:
        return lacks("chdb", "chdb")

    def start(self) -> None:
        from chdb import session

        self.session = session.Session()

    def stop(self) -> None:
        self.session.close()

    def version(self) -> str:
        return str(self.rows("select version()")[0][0])

    def load(self, name: str, table: pa.Table) -> None:
        types = {arrow: f"Nullable({own})" for arrow, own in TYPES.items()}
        self.run(
            f"create table {self.quoted(name)} ({self.columns(table, types)}) "
            "engine = MergeTree order by tuple()"
        )
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "rows.parquet"
            pq.write_table(table, file)
            self.run(f"insert into {self.quoted(name)} select * from file('{file}', Parquet)")

    def run(self, statement: str) -> None:
        self.session.query(statement)

    def rows(self, query: str) -> list[Row]:
        found = self.session.query(query, "ArrowTable")
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))
