"""A model's table as statements, CREATE TABLE and INSERT, and what scores by a join with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

from segql import sql_text as sql
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
#: Levels of cells, two layers each, from which on a query is a deep one.
DEEP = 16
#: Powers of two that a whole number of SQLite holds.
SHIFT = 62


def table_statements(model: Model, dialect: Dialect) -> tuple[list[str], JoinedCells]:
    """Statements that make the model's table, and what scores by it.

    Returns
    -------
    list of str, JoinedCells
        A setting where the engine needs one for the query, DROP, so that a script that ended
        half-way can be run again, CREATE, and INSERTs.

    Raises
    ------
    SegqlError
        When the model needs no table, its cells cannot be read or are too many, or the dialect
        refuses the table's name.
    """
    kept = model.scorer
    if not isinstance(kept, KeptCells):
        raise SegqlError(
            "form 'tables' is not possible for this model because it needs none: it is scored by "
            "an expression of its columns; use form 'query'"
        )
    # The version in the name: a query keeps to the table that it was written with.
    name = f"{model.name}_{model.version}_cells"
    check_name(dialect, "tables", "model name", str(model.name), name)
    rows = cell_rows(model, kept, MOST_ROWS)
    double, integer = dialect.double, dialect.integer
    axes = range(1, model.space.size + 1)
    key = {"level": integer, **{f"cell_{axis}": double for axis in axes}, "place": integer}
    others = {f"point_{axis}": double for axis in axes} | {"segment_id": integer}
    listed = ", ".join(dialect.quoted(column) for column in (*key, *others))
    head = f"INSERT INTO {dialect.quoted(name)} ({listed}) VALUES\n"
    table = exp.to_table(dialect.quoted(name), dialect=dialect.name)
    scorer = JoinedCells(safe_space(model, dialect), model.points, kept.levels, table, model.id)
    setting = [dialect.deep_query] if dialect.deep_query and len(kept.levels) > DEEP else []
    return [
        *setting,
        f"DROP TABLE IF EXISTS {dialect.quoted(name)}",
        _create(dialect, name, key, others),
        *(
            head + ",\n".join(_row(row, dialect) for row in rows[start : start + dialect.batch])
            for start in range(0, len(rows), dialect.batch)
        ),
    ], scorer


def exact(query: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Write numbers so that the engine reads the very doubles, as those in the table are.

    Bounds that no row's number comes near stay as they are.
    """
    if not dialect.misreads_decimals:
        return query

    def written(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Literal) or node.is_string or "e" not in str(node.this):
            return node
        value = float(node.this)
        if value >= sql.LARGEST:
            return node
        return exp.Paren(this=parse_one(quotient(value), dialect=dialect.name))

    return query.transform(written)


def _create(dialect: Dialect, name: str, key: dict[str, str], others: dict[str, str]) -> str:
    needed = " NOT NULL" if dialect.looks_up_keys else ""
    lines = [f"{dialect.quoted(column)} {kind}{needed}" for column, kind in key.items()]
    lines += [f"{dialect.quoted(column)} {kind}" for column, kind in others.items()]
    if dialect.looks_up_keys:
        lines.append(f"PRIMARY KEY ({', '.join(dialect.quoted(column) for column in key)})")
    body = ",\n  ".join(lines)
    storage = f" {dialect.storage}" if dialect.storage else ""
    return f"CREATE TABLE {dialect.quoted(name)} (\n  {body}\n){storage}"


def _row(row: Sequence[float | None], dialect: Dialect) -> str:
    return f"({', '.join(_value(value, dialect) for value in row)})"


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
        return quotient(value)
    text = sql.digits(value)
    return f"CAST('{text}' AS {dialect.double})" if dialect.cast_literals else text


def quotient(value: float) -> str:
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
