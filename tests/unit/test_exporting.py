"""Models as SQL of other engines: goldens, read back, functions that the engine has, refusals."""

from __future__ import annotations

import os
import pickle
import re
import sqlite3
import weakref
from dataclasses import replace

import duckdb
import pytest
import sqlglot
from exported import BY_CELLS, GOLDEN, NAMES, written_model
from sqlglot import exp

import segql
from segql import sql_text as sql
from segql.exporting.checking import called, check
from segql.exporting.dialects import BY_NAME, DIALECTS
from segql.exporting.portable import portable
from segql.exporting.tables import quotient
from segql.exporting.writing import FORMS
from segql.model import Model

#: Write the goldens anew: SEGQL_WRITE_GOLDENS=1 pytest tests/unit/test_exporting.py
WRITES = bool(os.environ.get("SEGQL_WRITE_GOLDENS"))


def possible(name: str, dialect: str, form: str) -> bool:
    """Whether a model can be written, as the documents say."""
    if form == "rules":
        return True
    if form == "tables":
        return name in BY_CELLS
    if name in BY_CELLS:
        return dialect == "duckdb" and form != "expression"
    return not (dialect == "sqlite" and form == "function")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", NAMES)
def test_every_form_is_golden_and_read_back_or_refused(name: str, dialect: str) -> None:
    model = written_model(name)
    for form in FORMS:
        if not possible(name, dialect, form):
            with pytest.raises(segql.SegqlError, match="not possible"):
                model.sql(dialect, form)
            continue
        text = model.sql(dialect, form)
        path = GOLDEN / dialect / f"{name}.{form}.sql"
        if WRITES:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text + "\n"
        if form != "function":
            # What was read is what was meant: printed again, it is the same text.
            query = model.sql_statements(dialect, form)[-1]
            assert sqlglot.parse_one(query, dialect=dialect).sql(dialect=dialect) == query


#: Whose CREATE FUNCTION sqlglot reads as a statement with parts, not as words.
READ = ("duckdb", "spark", "databricks", "bigquery", "snowflake", "clickhouse")


@pytest.mark.parametrize("dialect", READ)
def test_function_statements_are_read(dialect: str) -> None:
    for name in NAMES[:4]:
        parsed = sqlglot.parse_one(written_model(name).sql(dialect, "function"), dialect=dialect)
        assert isinstance(parsed, exp.Create)
        assert parsed.find(exp.Table).name == f"{name}_segment"  # type: ignore[union-attr]


def test_no_golden_is_left_over() -> None:
    wanted = {
        f"{dialect}/{name}.{form}.sql"
        for dialect in DIALECTS for name in NAMES for form in FORMS
        if possible(name, dialect, form)
    }  # fmt: skip
    found = {str(path.relative_to(GOLDEN)) for path in GOLDEN.glob("*/*.sql")}
    assert found == wanted


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_function_that_the_engine_lacks_is_refused(dialect: str) -> None:
    known = BY_NAME[dialect]
    for text in ("nosuch(1)", "1 + ABS(nosuch (2))"):
        with pytest.raises(segql.SegqlError, match=rf"not possible in {dialect} because .* NOSUCH"):
            check(text, known)
    assert called("CASE WHEN 'f(1)' IN ('g(2)') THEN ABS(1) END", known) == {"ABS"}
    with pytest.raises(segql.SegqlError, match="cannot be read back"):
        check("CASE WHEN", known)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_text_survives(dialect: str) -> None:
    for text in ("a'b", "back\\slash", "end\\", "new\nline", "%s {x} $$ $1 ? :a", "é☃", '"`[]'):
        condition = sql.compare(exp.EQ, sql.column("a"), sql.string(text))
        printed = sql.text(portable(condition, BY_NAME[dialect]), dialect)
        parsed = sqlglot.parse_one(printed, dialect=dialect)
        literals = [*parsed.find_all(exp.National, exp.Literal)]
        assert [literal.name for literal in literals if literal.name] == [text]


