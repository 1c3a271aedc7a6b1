"""The recipe's closed option list, and what "auto" decides about each column."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest

import segql
from segql import sql_text as sql
from segql.errors import SegqlError
from segql.model import Model
from segql.recipe import kind_of, plan
from segql.sql_text import MOST_EQUATIONS

TYPES = {"id": "BIGINT", "Amount": "DOUBLE", "channel": "VARCHAR", "member": "BOOLEAN"}

WRONG: list[tuple[str, Any, list[str]]] = [
    # column, options, what the message names
    ("Amount", {"scal": "robust"}, ["unknown option 'scal'", "'scale'", "impute, indicator"]),
    ("Amount", {1: "robust"}, ["unknown option '1'"]),
    ("Amount", {"scale": "standart"}, ["unknown scale 'standart'", "'standard'", "minmax"]),
    ("Amount", {"scale": 3}, ["scale got 3", "standard"]),
    ("Amount", {"scale": ["standard"]}, ["scale got ['standard']"]),
    ("Amount", {"scale": {"standard": 2}}, ["scale standard got 2; accepted: no parameter", "2"]),
    ("Amount", {"scale": {"standard": 1, "robust": 1}}, ["scale got"]),
    ("Amount", {"scale": None}, ["scale got None"]),
    ("Amount", {"impute": "medain"}, ["unknown impute 'medain'", "'median'", "constant"]),
    ("Amount", {"impute": "constant"}, ["impute constant got None", "a number"]),
    ("Amount", {"impute": {"constant": "x"}}, ["impute constant got 'x'"]),
    ("Amount", {"impute": {"constant": True}}, ["impute constant got True"]),
    ("Amount", {"impute": {"constant": float("nan")}}, ["impute constant got nan"]),
    ("Amount", {"impute": {"constant": 1e101}}, ["impute constant got 1e+101"]),
    ("Amount", {"impute": {"median": 1}}, ["impute median takes no parameter"]),
    ("Amount", {"transform": "log"}, ["unknown transform 'log'", "'log1p'", "winsorize"]),
    ("Amount", {"transform": {"log1p": 2}}, ["transform log1p takes no parameter"]),
    ("Amount", {"transform": {"winsorize": 0.1}}, ["winsorize got 0.1", "[0.01, 0.99]"]),
    ("Amount", {"transform": {"winsorize": [0.9, 0.1]}}, ["winsorize got [0.9, 0.1]"]),
    ("Amount", {"transform": {"winsorize": [0.1]}}, ["winsorize got [0.1]"]),
    ("Amount", {"transform": {"winsorize": [-0.1, 0.5]}}, ["winsorize got"]),
    ("Amount", {"transform": {"winsorize": [0.1, 1.5]}}, ["winsorize got"]),
    ("Amount", {"transform": {"winsorize": ["a", "b"]}}, ["winsorize got"]),
    ("Amount", {"transform": {"winsorize": [float("nan"), 1]}}, ["winsorize got"]),
    ("Amount", {"transform": {"winsorize": [False, True]}}, ["winsorize got"]),
    ("Amount", {"encode": "one_hot"}, ["unknown encode 'one_hot'", "'onehot'"]),
    ("Amount", {"weight": 0}, ["weight got 0", "above 0"]),
    ("Amount", {"weight": -1}, ["weight got -1"]),
    ("Amount", {"weight": "2"}, ["weight got '2'"]),
    ("Amount", {"weight": True}, ["weight got True"]),
    ("Amount", {"weight": float("inf")}, ["weight got inf"]),
    ("Amount", {"indicator": 1}, ["indicator got 1", "true, false"]),
    ("Amount", {"indicator": "yes"}, ["indicator got 'yes'"]),
    ("Amount", "standard", ["options got 'standard'", "impute"]),
    ("Amount", ["standard"], ["options got ['standard']"]),
    ("channel", {"encode": "none"}, ["is text", "encode", "onehot, ordinal, frequency"]),
    ("channel", {"scale": "standard"}, ["is text", "encode"]),
    ("channel", {"encode": "onehot", "scale": "none"}, ["take no indicator"]),
    ("channel", {"encode": "onehot", "transform": "log1p"}, ["take no indicator"]),
    ("channel", {"encode": "onehot", "indicator": True}, ["take no indicator"]),
    ("channel", {"encode": "onehot", "impute": "median"}, ["'median'", "mode, constant"]),
    ("channel", {"encode": {"onehot": {"top": 0}}}, ["onehot got", "at least 1"]),
    ("channel", {"encode": {"onehot": {"top": 2.5}}}, ["onehot got"]),
    ("channel", {"encode": {"onehot": {"top": True}}}, ["onehot got"]),
    ("channel", {"encode": {"onehot": {"tpo": 3}}}, ["onehot got", "top"]),
    ("channel", {"encode": {"onehot": "all"}}, ["onehot got 'all'"]),
    ("channel", {"encode": {"ordinal": {"ordre": ["a"]}}}, ["ordinal got", "order"]),
    ("channel", {"encode": {"ordinal": {"order": "web"}}}, ["ordinal got"]),
    ("channel", {"encode": {"ordinal": {"order": []}}}, ["ordinal got"]),
    ("channel", {"encode": {"ordinal": {"order": ["a", "a"]}}}, ["ordinal got", "distinct"]),
    ("channel", {"encode": {"ordinal": {"order": ["web"]}}}, ["no place for 'store'", "web"]),
    ("channel", {"encode": {"frequency": 3}}, ["encode frequency takes no parameter"]),
    ("member", {"scale": "standrd"}, ["unknown scale 'standrd'", "'standard'"]),
]


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    con.execute(
        'create table t as select i as id, i * 1.5 as "Amount", '
        "case when i % 2 = 0 then 'web' else 'store' end as channel, i % 3 = 0 as member "
        "from range(40) as r (i)"
    )
    return con


@pytest.mark.parametrize(
    ("column", "options", "said"), WRONG, ids=[f"{row[0]}-{row[1]!r}"[:60] for row in WRONG]
)
def test_wrong_options_name_column_option_value_and_what_is_accepted(
    shop: duckdb.DuckDBPyConnection, column: str, options: Any, said: list[str]
) -> None:
    with pytest.raises(SegqlError) as caught:
        segql.fit(shop, "t", id="id", k=2, features={column: options})
    message = str(caught.value)
    assert f"'{column}'" in message
    for part in said:
        assert part in message, message


def test_options_none_and_names_in_any_case() -> None:
    plans, _ = plan(TYPES, {"AMOUNT": None, "member": {}}, "id")
    assert [(item.name, item.kind, item.options) for item in plans] == [
        ("Amount", "number", {}),
        ("member", "boolean", {}),
    ]


@pytest.mark.parametrize(
    ("column_type", "kind"),
    [
        ("TINYINT", "number"), ("UBIGINT", "number"), ("HUGEINT", "number"), ("FLOAT", "number"),
        ("DECIMAL(18,3)", "number"), ("DOUBLE", "number"), ("BOOLEAN", "boolean"),
        ("VARCHAR", "text"), ("ENUM('a', 'b')", "text"), ("DATE", "date"), ("TIMESTAMP", "date"),
        ("TIMESTAMP WITH TIME ZONE", "date"), ("TIME", "date"), ("INTERVAL", "date"),
        ("DOUBLE[]", None), ("INTEGER[3]", None), ("VARCHAR[]", None), ("DATE[]", None),
        ("STRUCT(a INTEGER)", None), ("MAP(VARCHAR, INTEGER)", None), ("BLOB", None),
        ("UUID", None), ("BIT", None), ("JSON", None), ("UNION(num INTEGER, str VARCHAR)", None),
    ],
)  # fmt: skip
def test_kinds_of_columns(column_type: str, kind: str | None) -> None:
    assert kind_of(column_type) == kind


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        ("tinyint", "i % 100"), ("usmallint", "i"), ("hugeint", "i"), ("float", "i / 3"),
        ("decimal(18, 3)", "i / 7"), ("boolean", "i % 3 = 0"), ("varchar", "'v' || i % 4"),
        ("enum ('a', 'b')", "['a', 'b'][1 + i % 2]"),
    ],
)  # fmt: skip
def test_every_usable_type_is_fitted_and_scored(
    con: duckdb.DuckDBPyConnection, column_type: str, value: str
) -> None:
    con.execute(
        f"create table t as select i as id, ({value})::{column_type} as v, i % 11 as w "
        "from range(60) as r (i)"
    )
    segql.fit(con, "t", id="id", name="m", k=3, features=["v", "w"])
    scored = con.sql("from segql.predict('m', 't') order by id").fetchall()
    macro = con.sql("select segql.m_segment(v, w) from t order by id").fetchall()
    assert [row[3] for row in scored] == [row[0] for row in macro]
    assert None not in {row[3] for row in scored}


def auto(con: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str]) -> Model:
    con.execute(
        """
        create table t as select i as key_number, i as customer_id, 'u' || i as uuid,
            i * 3 as order_key, ln(1 + i * 7919 % 1009) as spend,
            -3.0 * ln(1 + i * 7919 % 1009) + (i % 5) * 1e-3 as spend_copy,
            exp((i * 104729 % 997) / 150.0) as skewed, (i * 31 % 17)::int as visits,
            5 as constant, null::double as missing, case when i % 2 = 0 then 7.0 end as half,
            'only' as one_level, 'n' || i as wide, ['x', 'y', 'z'][1 + i * 7919 % 3] as channel,
            i % 4 = 0 as member, date '2025-01-01' + i::int as first_seen,
            timestamp '2025-01-01' as seen_at, interval 1 day as gap, [i, i] as pair,
            {'a': i} as nested, 'x'::blob as bytes, gen_random_uuid() as random_uuid
        from range(800) as r (i)
        """
    )
    model = segql.fit(con, "t", id="key_number", name="m", k=3)
    capsys.readouterr()
    return model


def test_auto_decisions(con: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str]) -> None:
    model = auto(con, capsys)
    assert model.recipe.names == ["spend", "skewed", "visits", "channel", "member"]
    reasons = {item.column: (item.used, item.reason) for item in model.recipe.decisions}
    expected = {
        "customer_id": "the name says that it is an id", "uuid": "an id", "order_key": "an id",
        "spend_copy": "near-copy of spend (correlation -1.000)", "constant": "only one value",
        "missing": "no usable value", "half": "only one value", "one_level": "only one value",
        "wide": "categories", "first_seen": "a date", "seen_at": "a date", "gap": "a date",
        "pair": "type BIGINT[]", "nested": "type STRUCT", "bytes": "type BLOB",
    }  # fmt: skip
    for column, reason in expected.items():
        used, said = reasons[column]
        assert not used
        assert reason in said, (column, said)
    assert not reasons["random_uuid"][0]
    assert "key_number" not in reasons
    assert reasons["skewed"] == (True, "impute median → log1p → standard")
    assert reasons["spend"] == (True, "impute median → standard")
    assert reasons["channel"] == (True, "onehot (3 levels)")
    stored = con.sql("select input, used, reason from segql.feature_info('m')").fetchall()
    assert {row[0]: row[1] for row in stored} == {
        column: used for column, (used, _) in reasons.items()
    }
    assert all(row[2] for row in stored)


def test_auto_says_what_it_decided(
    con: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    con.execute("create table t as select i as id, i % 7 as a, 1 as b from range(50) as r (i)")
    segql.fit(con, "t", id="id", name="m", k=2)
    said = capsys.readouterr().out
    assert "segql: features of m" in said
    assert "+ a: impute median → standard" in said
    assert "- b: only one value" in said
    segql.fit(con, "t", id="id", name="m", k=2, features=["a"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("noise", "copy"), [(0.15, True), (0.25, False)])
def test_near_copies_from_correlation_098(
    con: duckdb.DuckDBPyConnection, noise: float, copy: bool
) -> None:
    rng = np.random.default_rng(4)
    first = rng.normal(1e6, 1, 4000)
    second = (first - 1e6) + rng.normal(0, noise, 4000)
    correlation = np.corrcoef(first, second)[0, 1]
    assert (correlation >= 0.98) == copy
    con.execute("create table t (id int, a double, b double)")
    con.executemany(
        "insert into t values (?, ?, ?)",
        [(i, *pair) for i, pair in enumerate(zip(first, second, strict=True))],
    )
    model = segql.fit(con, "t", id="id", k=2)
    assert model.recipe.names == (["a"] if copy else ["a", "b"])


def test_asked_for_constants_are_kept_and_explicit_features_in_order(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    shop.execute("create table u as select *, 4 as constant from t")
    model = segql.fit(shop, "u", id="id", k=2, features=["constant", "member", "Amount"])
    assert model.recipe.names == ["constant", "member", "Amount"]
    assert model.recipe.dimensions()[0].factor == 1.0


def test_predictions_of_an_earlier_model_are_left_out(shop: duckdb.DuckDBPyConnection) -> None:
    segql.fit(shop, "t", id="id", name="m", k=2, features=["Amount"])
    shop.execute("create table scored as from segql.predict('m', 't')")
    model = segql.fit(shop, "scored", id="id", k=2)
    assert not {"segment_id", "segment_key", "distance", "confidence"} & set(model.recipe.names)


@pytest.mark.parametrize("size", [1, 2, MOST_EQUATIONS, MOST_EQUATIONS + 1, 3000])
def test_one_of_any_number_of_items(size: int) -> None:
    items = [f"it's {number}" for number in range(size)]
    test = sql.text(sql.one_of(sql.column("x"), [sql.string(item) for item in items]))
    with duckdb.connect() as con:
        found = con.execute(
            f'select {test} from (values (?), (?), (?), (null)) as t("x")',
            [items[0], items[-1], "another"],
        ).fetchall()
    assert found == [(True,), (True,), (False,), (None,)]
    assert (" IN " in test) == (size > MOST_EQUATIONS)
