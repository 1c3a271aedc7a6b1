"""Write docs/engines.md: every algorithm in every dialect and form, as the export itself says."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

import segql
from segql.exporting.dialects import DIALECTS
from segql.exporting.writing import FORMS
from segql.model import Model

PAGE = Path(__file__).with_name("engines.md")
#: Engines that run every form that they have, in `make engines`; the others' texts are parsed.
EXECUTED = ("duckdb", "postgres", "spark", "sqlite", "mysql", "clickhouse")
HEAD = """# Models on other engines

This page is written by `docs/build_engines.py`, and a test compares it with what the export says.

A model that was learned in DuckDB is exported with `segql export NAME --dialect D --form F` or
`model.sql(dialect, form)`: a **query** with the prediction columns, an **expression** or a
**function** that gives the segment_id alone, the **rules**, a CASE of plain conditions that
gives most rows their segment_key, or **tables**, a script that makes the table a density model
needs and ends in the query that joins with it.

- *executed*: `make engines` runs this text on the engine and compares every row with DuckDB's: on
  the customers of Online Retail where that file is, and on odd values (NULL, NaN, infinity, huge,
  tiny, unseen categories, quotes, backslashes and percent signs in categories and names).
  Segments must be equal on every row, distance and confidence to 1e-9.
- *parsed*: the text is compared with a golden one and read back by that engine's grammar in
  sqlglot, and it calls only functions that the engine has. **It was not executed.**

"""
NOTES = """
## What to know

- **Names are quoted as they were learned.** In Snowflake a column that was made without quotes is
  `RECENCY`, so give a view with lower-case names. A name that an engine would cut, fold or not
  read is refused.
- **Numbers** are doubles with every digit. Redshift and Snowflake get them as casts of text, since
  their decimals hold 37 places. LN and POWER may differ between engines in the last digit.
- **Missing numbers**: NULL, NaN where the engine has it, infinity, and what is beyond the limit
  of its column. NaN needs no test of its own: the comparison `abs(x) <= limit` is false for it,
  or NaN is greater than all numbers. MySQL, SQLite and SQL Server have no NaN.
- **LEAST** gives NULL for one NULL on BigQuery, MySQL, Redshift, Snowflake, SQLite (`min`) and
  Trino, and passes over it elsewhere; ClickHouse changed from one to the other. A row's scores
  are all NULL or none is (tested), so both rules give the same. SQL Server has LEAST since 2022.
- **Text that is no number** is an error of CAST in most engines, 0 in SQLite and MySQL. Columns
  of numbers should be typed as numbers.
- **Categories** are compared byte by byte; MySQL, SQL Server and SQLite, whose `=` may ignore
  case or trailing blanks, are told so. Redshift ignores trailing blanks. In MySQL the connection's
  character set must be utf8mb4 for names beyond ASCII, and NO_BACKSLASH_ESCAPES must be off.
- **A category that is a number or a truth value in its table** is compared by its value, since
  engines print `1e-07` and `true` in ways of their own, and is an argument of that type. Models
  that were stored before this was so compare its text: fit them again. Whole numbers beyond 2^53
  are compared as text; -0.0 and 0.0 are one category.
- **Rules** compare a column as it is: which side of a bound NaN is on is the engine's choice.
- **Long texts**: Spark takes a minute to compile a tree of a hundred micro-clusters (a query of
  75 KB), and SQLite minutes for its expression (700 KB); the query takes SQLite a second.
- **PostgreSQL** fails where others round to zero: what is within 1e-120 of zero on the scaled
  axis is zero there, and the base of a negative power is bounded. Its function is PL/pgSQL with a
  variable for each score, faster than the expression: an SQL function with a sub-query is not
  inlined, and without one every score is computed for each comparison.
- **Queries** in PostgreSQL, MySQL and SQLite hold an OFFSET or LIMIT in each sub-query, so that
  the optimizer does not write each score out wherever it is named.