@pytest.mark.parametrize("dialect", ["mysql", "tsql", "sqlite"])
def test_categories_are_compared_byte_by_byte(dialect: str) -> None:
    text = written_model("kmeans").sql(dialect, "expression")
    word = {"mysql": "AS BINARY", "tsql": "VARBINARY", "sqlite": "COLLATE BINARY"}[dialect]
    assert text.count(word) >= text.count("back") > 0


def test_scores_are_all_null_or_none() -> None:
    """Engines differ in what LEAST makes of a NULL among numbers: it is never asked."""
    for name in NAMES[:4]:
        model = written_model(name)
        columns = ", ".join(
            sql.text(sql.column(feature.name))
            + (" boolean" if feature.kind == "boolean" else " varchar")
            for feature in model.recipe.features
        )
        layers = model.assignment.assigned(
            model.space.inputs(sql.relation(exp.to_table("t"), "source"))
        )
        least = [node for node in layers.find_all(exp.Least)]
        assert least
        with duckdb.connect() as con:
            con.execute(f"create table t ({columns})")
            for odd in [None, *model.recipe.names]:
                con.execute("delete from t")
                values = ["null" if feature == odd else "'1'" for feature in model.recipe.names]
                con.execute(f"insert into t values ({', '.join(values)})")
                for node in least:
                    holder = node.find_ancestor(exp.Select)
                    assert holder is not None
                    terms = exp.select(
                        *(sql.alias(term.copy(), f"t{i}")
                          for i, term in enumerate([node.this, *node.expressions]))
                    ).from_(holder.args["from_"].this.copy())  # fmt: skip
                    row = con.execute(sql.text(terms)).fetchone()
                    assert row is not None
                    assert len({value is None for value in row}) == 1


def test_many_scores_are_compared_by_parts() -> None:
    """SQLite takes 127 arguments."""
    terms = [sql.column(f"s{number}") for number in range(512)]
    call = portable(sql.least(terms), BY_NAME["sqlite"])
    parts = list(call.find_all(exp.Anonymous))
    assert max(len(part.expressions) for part in parts) <= 100
    assert [column.name for column in call.find_all(exp.Column, bfs=False)] == [
        term.name for term in terms
    ]


def test_postgres_function_is_short() -> None:
    """Six features and eight segments under 8 KB."""
    with duckdb.connect() as con:
        con.execute(
            "select setseed(0.25); create table t as select i as id, "
            + ", ".join(f"exp(random() * {n + 3}) as feature_{n}" for n in range(6))
            + " from range(400) r(i)"
        )
        features = {f"feature_{n}": {"transform": "log1p"} for n in range(6)}
        model = segql.fit(con, "t", id="id", k=8, features=features, name="m")
    assert len(model.sql("postgres", "function").encode()) < 8000


def test_postgres_never_underflows() -> None:
    """It fails where others give zero: at x next to nothing, at a huge base's negative power."""
    text = written_model("kmeans").sql("postgres", "expression")
    bounded = re.findall(r"POWER\(CASE WHEN \(.*?\) > (\S+) THEN", text)
    assert bounded
    assert all(float(most) ** -4.5 > 0 for most in bounded)
    model = written_model("hdbscan")
    first = model.recipe.features[0]
    centred = replace(first, moments=replace(first.moments, mean=0.0))
    recipe = replace(model.recipe, features=[centred, *model.recipe.features[1:]])
    text = replace(model, recipe=recipe).sql("postgres", "expression")
    assert re.search(r"WHEN ABS\(.*?\) < 1e-1\d\d THEN 0.0e0", text)


def named(name: str, **names: str) -> Model:
    """The model under another name, with other columns."""
    model = written_model("hdbscan")
    features = [
        replace(feature, name=names.get(feature.name, feature.name))
        for feature in model.recipe.features
    ]
    return replace(model, name=name, recipe=replace(model.recipe, features=features))


