"""A registry that was changed by hand is refused in one line, or it answers as SQL does."""

from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import load_frame, shop_frame

import segql
from segql.model import Model

ATTACK = "x'); drop table precious; --"
#: What takes the place of each value in turn; the texts are written into the JSON as they stand.
HOSTILE = [
    "null", "true", "-1", "0", "1e999", "NaN", "-Infinity", "1e308", "9" * 400, "9" * 5000, '""',
    '"x"', json.dumps(ATTACK), json.dumps('"; drop table precious; --'), "[]", "{}", "[[]]",
    '{"a": 1}', "[1, 2]", "[" * 60 + "]" * 60, "0.5", "3",
]  # fmt: skip
MODELS: dict[str, dict[str, Any]] = {
    "recipes": {
        "k": 3, "pca": 3,
        "features": {
            "recency": {"impute": "mean", "indicator": True, "transform": "winsorize"},
            "frequency": {"transform": "yeo_johnson", "scale": "robust"},
            "monetary": {"transform": "log1p", "scale": "minmax", "weight": 2},
            "channel": {"encode": {"onehot": {"top": 1}}}, "newsletter": {"encode": "frequency"},
        },
    },
    "ordinal": {"k": 2, "features": {"channel": {"encode": "ordinal"}, "monetary": {}}},
    "tree": {"algorithm": "hierarchical", "k": 3, "features": ["recency", "monetary"]},
    "dense": {"algorithm": "dbscan", "eps": 0.3, "features": ["recency", "monetary"]},
    "balls": {
        "algorithm": "dbscan", "eps": 1.0,
        "features": ["recency", "monetary", "frequency", "newsletter"],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        load_frame(con, "t", shop_frame(150))
        con.execute("create table precious as select 1 as x")
        for name, options in MODELS.items():
            segql.fit(con, "t", id="customer_id", name=name, **options)
        yield con


def stored(con: duckdb.DuckDBPyConnection, name: str) -> str:
    [(state,)] = con.execute(
        "select state from segql.models where model_name = ?", [name]
    ).fetchall()
    return str(state)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands; of a long list the ends stand for all."""
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index in {0, len(value) - 1} if value else ():
            yield from places(value[index], (*path, index))


def changed(state: Any, path: tuple[Any, ...], text: str) -> str:
    """The JSON with a text, as it stands, in one place."""
    if not path:
        return text
    state = copy.deepcopy(state)
    inside = state
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = "@here@"
    return json.dumps(state).replace('"@here@"', text)


def without(state: Any, path: tuple[Any, ...]) -> str:
    state = copy.deepcopy(state)
    inside = state
    for key in path[:-1]:
        inside = inside[key]
    del inside[path[-1]]
    return json.dumps(state)


def refusal(call: Callable[[], object]) -> str | None:
    """What a call refuses with, None when it does not; any other error fails the test."""
    try:
        call()
    except segql.SegqlError as error:
        return str(error)
    return None


def put(con: duckdb.DuckDBPyConnection, name: str, column: str, value: Any) -> None:
    con.execute(f"update segql.models set {column} = ? where model_name = ?", [value, name])


@pytest.mark.parametrize("name", list(MODELS))
def test_every_place_of_a_state(shop: duckdb.DuckDBPyConnection, name: str) -> None:
    """Refused as one line that names the place; what is accepted is SQL that reads one relation."""
    before = stored(shop, name)
    state = json.loads(before)
    refusals, accepted = 0, []
    for path in places(state):
        tampered = [changed(state, path, text) for text in HOSTILE]
        tampered += [without(state, path)] if path else []
        for text in tampered:
            said = refusal(lambda text=text: Model.parts_from_state(text))
            if said is None:
                accepted.append(text)
                continue
            refusals += 1
            assert re.fullmatch(r"the stored model cannot be read: .{1,400}", said)
    assert refusals > 15 * len(list(places(state)))
    for text in accepted[:: max(1, len(accepted) // 10)]:
        put(shop, name, "state", text)
        said = refusal(lambda: segql.load(shop, name))
        assert said is None or "cannot be read" in said
        if said is None:
            model = segql.load(shop, name)
            assert len(duckdb.extract_statements(model.sql())) == 1
            # A column that the rows lack, or the mark of other cells.
            with contextlib.suppress(segql.SegqlError, duckdb.BinderException):
                answer = segql.predict(shop, model, "t").aggregate("count(*)").fetchall()
                assert answer == [(150,)]
        assert shop.execute("from precious").fetchall() == [(1,)]
    put(shop, name, "state", before)
    assert segql.load(shop, name).state() == before


def test_a_state_that_nests_without_end(shop: duckdb.DuckDBPyConnection) -> None:
    before = stored(shop, "ordinal")
    for text in ("[" * 100_000, '{"a":' * 100_000, "", "no JSON", "[1, 2", "\x01", "null"):
        put(shop, "ordinal", "state", text)
        with pytest.raises(segql.SegqlError, match=r"^model 'ordinal' version 1: the store"):
            segql.load(shop, "ordinal")
        # What needs the model says so, and changes nothing.
        with pytest.raises(segql.SegqlError, match="cannot be read"):
            segql.use_version(shop, "ordinal", 1)
        with pytest.raises(segql.SegqlError, match="cannot be read"):
            segql.fit(shop, "t", id="customer_id", name="ordinal", **MODELS["ordinal"])
    # A model that cannot be read can still go.
    shop.begin()
    assert segql.drop(shop, "ordinal") == [1]
    shop.rollback()
    put(shop, "ordinal", "state", before)
    assert segql.load(shop, "ordinal").state() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("delete from segql.segments where model_name = 'tree' and segment_id = 2",
         r"segments.segment_id got \[1, 3\]; accepted: 1 to 3"),
        ("update segql.segments set segment_id = 1 where model_name = 'tree'", "segments.segment_"),
        ("update segql.segments set segment_key = null where model_name = 'tree'", "got None"),
        ("update segql.segments set segment_key = 'S1' where model_name = 'tree'",
         "segments.segment_key got 'S1'; accepted: a name that no other segment has"),
        ("update segql.models set silhouette = null where model_name = 'tree'", "silhouette got"),
        ("update segql.models set options = '[1' where model_name = 'tree'", r"options got '\[1'"),
        ("update segql.models set options = '3' where model_name = 'tree'", "accepted: a JSON obj"),
        ("alter table segql.trials drop column gap", "Binder Error"),
    ],
)  # fmt: skip
def test_rows_beside_the_state(shop: duckdb.DuckDBPyConnection, change: str, said: str) -> None:
    shop.begin()
    try:
        shop.execute(change)
        with pytest.raises(segql.SegqlError, match=f"^model 'tree' version 1: .*{said}") as caught:
            segql.load(shop, "tree")
        assert "\n" not in str(caught.value)
    finally:
        shop.rollback()


@pytest.mark.parametrize(
    "condition",
    [
        "true) then 'x' end; drop table precious; --", "getenv('HOME') = 'x'",
        "monetary in (select 1)", "read_text('/etc/passwd') is null", "elsewhere > 1",
        "precious.x = 1", "monetary > (", "",
        "(select max(x) from precious) > monetary", "*", "$1 = monetary", "monetary > pi()",
    ],
)  # fmt: skip
def test_conditions_of_rules(shop: duckdb.DuckDBPyConnection, condition: str) -> None:
    """They are texts of the registry that become SQL elsewhere."""
    shop.begin()
    try:
        assert segql.export(segql.load(shop, "tree"), form="rules")
        shop.execute("update segql.rules set condition = ? where model_name = 'tree'", [condition])
        model = segql.load(shop, "tree")
        for dialect in ("duckdb", "postgres"):
            with pytest.raises(segql.SegqlError, match=r"rules.condition got .*accepted: compari"):
                segql.export(model, dialect=dialect, form="rules")
    finally:
        shop.rollback()


def test_nothing_unpickles_or_evaluates() -> None:
    """No door to Python code: neither pickle nor eval in the package."""
    words = (
        "pickle", "eval(", "exec(", "marshal", "joblib", "yaml.load(", "os.system", "shell=True",
    )  # fmt: skip
    found = [
        (file.name, word)
        for file in Path(segql.__file__).parent.rglob("*.py")
        for word in words
        for line in file.read_text(encoding="utf-8").splitlines()
        if word in line and not line.lstrip().startswith("#")
    ]
    assert found == []


def test_sql_that_a_transform_clause_left(shop: duckdb.DuckDBPyConnection) -> None:
    """It is written into queries: one expression of a row's columns, and nothing else."""
    segql.sql(
        shop,
        "create or replace model bq.m transform(log(monetary + 2) as m, recency) "
        "options(model_type='kmeans', num_clusters=2) as select monetary, recency from t",
    )
    state = json.loads(stored(shop, "bq.m"))
    assert refusal(lambda: Model.parts_from_state(json.dumps(state))) is None
    for place in ("prepared", "transform"):
        for text in (
            "1) from precious; drop table precious; --", "(select x from precious)", "1, 2",
            "1 from precious", "exists (from precious)", "1; select 2", "1 -- x", "", "x'",
        ):  # fmt: skip
            tampered = copy.deepcopy(state)
            tampered["bigquery"][place][0][1] = text
            said = refusal(lambda tampered=tampered: Model.parts_from_state(json.dumps(tampered)))
            assert said is not None, (place, text)
            assert f"state.bigquery.{place}[0][1] got {text!r}" in said
