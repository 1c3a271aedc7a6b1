"""CREATE FUNCTION statements: the header by each engine's grammar, the body by sqlglot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from segql import sql_text as sql
from segql.errors import SegqlError
from segql.exporting.categories import compared_as
from segql.exporting.dialects import Dialect
from segql.exporting.names import PLAIN, check_apart, check_length, check_name
from segql.exporting.portable import portable, portable_scorer
from segql.exporting.stages import Stage, in_lambdas, in_select, renamed, stages_of
from segql.expressions import unqualified
from segql.features import SOURCE, CategoryFeature

if TYPE_CHECKING:
    from segql.model import Model

SUFFIX = "_segment"


@dataclass
class Function:
    """A function being written.

    Attributes
    ----------
    name : str
        Quoted.
    arguments : list of (str, str)
        Name of each feature and its type.
    parts : list of str
        Every piece of the body that sqlglot has printed.
    """

    model: Model
    dialect: Dialect
    name: str
    arguments: list[tuple[str, str]]
    parts: list[str] = field(default_factory=list)

    def printed(self, expression: exp.Expr) -> str:
        """Print a part of the body, and keep it for the check."""
        text = sql.text(portable(expression, self.dialect), self.dialect.name)
        self.parts.append(text)
        return text

    def stages(self) -> list[Stage]:
        """Stages of the scorer."""
        return stages_of(portable_scorer(self.model, self.dialect))

    def signature(self) -> str:
        """Names and types, with commas between them."""
        return ", ".join(f"{self.dialect.quoted(name)} {kind}" for name, kind in self.arguments)


def function_statements(model: Model, dialect: Dialect) -> tuple[list[str], list[str]]:
    """Statements that make the function, and the parts of its body.

    Raises
    ------
    SegqlError
        When the dialect has no such function, or refuses a name.
    """
    if dialect.name == "sqlite":
        raise SegqlError(
            "form 'function' is not possible in sqlite because it has no SQL functions; use form "
            "'query' or 'expression'"
        )
    function = _named(model, dialect)
    return BUILDERS[dialect.name](function), function.parts


def _named(model: Model, dialect: Dialect) -> Function:
    if not model.name:
        raise SegqlError(
            "form 'function' needs the model's name; use fit with a name, or form 'expression'"
        )
    name = model.name + SUFFIX
    arguments: list[tuple[str, str]] = []
    for feature in model.recipe.features:
        kind = dialect.double
        if isinstance(feature, CategoryFeature) or feature.encoding is not None:
            compared = compared_as(feature)
            kind = {"number": dialect.double, "boolean": dialect.boolean}.get(
                compared, dialect.text
            )
        elif feature.kind == "boolean":
            kind = dialect.boolean
        arguments.append((feature.name, kind))
    check_name(dialect, "function", "model name", model.name, name)
    for argument, _ in arguments:
        check_length(dialect, "function", "column", argument)
    check_apart(dialect, "function", [argument for argument, _ in arguments])
    return Function(model, dialect, dialect.quoted(name), arguments)


def _expression(function: Function) -> exp.Expr:
    scorer = portable_scorer(function.model, function.dialect)
    return unqualified(scorer.expression())


def _dollars(body: str) -> str:
    """Quote a body between dollars, with a tag that it does not hold."""
    tag = "segql"
    while f"${tag}$" in body:
        tag += "_"
    return f"${tag}$\n{body}\n${tag}$"


def _duckdb(function: Function) -> list[str]:
    # The same macro that the model leaves in its own database.
    body = function.printed(function.model.scalar_expressions()["segment"])
    arguments = ", ".join(function.dialect.quoted(name) for name, _ in function.arguments)
    return [f"CREATE OR REPLACE MACRO {function.name}({arguments}) AS (\n{body}\n)"]


def _postgres(function: Function) -> list[str]:
    # An SQL function is inlined only without a sub-query, and then each score is computed for
    # each comparison; with one it is planned for each row. Variables are faster than both.
    lines, result = _variables(function, _bare)
    body = "\n".join(["DECLARE", *lines, "BEGIN", result, "END"])
    return [
        f"CREATE OR REPLACE FUNCTION {function.name}({function.signature()})\n"
        f"RETURNS INTEGER LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS {_dollars(body)}"
    ]


def _spark(function: Function) -> list[str]:
    body = function.printed(_expression(function))
    return [
        f"CREATE OR REPLACE FUNCTION {function.name}({function.signature()})\n"
        f"RETURNS INT DETERMINISTIC\nRETURN {body}"
    ]


def _bigquery(function: Function) -> list[str]:
    body = function.printed(unqualified(in_select(function.stages())))
    return [
        f"CREATE OR REPLACE FUNCTION {function.name}({function.signature()})\n"
        f"RETURNS INT64 AS ((\n{body}\n))"
    ]


def _snowflake(function: Function) -> list[str]:
    body = function.printed(_expression(function))
    # Two dollars are its only tag; a body that holds them is written as text.
    text = f"$$\n{body}\n$$" if "$$" not in body else sql.text(sql.string(body), "snowflake")
    return [
        f"CREATE OR REPLACE FUNCTION {function.name}({function.signature()})\n"
        f"RETURNS INTEGER IMMUTABLE AS {text}"
    ]


def _redshift(function: Function) -> list[str]:
    # Arguments have no names there.
    places = {name: number for number, (name, _) in enumerate(function.arguments, start=1)}
    body = renamed(_expression(function), lambda column: exp.Var(this=f"${places[column.name]}"))
    kinds = ", ".join(kind for _, kind in function.arguments)
    return [
        f"CREATE OR REPLACE FUNCTION {function.name}({kinds})\n"
        f"RETURNS INTEGER IMMUTABLE AS {_dollars('SELECT ' + function.printed(body))} LANGUAGE sql"
    ]


def _clickhouse(function: Function) -> list[str]:
    body = function.printed(unqualified(in_lambdas(function.stages())))
    arguments = ", ".join(function.dialect.quoted(name) for name, _ in function.arguments)
    return [f"CREATE OR REPLACE FUNCTION {function.name} AS ({arguments}) ->\n{body}"]


def _variables(
    function: Function, name_of: Callable[[exp.Column], exp.Expr | None]
) -> tuple[list[str], str]:
    """Declarations of a variable for each name of each stage, and what returns the segment."""
    *stages, ((_, result), *_) = function.stages()
    lines: list[str] = []
    for stage in stages:
        for name, value in stage:
            variable = sql.text(renamed(sql.column(name), name_of), function.dialect.name)
            given = f"{function.dialect.double} {IS[function.dialect.name]}"
            lines.append(f"{variable} {given} {function.printed(renamed(value, name_of))};")
    return lines, f"RETURN {function.printed(renamed(result, name_of))};"


def _block(function: Function, name_of: Callable[[exp.Column], exp.Expr | None]) -> str:
    lines, result = _variables(function, name_of)
    return "\n".join(["BEGIN", *(f"DECLARE {line}" for line in lines), result, "END"])


#: What stands between a variable's type and its value.
IS = {"postgres": ":=", "trino": "DEFAULT", "mysql": "DEFAULT", "tsql": "="}


def _bare(column: exp.Column) -> exp.Expr | None:
    return sql.column(column.name) if column.table == SOURCE else None


def _trino(function: Function) -> list[str]:
    return [
        f"CREATE OR REPLACE FUNCTION {function.name}({function.signature()})\n"
        f"RETURNS INTEGER\nDETERMINISTIC\n{_block(function, _bare)}"
    ]


def _mysql(function: Function) -> list[str]:
    return [
        f"DROP FUNCTION IF EXISTS {function.name}",
        f"CREATE FUNCTION {function.name}({function.signature()})\n"
        f"RETURNS INT DETERMINISTIC NO SQL\n{_block(function, _bare)}",
    ]


def _tsql(function: Function) -> list[str]:
    # Arguments cannot be quoted: what is no plain name is called by its place.
    names = {
        name: f"@{name}" if PLAIN.fullmatch(name) and len(name) < 120 else f"@argument_{number}"
        for number, (name, _) in enumerate(function.arguments, start=1)
    }
    arguments = ", ".join(f"{names[name]} {kind}" for name, kind in function.arguments)

    def name_of(column: exp.Column) -> exp.Expr | None:
        return exp.Var(this=names.get(column.name, f"@{column.name}"))

    return [
        f"CREATE OR ALTER FUNCTION {function.name}({arguments})\n"
        f"RETURNS INT WITH SCHEMABINDING AS\n{_block(function, name_of)}"
    ]


BUILDERS: dict[str, Callable[[Function], list[str]]] = {
    "duckdb": _duckdb,
    "postgres": _postgres,
    "spark": _spark,
    "databricks": _spark,
    "bigquery": _bigquery,
    "snowflake": _snowflake,
    "redshift": _redshift,
    "trino": _trino,
    "clickhouse": _clickhouse,
    "mysql": _mysql,
    "tsql": _tsql,
}
