"""Whatever columns, tables and models are called and hold: fit, predict, macro, and no crash."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from support import labels_of, predictions, registry_picture, scratch_objects

import segql
from segql import sql_text as sql

#: Options that let each algorithm find something in a few rows.
ALGORITHMS: dict[str, dict[str, Any]] = {
    "kmeans": {"k": 3},
    "hierarchical": {"k": 3, "linkage": "average"},
    "dbscan": {"eps": 1.2, "min_samples": 2},
    "hdbscan": {"min_samples": 2},
}
algorithms = st.sampled_from(list(ALGORITHMS))
SETTINGS = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

INJECTIONS = [
    "x'); drop table witness; --",
    'x"); drop table witness; --',
    '"; drop table witness; --',
    "'; drop schema segql cascade; --",
    "a' || (select 'b') || '",
    "$$; drop table witness; $$",
    "/* */ or 1=1",
    "{{ 1 }}",
    "x\ny",
    "%s ? $1 :name",
    "\\'; drop table witness; --",
]
NAMES = [
    "version", "model", "relation", "segment_id", "segment_key", "distance", "next_segment_id",
    "confidence", "source", "layer", "predicted", "prepared", "point", "weight", "input0", "v",
    "id2", "select", "from", "order", "null", "true", "case", "end", "group", "my column",
    "a.b", "a;b", 'say "x"', "it's", "é", "数", "😀", "MiXeD", "  padded ", "1st", "-", "*",
    "columns", "c", "__u", "lambda", "s", "u", "segql", "models", "rowid", *INJECTIONS,
]  # fmt: skip
names = st.one_of(
    st.sampled_from(NAMES),
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\0"),
        min_size=1, max_size=12,
    ),
)  # fmt: skip
doubles = st.one_of(
    st.none(),
    st.sampled_from(
        [0.0, -0.0, 1.0, -1.0, math.nan, math.inf, -math.inf, 1e100, -1e100, 1e101, 1e308, 5e-324,
         1e-300, 123456789.123456789, 2.0**53]
    ),
    st.floats(-1e6, 1e6),
    st.integers(-5, 5).map(float),
)  # fmt: skip
texts = st.one_of(
    st.none(),
    st.sampled_from(["a", "b", "c", "", "other", "NULL", "null", *INJECTIONS]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)
booleans = st.one_of(st.none(), st.booleans())


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def create(
    con: duckdb.DuckDBPyConnection, table: str, columns: dict[str, tuple[str, list[Any]]]
) -> None:
    listed = ", ".join(f"{quoted(name)} {kind}" for name, (kind, _) in columns.items())
    con.execute(f"create or replace table {quoted(table)} ({listed})")
    rows = list(zip(*(values for _, values in columns.values()), strict=True))
    marks = ", ".join("?" for _ in columns)
    con.executemany(f"insert into {quoted(table)} values ({marks})", rows)


def distinct(found: list[str]) -> bool:
    """SQL does not tell names apart that differ in case only, nor segql its scratch names."""
    return len({name.lower() for name in found}) == len(found) and not any(
        name.lower().startswith(sql.SCRATCH) for name in found
    )


def check_scores(
    con: duckdb.DuckDBPyConnection, model: str, table: str, id_column: str, scorable: list[bool]
) -> None:
    """Python, table macro and scalar macro agree; each row has a segment, or NULL by the rule."""
    fitted = segql.load(con, model)
    rows = segql.predict(con, model, table)
    ids = [row[0] for row in con.execute(
        f"select {quoted(id_column)} from {quoted(table)} order by 1").fetchall()]  # fmt: skip
    clash = id_column.lower() in ("segment_id", "segment_key", "distance", "next_segment_id",
                                  "confidence")  # fmt: skip
    assert not clash
    python = predictions(rows, id_column)
    assert list(python[id_column]) == ids
    expected = labels_of(python)
    assert [label is not None for label in expected] == scorable
    least = 1 if fitted.algorithm in ("kmeans", "hierarchical") else 0
    assert all(label is None or least <= label <= fitted.k for label in expected)
    as_text = sql.text(sql.string(model))
    target = sql.text(sql.string(quoted(table)))
    macro = predictions(con.sql(f"from segql.predict({as_text}, {target})"), id_column)
    assert labels_of(macro) == expected
    assert list(macro.columns) == list(python.columns)
    arguments = ", ".join(quoted(name) for name in fitted.recipe.names)
    function = quoted(f"{model}_segment")
    scalar = con.execute(
        f"select segql.{function}({arguments}) from {quoted(table)} order by {quoted(id_column)}"
    ).fetchall()
    assert [row[0] for row in scalar] == expected
    for label, distance, confidence in zip(
        expected, python["distance"], python["confidence"], strict=True
    ):
        if label:
            assert distance >= 0
            assert 0 <= confidence <= 1
        else:
            assert pd.isna(distance)
            assert pd.isna(confidence)


@SETTINGS
@given(
    id_column=st.sampled_from(["id", "customer id", 'the "id"', "version", "source", "ID'", "é"]),
    columns=st.lists(names, min_size=2, max_size=4),
    table=names,
    model=names,
    algorithm=algorithms,
)
def test_odd_names(
    id_column: str, columns: list[str], table: str, model: str, algorithm: str
) -> None:
    assume(distinct([id_column, *columns]))
    assume(model.strip() and table.strip())
    with duckdb.connect() as con:
        con.execute("create table witness as select 1 as one")
        assume(table.lower() != "witness")
        size = 24
        kinds = ["double", "varchar", "boolean", "integer"]
        makers: list[Any] = [
            lambda i: i * 1.5 if i % 5 else None,
            lambda i: ["a", "b", None][i % 3],
            lambda i: [True, False, None][i % 3],
            lambda i: i * i % 7,
        ]
        data = {id_column: ("integer", list(range(size)))}
        for index, name in enumerate(columns):
            data[name] = (kinds[index % 4], [makers[index % 4](i) for i in range(size)])
        create(con, table, data)
        fitted = segql.fit(
            con, quoted(table), id=id_column, name=model, features=columns, algorithm=algorithm,
            **ALGORITHMS[algorithm],
        )  # fmt: skip
        assert fitted.recipe.names == columns
        check_scores(con, model, table, id_column, [True] * size)
        assert con.execute("from witness").fetchall() == [(1,)]
        assert scratch_objects(con) == []
        assert segql.evaluate(con, model, quoted(table)) == pytest.approx(fitted.metrics)
        assert list(segql.models(con)["model_name"]) == [model]


number_options = st.fixed_dictionaries(
    {},
    optional={
        "impute": st.sampled_from(["median", "mean", "mode", "none", {"constant": 0}]),
        "transform": st.sampled_from(["none", "log1p", "yeo_johnson", "winsorize", "auto"]),
        "scale": st.sampled_from(["none", "standard", "minmax", "robust", "maxabs"]),
        "indicator": st.booleans(),
        "weight": st.sampled_from([0.01, 1, 3]),
    },
)
text_options = st.sampled_from(
    [{}, {"encode": "onehot"}, {"encode": {"onehot": {"top": 1}}}, {"encode": "ordinal"},
     {"encode": "ordinal", "impute": "none"}, {"encode": "frequency"},
     {"encode": "onehot", "impute": "mode"}]
)  # fmt: skip


@settings(SETTINGS, max_examples=120)
@given(data=st.data(), size=st.integers(4, 30), k=st.integers(1, 4), algorithm=algorithms)
def test_odd_values(data: st.DataObject, size: int, k: int, algorithm: str) -> None:
    """Values as no shop should have them, in every recipe; the fit is refused or right."""
    x = data.draw(st.lists(doubles, min_size=size, max_size=size))
    g = data.draw(st.lists(texts, min_size=size, max_size=size))
    b = data.draw(st.lists(booleans, min_size=size, max_size=size))
    x_options = data.draw(number_options)
    g_options = data.draw(text_options)
    with duckdb.connect() as con:
        con.execute("create table witness as select 1 as one")
        create(
            con, "t",
            {
                "id": ("integer", list(range(size))), "x": ("double", x), "g": ("varchar", g),
                "b": ("boolean", b), "w": ("double", [float(i % 4) for i in range(size)]),
            },
        )  # fmt: skip
        features = {"x": x_options, "g": g_options, "b": {}, "w": {}}
        try:
            options = ALGORITHMS[algorithm]
            if "k" in options:
                options = options | {"k": k}
            segql.fit(
                con, "t", id="id", name="m", features=features, algorithm=algorithm, **options
            )
        except segql.SegqlError as error:
            event(f"refused: {str(error)[:30]}")
            assert registry_picture(con) == {"rows": {}, "macros": []}
            assert scratch_objects(con) == []
            return
        needs_x = x_options.get("impute") == "none"
        needs_g = g_options.get("impute") == "none"
        scorable = [
            not (needs_x and (v is None or not abs(v) <= sql.LARGEST))
            and not (needs_g and t is None)
            for v, t in zip(x, g, strict=True)
        ]
        check_scores(con, "m", "t", "id", scorable)
        # New rows, every value of them shifted to another row.
        create(
            con, "later",
            {
                "id": ("integer", list(range(size))), "x": ("double", [*x[1:], 1e99]),
                "g": ("varchar", [*g[2:], "unseen", None]), "b": ("boolean", b[::-1]),
                "w": ("double", [None, *[float(i) for i in range(size - 1)]]),
            },
        )  # fmt: skip
        later = [
            not (needs_x and (v is None or not abs(v) <= sql.LARGEST))
            and not (needs_g and t in (None, "unseen"))
            for v, t in zip([*x[1:], 1e99], [*g[2:], "unseen", None], strict=True)
        ]
        check_scores(con, "m", "later", "id", later)
        assert con.execute("from witness").fetchall() == [(1,)]


@pytest.mark.parametrize("text", INJECTIONS)
def test_injections_change_nothing(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """As every argument that takes a text: refused, or taken literally."""
    con.execute("create table witness as select 1 as one")
    create(
        con, "t",
        {
            "id": ("varchar", [f"{text}{i}" for i in range(12)]),
            "x": ("double", [float(i) for i in range(12)]),
            text: ("varchar", [text, "other", None] * 4),
        },
    )  # fmt: skip
    segql.fit(con, "t", id="id", name=text, k=2, features=["x", text])
    before = registry_picture(con)
    calls: list[Any] = [
        lambda: segql.fit(con, text, id="id", name="m", k=2),
        lambda: segql.fit(con, "t", id=text, name="m", k=2, features=["x"]),
        lambda: segql.fit(con, "t", id="id", name="m", k=text),
        lambda: segql.fit(con, "t", id="id", name="m", algorithm=text),
        lambda: segql.fit(con, "t", id="id", name="m", features={"x": {text: 1}}),
        lambda: segql.fit(con, "t", id="id", name="m", features={"x": {"scale": text}}),
        lambda: segql.fit(con, "t", id="id", name="m", features={"x": {"impute": {text: 1}}}),
        lambda: segql.predict(con, text, text).fetchall(),
        lambda: segql.predict(con, "m" + text, "t").fetchall(),
        lambda: segql.evaluate(con, text, text),
        lambda: segql.load(con, text + "m"),
    ]
    for call in calls:
        with contextlib.suppress(segql.SegqlError):
            call()
    argument = sql.text(sql.string(text))
    for table in ("segments", "feature_info", "trials"):
        assert con.sql(f"from segql.{table}({argument})").fetchall()
        with pytest.raises(duckdb.Error):
            con.sql(f"from segql.{table}({sql.text(sql.string(text + 'm'))})").fetchall()
    with pytest.raises(duckdb.Error):
        con.sql(f"from segql.predict({argument}, {argument})").fetchall()
    check_scores(con, text, "t", "id", [True] * 12)
    assert con.execute("from witness").fetchall() == [(1,)]
    assert {name for name, _ in before["macros"]} <= {
        name for name, _ in registry_picture(con)["macros"]
    }
    assert before["rows"]["models"][0] in registry_picture(con)["rows"]["models"]
