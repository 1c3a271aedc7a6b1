"""Run SQL on DuckDB: resolve relations, fetch aggregates, hold transactions."""

from __future__ import annotations

import re
import threading
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import duckdb
import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.engines.base import Engine
from segql.errors import ConflictError, SegqlError, said

#: Serialises what two fits of one process must not do at once: write the registry.
REGISTRY_LOCK = threading.RLock()
#: A bitmap of ids is worth it up to this many bits a row, and up to this many (64 MB a thread).
BITMAP_SPREAD, BITMAP_BITS = 64, 2**29
#: Names that DuckDB reads as files.
FILE = re.compile(r"\.(parquet|csv|tsv|json|jsonl|ndjson)(\.(gz|zst))?$", re.IGNORECASE)


class DuckDBEngine(Engine):
    """A DuckDB connection, seen as the few things a fit asks of an engine.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The caller's connection; temporary tables of the fit live and die on it.
    """

    dialect = "duckdb"
    keeps_ranges = True
    thinned_from = 500_000
    algorithms = ("kmeans", "hierarchical", "dbscan", "hdbscan")

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.statements: list[str] = []

    @property
    def near(self) -> DuckDBEngine:
        """Samples stay where the rows are."""
        return self

    # -- running SQL -------------------------------------------------------------------------

    def run(self, statement: str | exp.Expr, parameters: Sequence[Any] = ()) -> None:
        """Run a statement whose result nobody reads."""
        self.rows(statement, parameters)

    def rows(
        self, statement: str | exp.Expr, parameters: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a statement and fetch its (small) result."""
        text = statement if isinstance(statement, str) else sql.text(statement)
        if not parameters:
            self.statements.append(text)
        try:
            if parameters:
                return self.connection.execute(text, parameters).fetchall()
            return self.connection.execute(text).fetchall()
        except duckdb.ConnectionException as error:
            raise SegqlError(f"the DuckDB connection cannot be used: {error}") from error

    def columns_of(self, statement: str | exp.Expr) -> dict[str, NDArray[Any]]:
        """Run a statement and fetch its columns as NumPy arrays, masked where they are NULL."""
        text = statement if isinstance(statement, str) else sql.text(statement)
        self.statements.append(text)
        return cast(dict[str, NDArray[Any]], self.connection.execute(text).fetchnumpy())

    def arrays(self, statement: str | exp.Expr) -> dict[str, NDArray[Any]]:
        """Run a statement and fetch its columns of doubles as NumPy arrays, NULL as NaN."""
        return {
            name: np.ma.filled(np.ma.asarray(values), np.nan)
            for name, values in self.columns_of(statement).items()
        }

    def frame(self, query: exp.Expr) -> duckdb.DuckDBPyRelation:
        """A query as a relation of the caller's connection."""
        return self.connection.sql(sql.text(query))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit on success, roll back on error; inside a caller's transaction, join it.

        Raises
        ------
        ConflictError
            When another transaction has changed the same rows or macros and is not at its end.
        """
        try:
            if self.in_transaction():
                yield
                return
            self.connection.begin()
            try:
                yield
            except BaseException:
                self.connection.rollback()
                raise
            self.connection.commit()
        except duckdb.TransactionException as error:
            if "conflict" not in str(error).lower():
                raise
            raise ConflictError(
                "another transaction is changing the same models or tables; accepted: the same "
                f"again when that one has ended ({said(error)})"
            ) from error

    def in_transaction(self) -> bool:
        """Tell whether the caller has begun a transaction: two statements then share its id.

        A second BEGIN would tell as well, but aborts the transaction on DuckDB 2.0.
        """
        first, second = (self.rows("select txid_current()") for _ in range(2))
        return first == second

    # -- relations ---------------------------------------------------------------------------

    def relation(self, text: str) -> exp.Table:
        """Turn a relation name or a SELECT into something to read from.

        Parameters
        ----------
        text : str
            ``orders``, ``main.orders``, ``"My Orders"``, ``other_db.sales.orders``, a name with
            spaces as it stands, or a query (which becomes a temporary view).

        Raises
        ------
        SegqlError
            When the text is neither a relation that exists nor one query.
        """
        if not isinstance(text, str) or not text.strip():
            raise SegqlError(f"relation must be a table, a view or a SELECT, got {text!r}")
        stripped = text.strip().rstrip(";").strip()
        # On DuckDB 2.0 a statement that fails ends the caller's transaction: look before trying.
        within = self.in_transaction()
        for candidate in self.names(stripped):
            if within and not self._can_be_read(candidate):
                continue
            try:
                self.connection.execute(f"describe {sql.text(candidate)}").fetchall()
            except duckdb.Error:
                continue
            return candidate
        if stripped.startswith("(") or " " in stripped or "\n" in stripped:
            return self._query(stripped)
        raise SegqlError(f"relation {text!r} does not exist{self._known_relations()}")

    def _query(self, text: str) -> exp.Table:
        """Give a query a name: a temporary view, bound at once so that errors show here."""
        view = self.temporary("query")
        try:
            statements = duckdb.extract_statements(text)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise SegqlError(f"expected a relation or one SELECT, got {text[:80]!r}")
            self.run(f"create temporary view {sql.text(view)} as {text}")
        except duckdb.Error as error:
            raise SegqlError(f"the query cannot be read: {said(error)}") from error
        return view

    def _can_be_read(self, name: exp.Table) -> bool:
        """Tell from the catalog and the folder whether a name is that of a relation or a file."""
        found = self.rows(
            "select lower(table_catalog), lower(table_schema),"
            " table_catalog in (current_database(), 'temp'),"
            " list_contains(current_schemas(true), table_schema)"
            " from information_schema.tables where lower(table_name) = lower(?)",
            [name.name],
        )
        given = [part.name.lower() for part in name.parts[:-1]]
        for catalog, schema, is_near, is_searched in found:
            near = ([schema], []) if is_searched else ([schema],)
            if given in ([catalog, schema], [catalog]) or (is_near and given in near):
                return True
        if given or not FILE.search(name.name):
            return False
        return bool(self.rows("select 1 from glob(?) limit 1", [name.name]))

    def _known_relations(self) -> str:
        rows = self.rows(
            "select schema_name || '.' || name from ("
            "select schema_name, table_name as name from duckdb_tables() "
            "where database_name = current_database() union all "
            "select schema_name, view_name from duckdb_views() "
            "where not internal and database_name = current_database()"
            ") where schema_name <> 'segql' order by 1 limit 12"
        )
        return f" (there are: {', '.join(row[0] for row in rows)})" if rows else ""

    def columns(self, source: exp.Expr) -> dict[str, str]:
        """Names and types of a relation's columns, in order."""
        query = exp.select("*").from_(source.copy())
        rows = self.rows(f"describe {sql.text(query)}")
        return {row[0]: row[1] for row in rows}

    def store(self, query: exp.Query, purpose: str) -> exp.Table:
        """Keep the rows of a query in a temporary table."""
        name = self.temporary(purpose)
        self.run(f"create temporary table {sql.text(name)} as {sql.text(query)}")
        return name

    def bring(self, query: exp.Query, purpose: str) -> exp.Table:
        """Keep the rows of a query in a temporary table: a sample stays where the rows are."""
        return self.store(query, purpose)

    def upload(self, rows: Any, purpose: str) -> exp.Table:
        """Store an Arrow table as a temporary table."""
        name, view = self.temporary(purpose), f"{sql.SCRATCH}arrow_{uuid.uuid4().hex[:12]}"
        self.connection.register(view, rows)
        try:
            self.run(f"create temporary table {sql.text(name)} as select * from {view}")
        finally:
            self.connection.unregister(view)
        return name

    def is_base_table(self, source: exp.Expr) -> bool:
        """Tell a stored table, which may be read many times, from a view or a query."""
        if not isinstance(source, exp.Table):
            return False
        parts = [part.name for part in source.parts]
        conditions = ["lower(table_name) = lower(?)"]
        values = [parts[-1]]
        if len(parts) > 1:
            conditions.append("lower(schema_name) = lower(?)")
            values.append(parts[-2])
        found = self.rows(
            f"select count(*) from duckdb_tables() where {' and '.join(conditions)}", values
        )
        shadow = self.rows(
            "select count(*) from duckdb_views() where lower(view_name) = lower(?)", [parts[-1]]
        )
        return bool(found[0][0]) and not shadow[0][0]

    @staticmethod
    def temporary(purpose: str) -> exp.Table:
        """Name a temporary table that nothing else can hold."""
        return exp.to_table(f"temp.main.{sql.SCRATCH}{purpose}_{uuid.uuid4().hex[:12]}")

    def release(self, source: exp.Table) -> None:
        """Drop the temporary view that :meth:`relation` made of a query; leave anything else."""
        if source.name.startswith(f"{sql.SCRATCH}query_"):
            self.run(f"drop view if exists {sql.text(source)}")

    def drop(self, table: exp.Table) -> None:
        """Drop a temporary table."""
        self.run(f"drop table if exists {sql.text(table)}")

    # -- the file ----------------------------------------------------------------------------

    @property
    def database(self) -> str:
        """Name of the current database."""
        return str(self.rows("select current_database()")[0][0])

    def warn_about_storage(self) -> None:
        """Warn in one line when DuckDB 1.x clients cannot open the file that is written."""
        rows = self.rows(
            "select path, tags['storage_version'] from duckdb_databases() "
            "where database_name = current_database()"
        )
        path, version = rows[0] if rows else (None, None)
        if path and version and str(version).lstrip("v").startswith("2"):
            warnings.warn(
                f"{path} is written in storage version {version}, which DuckDB 1.x clients cannot "
                "open; connect with config={'storage_compatibility_version': 'v1.4.0'} to a new "
                "file to let them in",
                stacklevel=3,
            )

    def expect(self, rows: int) -> None:
        """Nothing depends on it: sums of integers have 128 bits."""

    # -- in DuckDB's words -------------------------------------------------------------------

    def hash_unit(self, column: exp.Expr, seed: int) -> exp.Expr:
        """Hash a column and the seed to a double in [0, 1): the same in any row order."""
        return exp.Div(this=sql.double(_hashed(column, seed)), expression=sql.number(2.0**64))

    def hash_below(self, column: exp.Expr, seed: int, share: float) -> exp.Expr:
        """Tell whether :meth:`hash_unit` may be below a share: compared as whole numbers."""
        bound = min(int(share * 2.0**64 * (1 + 1e-9)) + 1, 2**64 - 1)
        whole = exp.DataType.build("ubigint", dialect="duckdb")
        highest = exp.Cast(this=sql.integer(bound), to=whole)
        return sql.compare(exp.LTE, _hashed(column, seed), highest)

    def whole_sum(self, value: exp.Expr) -> exp.Expr:
        """Sum of integers, which DuckDB adds in 128 bits; its cast rounds."""
        return exp.Sum(this=exp.Cast(this=value, to=exp.DataType.build("bigint")))

    def checksum(self, columns: Sequence[exp.Expr]) -> exp.Expr:
        """Sum of the hashes of the rows."""
        hashed = exp.Anonymous(this="hash", expressions=[item.copy() for item in columns])
        return exp.Sum(this=exp.Cast(this=hashed, to=exp.DataType.build("int128")))

    def count_distinct(self, table: exp.Table, column: str, rows: int, *, is_integer: bool) -> int:
        """Whole numbers that lie close together by a bitmap, others by hashing."""
        target, name = sql.text(table), sql.text(sql.column(column))
        if is_integer:
            low, high = self.rows(f"select min({name}), max({name}) from {target}")[0]
            if high - low < min(BITMAP_SPREAD * rows, BITMAP_BITS):
                bitmap = f"bit_count(bitstring_agg({name}, {low}, {high}))"
                return int(self.rows(f"select {bitmap} from {target}")[0][0])
        # By itself: next to other aggregates DuckDB counts distinct values at half the speed.
        return int(self.rows(f"select count(distinct {name}) from {target}")[0][0])

    def sample_quantiles(self, column: str, probabilities: Sequence[float]) -> str:
        """Quantiles that are values of the column."""
        return f"quantile_disc({column}, {list(probabilities)})"


def _hashed(column: exp.Expr, seed: int) -> exp.Expr:
    """DuckDB's ``hash`` of a value and the seed, hashed again.

    ``hash(a, b)`` joins the two hashes linearly: data that were generated from ``hash(id, 1)``
    would depend on ``hash(id, 42)``.
    """
    number = exp.Cast(this=sql.integer(seed), to=exp.DataType.build("bigint"))
    once = exp.Anonymous(this="hash", expressions=[column.copy(), number])
    return exp.Anonymous(this="hash", expressions=[once])
