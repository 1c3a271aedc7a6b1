"""What the engines differ in, as far as an exported model meets it: one row of facts each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from segql.errors import SegqlError, unknown

#: What a model's arithmetic needs, by the names that most engines give it.
ARITHMETIC = frozenset({"ABS", "LN", "POWER", "SQRT", "LEAST", "FLOOR", "ROW_NUMBER"})


@dataclass(frozen=True)
class Dialect:
    """Facts of an engine's SQL.

    Attributes
    ----------
    name : str
        Also sqlglot's name of it.
    double, text, integer, boolean : str
        Types of a function's arguments and of its result.
    functions : frozenset of str
        The only functions that an exported text may call.
    least : str
        The smallest of several scalars. Its NULL rule does not matter: the scores of a row are
        all NULL or none is.
    exact : str, optional
        How ``x`` is compared byte by byte, where ``=`` on text ignores case or trailing blanks.
    exact_literal : str, optional
        The same for the literal that ``x`` is compared with.
    decimal_literals : bool
        Whether ``2.0e0`` is a decimal number, so that CASE of literals must be cast.
    cast_literals : bool
        Whether a decimal literal cannot hold every double: each is then cast from text.
    has_truth_values : bool
        Whether a boolean column is a condition by itself.
    underflow_fails : bool
        Whether arithmetic that rounds to zero is an error.
    fence : str, optional
        What keeps an optimizer from writing a sub-query's columns out wherever they are named,
        which multiplies the work with each layer.
    longest_name : int, optional
        Bytes that a name holds.
    plain_names : bool
        Whether a function's name holds only letters, digits and underscores.
    folds_case : bool
        Whether two arguments may not differ in case only.
    looks_up_keys : bool
        Whether a join looks rows up by a table's primary key; MariaDB compares all pairs without.
    storage : str
        What a CREATE TABLE ends with.
    batch : int
        Rows of one INSERT: what SQL Server takes, and less than the megabyte that BigQuery reads.
        For Spark each INSERT is a job.
    misreads_decimals : bool
        Whether a decimal literal may be read as the neighbour of the nearest double.
    deep_query : str, optional
        Setting without which the engine gives up on a query of more than forty layers: Spark
        needs four rounds of its analyzer for a level of cells, and has a hundred.
    """

    name: str
    double: str
    text: str
    integer: str = "INTEGER"
    boolean: str = "BOOLEAN"
    functions: frozenset[str] = ARITHMETIC
    least: str = "LEAST"
    exact: str | None = None
    exact_literal: str | None = None
    decimal_literals: bool = False
    cast_literals: bool = False
    has_truth_values: bool = True
    underflow_fails: bool = False
    fence: str | None = None
    longest_name: int | None = None
    plain_names: bool = False
    folds_case: bool = False
    looks_up_keys: bool = False
    storage: str = ""
    batch: int = 1000
    misreads_decimals: bool = False
    deep_query: str | None = None

    def quoted(self, name: str) -> str:
        """A name, quoted."""
        return exp.to_identifier(name, quoted=True).sql(dialect=self.name)


_ALL = (
    Dialect(
        "duckdb", "DOUBLE", "VARCHAR",
        functions=ARITHMETIC | {
            "COALESCE", "COUNT", "ERROR", "LIST_EXTRACT", "LIST_MIN", "LIST_POSITION",
            "LIST_TRANSFORM", "NULLIF", "STRUCT_EXTRACT",
        },
    ),
    Dialect(
        "postgres", "DOUBLE PRECISION", "TEXT",
        decimal_literals=True, underflow_fails=True, fence="offset", longest_name=63,
        looks_up_keys=True,
    ),
    Dialect(
        "spark", "DOUBLE", "STRING",
        integer="INT", plain_names=True, folds_case=True, storage="USING PARQUET",
        batch=10_000, deep_query="SET spark.sql.analyzer.maxIterations = 1000",
    ),
    Dialect(
        "databricks", "DOUBLE", "STRING",
        integer="INT", longest_name=255, plain_names=True, folds_case=True, batch=10_000,
    ),
    Dialect(
        "bigquery", "FLOAT64", "STRING",
        integer="INT64", boolean="BOOL", longest_name=256, plain_names=True, folds_case=True,
    ),
    Dialect("snowflake", "DOUBLE", "VARCHAR", cast_literals=True, longest_name=255),
    Dialect(
        "redshift", "DOUBLE PRECISION", "VARCHAR(65535)",
        decimal_literals=True, cast_literals=True, underflow_fails=True, longest_name=127,
    ),
    Dialect("trino", "DOUBLE", "VARCHAR", folds_case=True),
    Dialect(
        "clickhouse", "Nullable(Float64)", "Nullable(String)",
        integer="Nullable(Int32)", functions=ARITHMETIC | {"ARRAYMAP", "TUPLE"},
        storage="ENGINE=MergeTree ORDER BY tuple()",
    ),
    Dialect(
        "mysql", "DOUBLE", "TEXT CHARACTER SET utf8mb4",
        integer="INT",
        exact="CAST(CAST(x AS CHAR CHARACTER SET utf8mb4) AS BINARY)",
        fence="limit", longest_name=64, folds_case=True, looks_up_keys=True,
    ),
    Dialect(
        "sqlite", "REAL", "TEXT",
        least="MIN", functions=(ARITHMETIC - {"LEAST"}) | {"MIN"},
        exact="x COLLATE BINARY", fence="limit", looks_up_keys=True, misreads_decimals=True,
    ),
    Dialect(
        "tsql", "FLOAT", "NVARCHAR(MAX)",
        integer="INT", boolean="BIT", functions=(ARITHMETIC - {"LN"}) | {"LOG"},
        exact="CAST(CAST(x AS NVARCHAR(MAX)) AS VARBINARY(MAX))",
        exact_literal="CAST(x AS VARBINARY(MAX))",
        has_truth_values=False, longest_name=128, folds_case=True, looks_up_keys=True,
    ),
)  # fmt: skip
BY_NAME: Mapping[str, Dialect] = {dialect.name: dialect for dialect in _ALL}
#: Every dialect that a model can be written in.
DIALECTS = tuple(BY_NAME)
#: Engines that read another's dialect.
SAME_AS = {"mariadb": "mysql"}


def dialect_of(name: object) -> Dialect:
    """Facts of a dialect.

    Raises
    ------
    SegqlError
        When the name is not in :data:`DIALECTS`.
    """
    known = SAME_AS.get(str(name), str(name))
    if known not in BY_NAME:
        raise SegqlError(unknown("dialect", name, DIALECTS))
    return BY_NAME[known]
