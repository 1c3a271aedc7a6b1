"""What a fit asks of an engine, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray
from sqlglot import exp
from sqlglot.errors import SqlglotError

from segql import sql_text as sql

if TYPE_CHECKING:
    from segql.engines.duckdb import DuckDBEngine


class Engine(ABC):
    """Runs SQL where the rows live and brings back aggregates and bounded samples.

    Statements are sqlglot trees, or text that every engine reads around parts that :meth:`text`
    has printed. What engines say in different words is a method here.
    """

    #: What sqlglot calls the engine's SQL.
    dialect: ClassVar[str]
    #: Whether the smallest and largest value of a stored column cost no pass.
    keeps_ranges: ClassVar[bool]
    #: Rows from which a pass takes so much longer than a query of its kind on none that a few
    #: passes over an eighth of them are worth one less over all.
    thinned_from: ClassVar[int]
    #: Whether one long query costs less than two. A JVM compiles no method beyond 8,000 bytes:
    #: where a query becomes one, a little too much in it can make it many times as slow.
    likes_long_queries: ClassVar[bool] = True
    #: The algorithms that can be fitted on it.
    algorithms: ClassVar[tuple[str, ...]]
    #: Every statement that was run, in order.
    statements: list[str]

    def text(self, expression: exp.Expr) -> str:
        """Print an expression in the engine's SQL."""
        return sql.text(expression, self.dialect)

    @property
    @abstractmethod
    def near(self) -> DuckDBEngine:
        """The DuckDB that holds the samples which :meth:`bring` fetched, and runs the kernels."""

    # -- running SQL -------------------------------------------------------------------------

    @abstractmethod
    def rows(self, statement: str | exp.Expr) -> list[tuple[Any, ...]]:
        """Run a statement and fetch its (small) result."""

    @abstractmethod
    def columns_of(self, statement: str | exp.Expr) -> dict[str, NDArray[Any]]:
        """Run a statement and fetch its columns as NumPy arrays, masked where they are NULL."""

    @abstractmethod
    def arrays(self, statement: str | exp.Expr) -> dict[str, NDArray[Any]]:
        """Run a statement and fetch its columns of doubles as NumPy arrays, NULL as NaN."""

    @abstractmethod
    def frame(self, query: exp.Expr) -> Any:
        """A query as a relation or DataFrame of the engine, for the caller to go on with."""

    # -- relations ---------------------------------------------------------------------------

    @abstractmethod
    def relation(self, text: str) -> exp.Table:
        """Turn a relation name or a SELECT into something to read from."""

    def names(self, text: str) -> Iterator[exp.Table]:
        """Tables that a text may name: as it stands, or by its parts."""
        yield exp.Table(this=exp.to_identifier(text, quoted=True))
        try:
            parsed = exp.to_table(text, dialect=self.dialect)
        except (SqlglotError, ValueError):
            return
        for part in parsed.parts:
            part.set("quoted", True)
        if not parsed.args.get("joins") and not parsed.args.get("alias"):
            yield parsed

    @abstractmethod
    def release(self, source: exp.Table) -> None:
        """Drop the temporary view that :meth:`relation` made of a query; leave anything else."""

    @abstractmethod
    def columns(self, source: exp.Expr) -> dict[str, str]:
        """Names and types of a relation's columns, in order; the types in DuckDB's words."""

    @abstractmethod
    def is_base_table(self, source: exp.Expr) -> bool:
        """Tell a stored table, which may be read many times, from a view or a query."""

    @abstractmethod
    def store(self, query: exp.Query, purpose: str) -> exp.Table:
        """Keep the rows of a query on the engine until :meth:`drop`."""

    @abstractmethod
    def drop(self, table: exp.Table) -> None:
        """Drop what :meth:`store` has kept."""

    def snapshot(self, source: exp.Expr, columns: Sequence[str]) -> exp.Table:
        """Keep the needed columns of a view or a query, so that it is evaluated once."""
        query = exp.select(*(sql.column(item) for item in columns)).from_(source.copy())
        return self.store(query, "input")

    @abstractmethod
    def bring(self, query: exp.Query, purpose: str) -> exp.Table:
        """Store the rows of a query, a bounded sample, in :attr:`near`."""

    @abstractmethod
    def expect(self, rows: int) -> None:
        """Hear how many rows there are, before anything is summed over them."""

    # -- what engines say in different words -------------------------------------------------

    @abstractmethod
    def hash_unit(self, column: exp.Expr, seed: int) -> exp.Expr:
        """Hash a column and the seed to a double in [0, 1): the same in any row order."""

    @abstractmethod
    def hash_below(self, column: exp.Expr, seed: int, share: float) -> exp.Expr:
        """Tell whether :meth:`hash_unit` may be below a share: compared as whole numbers."""

    @abstractmethod
    def whole_sum(self, value: exp.Expr) -> exp.Expr:
        """Sum doubles below 2^62, each rounded to a whole number, exactly."""

    @abstractmethod
    def checksum(self, columns: Sequence[exp.Expr]) -> exp.Expr:
        """Aggregate that says which values the rows have, in any order: a whole number."""

    @abstractmethod
    def count_distinct(self, table: exp.Table, column: str, rows: int, *, is_integer: bool) -> int:
        """Count the distinct values of a column, exactly."""

    @abstractmethod
    def sample_quantiles(self, column: str, probabilities: Sequence[float]) -> str:
        """Aggregate that gives a list of quantiles, near enough to bracket the exact ones."""
