"""Small sqlglot helpers shared by everything that writes SQL: names, numbers, sums, sub-queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlglot import exp

Expr = exp.Expr

#: Prefix of every scratch column; an input column that starts with it is refused. It is short,
#: since the text of a wide model names a scratch column for each feature and segment.
SCRATCH = "_sq_"
#: A number beyond this counts as missing, as NaN and infinity do: its cube must stay finite.
LARGEST = 1e100

#: A choice of more items than this is written as IN.
MOST_EQUATIONS = 100


def column(name: str, table: str | None = None) -> exp.Column:
    """Name a column, always quoted, optionally qualified."""
    return exp.column(exp.to_identifier(name, quoted=True), table=table, quoted=True)


def scratch(name: str) -> exp.Column:
    """Name a scratch column of a layered query."""
    return column(SCRATCH + name)


def number(value: float) -> Expr:
    """Write a double literal that no engine reads as a decimal."""
    text = digits(value)
    negative = text.startswith("-")
    text = text.lstrip("-")
    literal = exp.Literal(this=text, is_string=False)
    return exp.Neg(this=literal) if negative else literal


def digits(value: float) -> str:
    """Print every digit of a double, as no decimal (``2.0`` becomes ``2.0e0``)."""
    text = repr(float(value))
    if "inf" in text or "nan" in text:
        raise ValueError(f"a learned number must be finite, got {text}")
    return text if "e" in text else text + "e0"


def integer(value: int) -> Expr:
    """Write an integer literal."""
    return exp.Literal.number(value)


def string(value: str) -> exp.Literal:
    """Write a string literal, quotes doubled by the generator."""
    return exp.Literal.string(value)


def double(expression: Expr) -> exp.Cast:
    """Cast to a double."""
    return exp.Cast(this=expression, to=exp.DataType.build("double"))


def total(terms: Iterable[Expr]) -> Expr:
    """Add terms; the tree is balanced so that two hundred features do not nest two hundred deep."""
    return _fold(list(terms), lambda left, right: exp.Add(this=left, expression=right))


def _fold(terms: list[Expr], join: Callable[[Expr, Expr], Expr]) -> Expr:
    if not terms:
        return number(0.0)
    while len(terms) > 1:
        pairs = [join(terms[i], terms[i + 1]) for i in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[len(pairs) * 2 :]
    return terms[0]


def product(left: Expr, right: Expr) -> Expr:
    """Multiply; sums are put in parentheses."""
    return exp.Mul(this=_wrap(left), expression=_wrap(right))


def minus(left: Expr, right: Expr) -> Expr:
    """Subtract; the right side is put in parentheses when it needs them."""
    return exp.Sub(this=left, expression=_wrap(right))


def _wrap(expression: Expr) -> Expr:
    if isinstance(expression, exp.Binary | exp.Neg):
        return exp.Paren(this=expression)
    return expression


def case(branches: Iterable[tuple[Expr, Expr]], otherwise: Expr | None = None) -> exp.Case:
    """Write a searched CASE."""
    result = exp.Case(ifs=[exp.If(this=when, true=then) for when, then in branches])
    if otherwise is not None:
        result.set("default", otherwise)
    return result


def compare(kind: type[exp.Binary], left: Expr, right: Expr) -> Expr:
    """Compare two expressions with the given operator node."""
    return kind(this=left, expression=right)


def both(*conditions: Expr) -> Expr:
    """Join conditions with AND."""
    return exp.and_(*conditions, wrap=False)


def one_of(value: Expr, items: Sequence[Expr]) -> Expr:
    """Tell whether a value equals one of the items.

    DuckDB makes a join of every IN, and a query that uses the column often has as many: 37
    countries cost a pass three seconds of planning, as equations nothing. It reads no more than
    a thousand equations, though.
    """
    if len(items) > MOST_EQUATIONS:
        return exp.In(this=value.copy(), expressions=list(items))
    return _fold(
        [compare(exp.EQ, value.copy(), item) for item in items],
        lambda left, right: exp.Or(this=left, expression=right),
    )


def absolute(expression: Expr) -> exp.Abs:
    """Absolute value."""
    return exp.Abs(this=expression)


def usable(value: Expr, limit: float = LARGEST) -> Expr:
    """Tell a number to compute with from NULL, NaN, infinity and what is beyond the limit.

    NaN compares greater than every number on the engines that have it, so one comparison serves.
    """
    return compare(exp.LTE, absolute(value), number(limit))


def least(terms: Sequence[Expr]) -> Expr:
    """Smallest of the terms, which are all NULL or none; a single term is itself.

    ``ignore_nulls`` is what DuckDB's LEAST does: without it sqlglot guards every term.
    """
    if len(terms) == 1:
        return terms[0]
    return exp.Least(this=terms[0], expressions=list(terms[1:]), ignore_nulls=True)


def not_below_zero(value: Expr) -> Expr:
    """Raise what rounding left a hair below zero to zero."""
    return exp.Greatest(this=number(0.0), expressions=[value], ignore_nulls=True)


def alias(expression: Expr, name: str) -> Expr:
    """Name an expression, quoted."""
    return exp.alias_(expression, name, quoted=True)


def star(table: str | None = None) -> Expr:
    """All columns, optionally of one table."""
    if table is None:
        return exp.Star()
    return exp.Column(this=exp.Star(), table=exp.to_identifier(table, quoted=True))


def relation(source: Expr, name: str) -> exp.Table:
    """FROM item of a table function or table, under an alias."""
    named = exp.TableAlias(this=exp.to_identifier(name, quoted=True))
    if isinstance(source, exp.Table):
        table = source.copy()
        table.set("alias", named)
        return table
    return exp.Table(this=source, alias=named)


def layer(source: exp.Query | exp.Table, *columns: Expr, keep: bool = True) -> exp.Select:
    """Select over a table or a sub-query; ``keep`` carries all of its columns along.

    Each layer names what the next one uses, so that an expression is written, and computed, once.
    """
    # The parts belong to the new query: copying them at each layer would be quadratic.
    inner = source if isinstance(source, exp.Table) else source.subquery("layer", copy=False)
    carried = [exp.Star()] if keep else []
    return exp.Select().select(*carried, *columns, copy=False).from_(inner, copy=False)


def text(expression: Expr, dialect: str = "duckdb") -> str:
    """Print an expression in a dialect."""
    return expression.sql(dialect=dialect)


def quoted(name: str) -> str:
    """Print any name in DuckDB's SQL."""
    return text(exp.to_identifier(name, quoted=True))


def literal(value: str) -> str:
    """Print any text in DuckDB's SQL."""
    return text(string(value))
