"""Run SQL on Spark: aggregates and bounded samples come to the driver, rows stay on the cluster.

Only ``session.sql``, ``DataFrame.schema``, ``collect`` and ``toArrow`` are used, which a classic
session and one of Spark Connect both have.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from segql import sql_text as sql
from segql.engines.base import Engine
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: The first PySpark whose DataFrames are fetched as Arrow.
OLDEST = 4
#: Where a whole number of 62 bits is cut, so that the sums of both parts are whole numbers of 64:
#: of up to 2^31 rows. Spark's decimals hold any sum, at several times the cost.
CUT, CUT_ROWS = 31, 2**31
#: The types that Spark names in other words than DuckDB.
TYPES = {
    "int": "INTEGER", "string": "VARCHAR", "timestamp_ntz": "TIMESTAMP", "binary": "BLOB",
    "timestamp_ltz": "TIMESTAMP", "void": "NULL",
}  # fmt: skip
#: A name that is looked up in vain is logged as an error: what reads as a query is none.
QUERY = re.compile(r"\(|(select|with|from|values|table)\s", re.IGNORECASE)
#: What the JVM says of a session that was stopped, somewhere in a page.
STOPPED = "Cannot call methods on a stopped SparkContext"
#: What an error says when the session itself has died, and when the cluster gave the job up.
DEAD = re.compile(
    r"stopped SparkContext|SparkContext was shut down|UNAVAILABLE|Connection refused|"
    r"Answer from Java side is empty|Error while sending or receiving|NO_ACTIVE_SESSION|"
    r"SparkContext\.\w+\(\)\" is null|INVALID_HANDLE|session.{0,40}closed|"
    r"NoneType' object has no attribute|"
    r"while trying to connect to the Java server",
    re.IGNORECASE,
)


class SparkEngine(Engine):
    """A Spark session, seen as the few things a fit asks of an engine.

    Parameters
    ----------
    session : pyspark.sql.SparkSession
        Classic or Spark Connect.
    coreset : pyarrow.Table, optional
        Taken in the place of the coreset that would be drawn: a model can then be compared with
        one that another engine has learned.
    """

    dialect = "spark"
    keeps_ranges = False
    thinned_from = 50_000_000
    likes_long_queries = False
    algorithms = ("kmeans",)

    def __init__(self, session: SparkSession, coreset: pa.Table | None = None) -> None:
        from pyspark import __version__ as version

        if int(version.split(".")[0]) < OLDEST:
            raise SegqlError(f"PySpark is {version}; accepted: {OLDEST}.0 or later")
        self.session = session
        self.statements: list[str] = []
        self._coreset = coreset
        self._near = DuckDBEngine(duckdb.connect())
        self._near.statements = self.statements
        self._rows: int | None = None

    @property
    def near(self) -> DuckDBEngine:
        """A DuckDB in the driver's memory."""
        return self._near

    def text(self, expression: exp.Expr) -> str:
        """Print an expression; a category called ``${…}`` is no reference to a setting."""
        return super().text(expression).replace("${", "\\u0024{")

    # -- running SQL -------------------------------------------------------------------------

    def rows(self, statement: str | exp.Expr) -> list[tuple[Any, ...]]:
        """Run a statement and fetch its (small) result."""
        with _in_one_line():
            return [tuple(row) for row in self._frame(statement).collect()]

    def columns_of(self, statement: str | exp.Expr) -> dict[str, NDArray[Any]]:
        """Run a statement and fetch its columns as NumPy arrays, masked where they are NULL."""
        fetched = self._arrow(statement)
        return {name: _masked(fetched.column(name)) for name in fetched.column_names}

    def arrays(self, statement: str | exp.Expr) -> dict[str, NDArray[Any]]:
        """Run a statement and fetch its columns of doubles as NumPy arrays, NULL as NaN."""
        fetched = self._arrow(statement)
        return {
            name: fetched.column(name).to_numpy(zero_copy_only=False)
            for name in fetched.column_names
        }

    def frame(self, query: exp.Expr) -> DataFrame:
        """A query as a DataFrame, for the caller to go on with."""
        with _in_one_line():
            frame = self._frame(query)
            _ = frame.schema
            return frame

    def _arrow(self, statement: str | exp.Expr) -> pa.Table:
        with _in_one_line():
            return self._frame(statement).toArrow()

    def _frame(self, statement: str | exp.Expr) -> DataFrame:
        text = statement if isinstance(statement, str) else self.text(statement)
        self.statements.append(text)
        return self.session.sql(text)

    # -- relations ---------------------------------------------------------------------------

    def relation(self, text: str) -> exp.Table:
        """Turn a relation name or a SELECT into something to read from.

        Parameters
        ----------
        text : str
            A table, a view or a temporary view, qualified or not, or a query.
        """
        if not isinstance(text, str) or not text.strip():
            raise SegqlError(f"relation must be a table, a view or a SELECT, got {text!r}")
        stripped = text.strip().rstrip(";").strip()
        if QUERY.match(stripped):
            return self._query(stripped)
        for candidate in self.names(stripped):
            if self._schema(candidate) is not None:
                return candidate
        known = [row[1] for row in self.rows("show tables")][:12]
        listed = f" (there are: {', '.join(known)})" if known else ""
        raise SegqlError(f"relation {text!r} does not exist in Spark{listed}")

    def _query(self, text: str) -> exp.Table:
        """Give a query a name, a temporary view; errors show here."""
        view = self._name("query")
        try:
            self.session.sql(f"create temporary view {self.text(view)} as {text}")
        except Exception as error:
            said = _said(error)
            if DEAD.search(said):
                raise _dead(said) from error
            raise SegqlError(f"the query cannot be read: {said}") from error
        return view

    def _schema(self, source: exp.Expr) -> Any:
        """Columns of a relation, None when there is none of the name."""
        query = exp.select("*").from_(source.copy()).limit(0)
        try:
            return self.session.sql(self.text(query)).schema
        except Exception as error:
            said = _said(error)
            if DEAD.search(said):
                raise _dead(said) from error
            if "NOT_FOUND" in said or "CANNOT_PARSE" in said or "SYNTAX" in said:
                return None
            if type(error).__name__ in ("AnalysisException", "ParseException"):
                return None
            raise SegqlError(f"Spark cannot read {self.text(source)}: {said}") from error

    def columns(self, source: exp.Expr) -> dict[str, str]:
        """Names and types of a relation's columns, in order."""
        return {field.name: _type(field.dataType.simpleString()) for field in self._schema(source)}

    def is_base_table(self, source: exp.Expr) -> bool:
        """Tell what may be read many times: a stored table, and what the caller has cached."""
        name = self.text(source)
        with _in_one_line():
            try:
                if self.session.catalog.isCached(name):
                    return True
                return self.session.catalog.getTable(name).tableType in ("MANAGED", "EXTERNAL")
            except Exception as error:
                if DEAD.search(_said(error)):
                    raise
                return False

    def store(self, query: exp.Query, purpose: str) -> exp.Table:
        """Cache the rows of a query under a name: in the executors' memory, the rest on disk.

        The first query that reads them fills the cache.
        What a lost executor held is computed again from the rows it came from.
        """
        name = self._name(purpose)
        self.rows(f"cache lazy table {self.text(name)} as {self.text(query)}")
        return name

    def drop(self, table: exp.Table) -> None:
        """Forget what :meth:`store` has cached."""
        self._forget(f"uncache table if exists {self.text(table)}")
        self._forget(f"drop view if exists {self.text(table)}")

    def release(self, source: exp.Table) -> None:
        """Drop the temporary view that :meth:`relation` made of a query; leave anything else."""
        if source.name.startswith(f"{sql.SCRATCH}query_"):
            self._forget(f"drop view if exists {self.text(source)}")

    def _forget(self, statement: str) -> None:
        """Clean up; a session that has died has nothing left, and its own error is the one."""
        try:
            self.session.sql(statement)
        except Exception as error:
            if not DEAD.search(_said(error)):
                raise

    def bring(self, query: exp.Query, purpose: str) -> exp.Table:
        """Fetch a sample as Arrow and store it in the driver's DuckDB."""
        if purpose == "coreset" and self._coreset is not None:
            return self._near.upload(self._coreset, purpose)
        return self._near.upload(self._arrow(query), purpose)

    @staticmethod
    def _name(purpose: str) -> exp.Table:
        return exp.to_table(f"{sql.SCRATCH}{purpose}_{uuid.uuid4().hex[:12]}")

    def expect(self, rows: int) -> None:
        """Choose the form of the sums."""
        self._rows = rows

    # -- in Spark's words --------------------------------------------------------------------

    def hash_unit(self, column: exp.Expr, seed: int) -> exp.Expr:
        """``xxhash64(column, seed)`` as a double in [0, 1)."""
        share = exp.Div(this=sql.double(_hashed(column, seed)), expression=sql.number(2.0**64))
        return exp.Add(this=share, expression=sql.number(0.5))

    def hash_below(self, column: exp.Expr, seed: int, share: float) -> exp.Expr:
        """Tell whether :meth:`hash_unit` may be below a share: compared as whole numbers."""
        bound = min(int(share * 2.0**64 * (1 + 1e-9)) + 1, 2**64 - 1) - 2**63
        return sql.compare(exp.LTE, _hashed(column, seed), _bigint(bound))

    def whole_sum(self, value: exp.Expr) -> exp.Expr:
        """Sum of the high and of the low bits, each of which 64 bits hold.

        A cast drops the fraction in Spark, so that it is rounded before: half to even, as
        DuckDB's cast does.
        """
        rounded = exp.Anonymous(this="rint", expressions=[value])
        whole = exp.Cast(this=rounded, to=exp.DataType.build("bigint"))
        return self._sum(whole)

    def _sum(self, whole: exp.Expr) -> exp.Expr:
        if self._rows is None or self._rows > CUT_ROWS:
            wide = exp.DataType.build("decimal(38, 0)")
            return exp.Sum(this=exp.Cast(this=whole, to=wide))
        shift = [whole.copy(), sql.integer(CUT)]
        high = exp.Sum(this=exp.Anonymous(this="shiftright", expressions=shift))
        mask = _bigint(2**CUT - 1)
        low = exp.Sum(this=exp.BitwiseAnd(this=exp.Paren(this=whole), expression=mask))
        unit = exp.Cast(this=sql.integer(2**CUT), to=exp.DataType.build("decimal(10, 0)"))
        upper = exp.Cast(this=high, to=exp.DataType.build("decimal(20, 0)"))
        return exp.Add(this=exp.Mul(this=upper, expression=unit), expression=low)

    def checksum(self, columns: Sequence[exp.Expr]) -> exp.Expr:
        """Exclusive or of the hashes: ids are unique, so that no two rows undo each other."""
        hashed = exp.Anonymous(this="xxhash64", expressions=[item.copy() for item in columns])
        return exp.Anonymous(this="bit_xor", expressions=[hashed])

    def count_distinct(self, table: exp.Table, column: str, rows: int, *, is_integer: bool) -> int:
        """Whole numbers by a bit each, 64 to a group; others by shuffling the values.

        The groups are made where the rows are: of ids that lie close together a sixty-fourth
        moves over the network. Of text all do, which is most of what a fit sends.
        """
        name, target = self.text(sql.column(column)), self.text(table)
        if not is_integer:
            return int(self.rows(f"select count(distinct {name}) from {target}")[0][0])
        word = "bit_or(shiftleft(1L, cast(id & 63 as int))) as word"
        groups = (
            f"select {word} from (select cast({name} as bigint) as id from {target}) "
            "group by shiftright(id, 6)"
        )
        return int(self.rows(f"select sum(bit_count(word)) from ({groups})")[0][0])

    def sample_quantiles(self, column: str, probabilities: Sequence[float]) -> str:
        """Approximate ones: they are only brackets, whose counts are exact."""
        listed = ", ".join(f"{value:.17g}D" for value in probabilities)
        return f"percentile_approx({column}, array({listed}), 100000)"


