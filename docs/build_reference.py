"""Write docs/reference.md: every SQL function, from its declaration, with its example run."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

import segql
from segql.functions.models import FIT_OPTIONS, MODEL_FUNCTIONS
from segql.functions.session import FUNCTIONS
from segql.functions.shared_macros import TABLE_MACROS

PAGE = Path(__file__).with_name("reference.md")
HEAD = """# SQL reference

This page is written by `docs/build_reference.py` from the functions themselves, and a test runs
every example again. **An underscore needs this session's Python, a dot is in the file and works
from anywhere**: `segql_kmeans(…)` is there after `segql.register(con)` or in `segql shell`;
`segql.predict(…)` answers any DuckDB client, read-only and without Python.
"""
SHOP = [
    """create table customer_features as
    select
        'C' || lpad(i::varchar, 2, '0') as customer_id,
        5 + (i * 7) % 11 + 60 * (i % 3 // 2) as recency,
        1 + (i * 5) % 4 + 9 * (i % 3 // 2 = 0 and i % 2 = 0)::integer as frequency,
        20 + (i * 13) % 17 + 200 * (i % 3 = 1)::integer as monetary
    from range(1, 25) as numbers (i)""",
    """create table new_customers as
    select * from (values ('N1', 8, 3, 230), ('N2', 70, 1, 25))
        as given (customer_id, recency, frequency, monetary)""",
]
FITS = [
    "select segql_fit('customers', 'customer_features', {id: 'customer_id', k: [2, 4]}).k",
    "select segql_fit('projected', 'customer_features', {id: 'customer_id', k: 3, pca: 2}).k",
    "select segql_fit('tree', 'customer_features', "
    "{id: 'customer_id', k: 3, algorithm: 'hierarchical'}).k",
    "select segql_fit('dense', 'customer_features', "
    "{id: 'customer_id', algorithm: 'dbscan', eps: 1.2, min_samples: 4}).k",
]
SCALARS = [
    (
        "<model>_segment(…)",
        "segment_id of one row: arguments in the order of `feature_info`, each nameable, "
        "by default NULL.",
        "select segql.customers_segment(recency := 8, frequency := 3, monetary := 230) as segment",
    ),
    (
        "<model>_segment_key(…)",
        "segment_key of one row, in the same way.",
        "select customer_id, segql.customers_segment_key(recency, frequency, monetary) as key "
        "from new_customers",
    ),
]
PATTERNS = [
    (
        "Cluster without a model",
        "The labels come in the order of the list, so ids that were listed beside the points go "
        "with them.",
        "select unnest(ids) as customer_id, unnest(result.labels) as label from ("
        "select list(customer_id order by customer_id) as ids, "
        "segql_kmeans(list([recency, monetary] order by customer_id), 2) as result "
        "from customer_features) limit 3",
    ),
    (
        "Cluster each group",
        "One statement, a clustering a group. A group with fewer distinct rows than k is refused: "
        "leave it out with `having count(distinct [recency, monetary]) >= 2`.",
        "select frequency > 5 as is_frequent, segql_kmeans(list([recency, monetary]), 2).centroids "
        "as centroids from customer_features group by all order by all",
    ),
    (
        "Fit once, though asked for each field",
        "`unnest` of a struct calls its function once a field. A fit that changes nothing is the "
        "same model, so this is right; a materialized CTE asks once.",
        "with fitted as materialized (select segql_fit('customers', 'customer_features', "
        "{id: 'customer_id', k: [2, 4]}) as model) "
        "select model.model_version, model.is_new, model.k from fitted",
    ),
    (
        "Roll back",
        "Every version stays callable by `version := n`; macros and `is_current` change together.",
        "select model_name, model_version, is_current from segql.models order by all",
    ),
]


def main() -> int:
    """Write the page, or with ``--check`` tell whether it is as it would be written."""
    text = page()
    if "--check" in sys.argv[1:]:
        return int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE} is written")
    return 0


def page() -> str:
    """Text of the page; every example on it is run."""
    with duckdb.connect() as con:
        con.execute("set threads = 1")
        segql.register(con)
        for statement in [*SHOP, *FITS]:
            con.execute(statement).fetchall()
        parts = [HEAD, _shop(con), "## Functions of a session\n"]
        parts += [_session_function(con, function) for function in FUNCTIONS]
        parts.append("## Models, from SQL\n")
        for function in MODEL_FUNCTIONS:
            called = ", ".join(item.replace(" := null", "?") for item in function.parameters)
            notes = ""
            if function.name == "segql_fit":
                notes = _listed("Options", FIT_OPTIONS)
            parts.append(
                _entry(con, f"{function.name}({called})", function.summary, notes, function.example)
            )
        # The examples above have dropped and changed models.
        for statement in FITS:
            con.execute(statement).fetchall()
        parts.append("## Macros of the file\n")
        for macro in TABLE_MACROS:
            called = f"segql.{macro.name}({', '.join(macro.parameters)})"
            parts.append(_entry(con, called, macro.summary, "", macro.example))
        parts += [_entry(con, f"segql.{name}", says, "", example)
                  for name, says, example in SCALARS]  # fmt: skip
        parts.append("## Patterns\n")
        parts += [_entry(con, title, says, "", example, code=False)
                  for title, says, example in PATTERNS]  # fmt: skip
    return "\n".join(parts)


def _shop(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.sql("from customer_features order by customer_id limit 3")
    return (
        "The examples run on two small tables, `customer_features` (24 rows) and `new_customers`, "
        f"and on models of them.\n\n```text\n{_table(rows)}\n```\n"
    )


def _session_function(con: duckdb.DuckDBPyConnection, function: object) -> str:
    lines = {item.name: item.description for item in function.parameters}
    notes = _listed("Arguments", lines) + _listed("Options", dict(function.options))
    return _entry(con, function.signature, function.summary, notes, function.example)


def _entry(
    con: duckdb.DuckDBPyConnection,
    called: str,
    summary: str,
    notes: str,
    example: str,
    *,
    code: bool = True,
) -> str:
    title = f"`{called}`" if code else called
    shown = f"```sql\n{example};\n```\n```text\n{_table(con.sql(example))}\n```\n"
    return f"### {title}\n\n{summary}\n\n{notes}{shown}"


def _listed(title: str, items: dict[str, str]) -> str:
    if not items:
        return ""
    lines = "\n".join(f"- `{name}`: {says}" for name, says in items.items())
    return f"{title}:\n\n{lines}\n\n"


def _table(rows: duckdb.DuckDBPyRelation) -> str:
    """Rows as plain columns: the same on every version of DuckDB."""
    names = rows.columns
    cells = [[_cell(value) for value in row] for row in rows.fetchall()]
    widths = [max(len(text) for text in column) for column in zip(names, *cells, strict=True)]
    lines = [names, ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "[" + ", ".join(_cell(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_cell(item)}" for key, item in value.items()) + "}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