- **MySQL and MariaDB**: a function is two statements, and its body holds semicolons: send each of
  `model.sql_statements("mysql", "function")` by a driver, or set DELIMITER in the client. CAST AS
  DOUBLE needs MySQL 8.0.17 or MariaDB.
- **SQLite** must be compiled with its mathematical functions (LN, POWER, SQRT), as Python's is.
- **Spark** has SQL functions since 4.0. For an HDBSCAN model of more than sixteen levels the script
  raises `spark.sql.analyzer.maxIterations`; on Databricks, set it on the cluster.
- **SQL Server** and **Redshift** take arguments by place: a column that is no plain name is
  `@argument_n` in the former, and in the latter no argument has a name.
- **Density models up to three dimensions** are scored by an equi-join with cells that list points.
  Form `tables` is a script: DROP, CREATE TABLE, INSERT, and the query. The table's name holds the
  model's version, so a script run for a later version leaves the earlier query its table. A model
  of more than a million listed points is refused; its rules need no table.
"""
FITS = {
    "k-means": "id: 'id', k: 3, features: ['a', 'b', 'place']",
    "k-means on principal components": "id: 'id', k: 3, pca: 2, features: ['a', 'b', 'c']",
    "hierarchical": "id: 'id', k: 3, algorithm: 'hierarchical', features: ['a', 'b']",
    "DBSCAN, HDBSCAN (up to 3 dimensions)": "id: 'id', algorithm: 'dbscan', eps: 0.5, "
    "min_samples: 4, features: ['a', 'b']",
    "DBSCAN, HDBSCAN (more dimensions)": "id: 'id', algorithm: 'hdbscan', min_samples: 4, "
    "features: ['a', 'b', 'c', 'd']",
}


def models(con: duckdb.DuckDBPyConnection) -> dict[str, Model]:
    """Fit a small model for each kind of scoring."""
    segql.register(con)
    con.execute(
        """create table customers as select i as id, 10 * (i % 3) + (i * 7) % 11 * 0.1 as a,
        6 * (i % 3) + (i * 5) % 7 * 0.1 as b, (i % 3) + (i * 3) % 13 * 0.05 as c,
        (i * 11) % 17 * 0.1 as d, 'place ' || i % 2 as place from range(36) as numbers (i)"""
    )
    found = {}
    for number, (kind, options) in enumerate(FITS.items()):
        con.execute(f"select segql_fit('m{number}', 'customers', {{{options}}})")
        found[kind] = segql.load(con, f"m{number}")
    return found


def cell(model: Model, dialect: str, form: str) -> tuple[str, str | None]:
    """Whether a text exists and ran, or why not."""
    try:
        text = model.sql(dialect, form)
    except segql.SegqlError as error:
        said = str(error).replace(f"model {model.name!r}", "this model")
        return "no", said.replace(f"in {dialect}", "there")
    assert text
    return ("executed" if dialect in EXECUTED else "parsed"), None


def page() -> str:
    """Text of the whole page."""
    reasons: list[str] = []
    parts = [HEAD]
    with duckdb.connect() as con:
        for kind, model in models(con).items():
            parts.append(f"## {kind}\n\n| dialect | {' | '.join(FORMS)} |\n")
            parts.append("| --- " * (len(FORMS) + 1) + "|\n")
            for dialect in DIALECTS:
                words = []
                for form in FORMS:
                    word, reason = cell(model, dialect, form)
                    if reason is not None:
                        if reason not in reasons:
                            reasons.append(reason)
                        word = f"no ({reasons.index(reason) + 1})"
                    words.append(word)
                parts.append(f"| {dialect} | {' | '.join(words)} |\n")
            parts.append("\n")
    parts.append("## Reasons\n\n")
    parts.extend(f"{number}. {reason}.\n" for number, reason in enumerate(reasons, start=1))
    return "".join([*parts, NOTES])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