def _hashed(column: exp.Expr, seed: int) -> exp.Expr:
    """Spark's 64-bit xxHash of a value, its state then hashed with the seed."""
    return exp.Anonymous(this="xxhash64", expressions=[column.copy(), _bigint(seed)])


def _bigint(value: int) -> exp.Expr:
    """Whole number of 64 bits; the smallest has no literal of its own."""
    text = exp.Literal.string(str(value))
    return exp.Cast(this=text, to=exp.DataType.build("bigint"))


def _type(spark: str) -> str:
    """A Spark type in DuckDB's words."""
    if spark.startswith("array<"):
        return f"{spark.upper()}[]"
    if spark.startswith(("varchar", "char")):
        return "VARCHAR"
    return TYPES.get(spark, spark.upper())


def _masked(column: pa.ChunkedArray) -> NDArray[Any]:
    missing = column.is_null().to_numpy()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.ma.array(np.array(column.to_pylist(), dtype=object), mask=missing)
    filled = column.fill_null(0) if column.null_count else column
    return np.ma.array(filled.to_numpy(), mask=missing)


# -- errors ----------------------------------------------------------------------------------


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Say in one line what Spark says in a page."""
    try:
        yield
    except SegqlError:
        raise
    except Exception as error:
        said = _said(error)
        if DEAD.search(said):
            raise _dead(said) from error
        raise SegqlError(f"Spark failed: {said}") from error


def _dead(said: str) -> SegqlError:
    return SegqlError(f"the Spark session cannot be used any more: {said[:200]}")


def _said(error: BaseException) -> str:
    """First line of an error; that of its root where the JVM has only told where it was."""
    text = str(error)
    if STOPPED in text:
        return STOPPED
    lines = [line.strip(": ").strip() for line in text.splitlines() if line.strip(": ")]
    if not lines:
        return type(error).__name__
    roots = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    if lines[0].startswith("An error occurred while calling"):
        lines = roots[-1:] or lines[1:] or lines
    return lines[0][:300]
