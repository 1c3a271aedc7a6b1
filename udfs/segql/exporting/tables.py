"""A model's tables as statements, CREATE TABLE and INSERT, and what scores by a join with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

from segql import sql
from segql.errors import SegqlError
from segql.exporting.dialects import Dialect
from segql.exporting.joined_cells import JoinedCells
from segql.exporting.names import check_name
from segql.exporting.portable import NOTHING, safe_space
from segql.kept import KeptCells
from segql.stored_cells import cell_rows

if TYPE_CHECKING:
    from segql.model import Model

#: Rows that are written as text at most; a million is a script of some 100 MB.
MOST_ROWS = 1_000_000
#: Rows of one INSERT: what SQL Server takes, and less than the megabyte that BigQuery reads.
BATCH = 1000
#: Powers of two that a whole number of SQLite holds.
SHIFT = 62


@dataclass(frozen=True)
class Columns:
    """A table to write: its name, the columns of its key and the others, with their types."""

    dialect: Dialect
    name: str
    key: dict[str, str]
    others: dict[str, str]

    def statements(self, rows: Sequence[Sequence[float | None]]) -> list[str]:
        """DROP, CREATE and INSERTs: a script that ended half-way can be run again."""
        name = self.dialect.quoted(self.name)
        quoted = [self.dialect.quoted(column) for column in (*self.key, *self.others)]
        head = f"INSERT INTO {name} ({', '.join(quoted)}) VALUES\n"
        return [
            f"DROP TABLE IF EXISTS {name}",
            self._create(),
            *(
                head + ",\n".join(self._row(row) for row in rows[start : start + BATCH])
                for start in range(0, len(rows), BATCH)
            ),
        ]

    def _create(self) -> str:
        quoted, is_key = self.dialect.quoted, self.dialect.looks_up_keys
        needed = " NOT NULL" if is_key else ""
        lines = [f"{quoted(column)} {kind}{needed}" for column, kind in self.key.items()]
        lines += [f"{quoted(column)} {kind}" for column, kind in self.others.items()]
        if is_key:
            lines.append(f"PRIMARY KEY ({', '.join(quoted(column) for column in self.key)})")
        body = ",\n  ".join(lines)
        storage = f" {self.dialect.storage}" if self.dialect.storage else ""
        return f"CREATE TABLE {quoted(self.name)} (\n  {body}\n){storage}"

    def _row(self, row: Sequence[float | None]) -> str:
        return f"({', '.join(_value(value, self.dialect) for value in row)})"


def table_statements(model: Model, dialect: Dialect) -> tuple[list[list[str]], JoinedCells]:
    """Statements that make each of the model's tables, and what scores by them.

    Raises
    ------
    SegqlError
        When the model needs no table, its cells cannot be read or are too many, or the dialect
        refuses a table's name.
    """
    kept = model.scorer
    if not isinstance(kept, KeptCells):
        raise SegqlError(
            "form 'tables' is not possible for this model because it needs none: it is scored by "
            "an expression of its columns; use form 'query'"
        )
    # The version in the name: a query keeps to the tables that it was written with.
    names = [f"{model.name}_{model.version}_{what}" for what in ("levels", "cells")]
    for name in names:
        check_name(dialect, "tables", "model name", str(model.name), name)
    rows = cell_rows(model, kept, MOST_ROWS)
    double, integer = dialect.double, dialect.integer
    axes = range(1, model.space.size + 1)
    grids = Columns(
        dialect, names[0], {"level": integer}, {"cells_per_unit": double, "squared_reach": double}
    )
    cells = Columns(
        dialect,
        names[1],
        {"level": integer, **{f"cell_{axis}": double for axis in axes}, "place": integer},
        {f"point_{axis}": double for axis in axes} | {"segment_id": integer},
    )
    levels = [(number, 1.0 / level.side, level.eps**2) for number, level in enumerate(kept.levels)]
    grid_table, cell_table = (
        exp.to_table(dialect.quoted(name), dialect=dialect.name) for name in names
    )
    scorer = JoinedCells(
        safe_space(model, dialect), model.points, kept.levels, grid_table, cell_table, model.id
    )
    return [grids.statements(levels), cells.statements(rows)], scorer


def exact(query: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Write numbers so that the engine reads the very doubles, as those in the tables are."""
    if not dialect.misreads_decimals:
        return query

    def quotient(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Literal) and not node.is_string and "e" in str(node.this):
            return exp.Paren(this=parse_one(_quotient(float(node.this)), dialect=dialect.name))
        return node

    return query.transform(quotient)


def _value(value: float | None, dialect: Dialect) -> str:
    """Print NULL, a whole number, or a double with every digit."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if dialect.underflow_fails and abs(value) < NOTHING:
        # So is the row's coordinate, and the square of a difference must not underflow.
        value = 0.0
    if dialect.misreads_decimals:
        return _quotient(value)
    text = sql.digits(value)
    return f"CAST('{text}' AS {dialect.double})" if dialect.cast_literals else text


def _quotient(value: float) -> str:
    """Print a double as whole numbers and powers of two, which nothing rounds."""
    mantissa, exponent = math.frexp(value)
    whole, exponent = int(mantissa * 2.0**53), exponent - 53
    while whole and whole % 2 == 0 and exponent < 0:
        whole, exponent = whole // 2, exponent + 1
    text, sign = f"{whole}.0", "*" if exponent > 0 else "/"
    left = abs(exponent) if whole else 0
    while left:
        step = min(left, SHIFT)
        text, left = f"{text} {sign} {2**step}.0", left - step
    return text