@pytest.mark.parametrize(
    ("dialect", "model", "said"),
    [
        ("bigquery", named("vip é"), "in bigquery for model name 'vip é' because a function's na"),
        ("spark", named("a.b"), "in spark for model name 'a.b' because a function's name there"),
        ("postgres", named("x" * 60), "name there holds at most 63 bytes"),
        ("mysql", named("m", a="A", b="a"), "it does not tell columns 'A' and 'a' apart"),
        ("tsql", named("m", a="x" * 200), "name there holds at most 128 bytes"),
        ("duckdb", replace(written_model("kmeans"), name=None), "needs the model's name"),
    ],
)
def test_names_that_an_engine_refuses(dialect: str, model: Model, said: str) -> None:
    with pytest.raises(segql.SegqlError, match=said) as caught:
        model.sql(dialect, "function")
    assert "\n" not in str(caught.value)
    if model.name:
        assert model.sql(dialect, "query")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_reserved_names_are_quoted(dialect: str) -> None:
    model = named("order", a="select", b="group", c="table", d="user name")
    for form in ("query", "expression", "function"):
        if possible("hdbscan", dialect, form):
            text = model.sql(dialect, form)
            assert not re.search(r"(?<![\w\"`\[@])(group|table|user name)(?![\w\"`\]])", text)


def test_arguments_without_quotes() -> None:
    text = named("m", a="a b", b="a]b").sql("tsql", "function")
    assert text.startswith("CREATE OR ALTER FUNCTION [m_segment](@argument_1 FLOAT, @argument_2")
    assert "$1" in named("m", a="a b").sql("redshift", "function")
    assert "a b" not in named("m", a="a b").sql("redshift", "function")


def test_a_body_cannot_end_its_quotes() -> None:
    model = written_model("kmeans")
    evil = "$$ $segql$; drop table t; --"
    country = next(f for f in model.recipe.features if f.name == "country")
    onehot = replace(country.onehot, levels=(evil, *country.onehot.levels[1:]))  # type: ignore[union-attr]
    features = [
        replace(f, onehot=onehot) if f is country else f  # type: ignore[call-arg]
        for f in model.recipe.features
    ]
    model = replace(model, recipe=replace(model.recipe, features=features))
    assert "$segql_$\nEND" not in model.sql("postgres", "function")
    assert model.sql("postgres", "function").endswith("\n$segql_$")
    parsed = sqlglot.parse_one(model.sql("snowflake", "function"), dialect="snowflake")
    assert isinstance(parsed, exp.Create)
    assert evil in parsed.expression.name


def test_mariadb_reads_mysql() -> None:
    model = written_model("kmeans")
    assert model.sql("mariadb", "function") == model.sql("mysql", "function")
    dropped, created = model.sql_statements("mysql", "function")
    assert dropped == "DROP FUNCTION IF EXISTS `kmeans_segment`"
    assert created.startswith("CREATE FUNCTION `kmeans_segment`(")


@pytest.mark.parametrize("dialect", ["oracle", "", "Postgres", None])
def test_unknown_dialects_get_the_list(dialect: str) -> None:
    for form in FORMS:
        with pytest.raises(segql.SegqlError, match=r"unknown dialect .*duckdb, postgres, .*, tsql"):
            written_model("kmeans").sql(dialect, form)


def test_tables_are_of_the_version_and_numbers_keep_every_digit() -> None:
    """Rows of another version stay out; what PostgreSQL cannot square is zero there."""
    text = written_model("dbscan").sql("postgres", "tables")
    assert "(0, 12.0e0, -3.0e0, 0, NULL, NULL, 1)" in text
    assert "(0, -1.0e0, 0.0e0, 1, -0.1e0, 0.30000000000000004e0, 1)" in text
    assert "(0, -1.0e0, 0.0e0, 2, 0.0e0, -2.5e-07, 2)" in text
    assert "1e-130, -2.5e-07, 2)" in written_model("dbscan").sql("mysql", "tables")
    assert "9.0e0" not in text


@pytest.mark.parametrize(
    "value", [0.1, -2 / 3, 5e-324, 2.2250738585072014e-308, 1e22, 1.5e300, 0.0, 123456789.123456789]
)
def test_quotients_are_the_number(value: float) -> None:
    """Whole numbers and powers of two up to 2^62, in SQLite as in Python."""
    text = quotient(value)
    assert eval(text) == value
    assert all(float(part) < 2**63 for part in re.split("[*/]", text))
    with sqlite3.connect(":memory:") as con:
        assert con.execute(f"select {text}").fetchone() == (value,)


def test_rows_of_an_insert_are_what_an_engine_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(0, float(number), 0.0, 0, None, None, 1) for number in range(12_001)]
    monkeypatch.setattr("segql.exporting.tables.cell_rows", lambda *_: rows)
    for dialect, sizes in (("tsql", [1000] * 12 + [1]), ("spark", [10_000, 2001])):
        inserts = written_model("dbscan").sql_statements(dialect, "tables")[2:-1]
        assert [insert.count("\n") for insert in inserts] == sizes


def gone() -> Model:
    """The model whose connection is no more."""
    con = duckdb.connect()
    return replace(written_model("dbscan"), home=weakref.ref(con))


def of_another(home: duckdb.DuckDBPyConnection) -> Model:
    """The model with a connection to a database that has nothing of it."""
    return replace(written_model("dbscan"), home=weakref.ref(home))


EMPTY = duckdb.connect()
CLOSED = duckdb.connect()
CLOSED.close()


@pytest.mark.parametrize(
    ("dialect", "model", "said"),
    [
        ("spark", replace(written_model("dbscan"), name="a.b"), "a table's name there holds only"),
        ("postgres", replace(written_model("dbscan"), name="é" * 30), "holds at most 63 bytes"),
        ("duckdb", gone(), "connection to that is gone; use segql.load with a connection that"),
        ("duckdb", replace(written_model("dbscan"), home=None), "connection to that is gone"),
        ("duckdb", of_another(EMPTY), "version 1 are not in the current database 'memory'; say"),
        ("duckdb", of_another(CLOSED), "the DuckDB connection cannot be used"),
        ("tsql", written_model("kmeans"), "not possible for this model because it needs none: it "),
        ("tsql", written_model("hdbscan"), "expression of its columns; use form 'query'"),
    ],
)
def test_tables_that_cannot_be_written(dialect: str, model: Model, said: str) -> None:
    with pytest.raises(segql.SegqlError, match=said) as caught:
        model.sql(dialect, "tables")
    assert "\n" not in str(caught.value)


def test_too_many_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segql.exporting.tables.MOST_ROWS", 4)
    with pytest.raises(segql.SegqlError, match="would write 5 rows; accepted: up to 4 "):
        written_model("dbscan").sql("postgres", "tables")


TWO_GROUPS = """create table t as select i as id, i * 0.37 % 1 + i % 2 * 9 as a,
    i * 0.73 % 1 as b from range(60) as r(i)"""


def test_cells_that_were_not_stored() -> None:
    with duckdb.connect() as con:
        con.execute(TWO_GROUPS)
        options = {"id": "id", "features": ["a", "b"], "algorithm": "dbscan"}
        model = segql.fit(con, "t", name=None, **options)
        for form in ("tables", "query"):
            with pytest.raises(segql.SegqlError, match="those were not stored; "):
                model.sql("duckdb", form)
        kept = segql.fit(con, "t", name="m", **options)
        again = pickle.loads(pickle.dumps(kept))
        assert again.home is None
        assert kept.sql("mysql", "tables") == segql.load(con, "m").sql("mysql", "tables")
        with pytest.raises(segql.SegqlError, match="is gone"):
            again.sql("mysql", "tables")


def test_tables_of_an_older_version_stay_its_own() -> None:
    with duckdb.connect() as con:
        con.execute(TWO_GROUPS)
        options = {"id": "id", "name": "m", "algorithm": "dbscan"}
        segql.fit(con, "t", features=["a"], **options)
        segql.fit(con, "t", features=["a", "b"], **options)
        for version, columns in ((1, 1), (2, 2)):
            text = segql.load(con, "m", version=version).sql("snowflake", "tables")
            assert f'"m_{version}_cells"' in text
            assert f'"m_{3 - version}_cells"' not in text
            assert text.count('"cell_2"') == (0 if columns == 1 else text.count('"cell_1"'))
