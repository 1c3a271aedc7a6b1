"""Another version made current, models dropped: from Python and SQL, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from support import load_frame, registry_picture, rounded, scratch_objects, shop_frame

import segql
from segql import schema
from segql.engines.duckdb import DuckDBEngine

Doors = dict[str, Callable[..., Any]]


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Three versions of `it's "m"`, the third one current, and a model beside it."""
    load_frame(con, "t", shop_frame(250))
    segql.register(con)
    for k in (2, 3, 4):
        fit(con, k)
    segql.fit(con, "t", id="customer_id", name="other", k=2, features=["monetary"], pca=1)
    return con


NAME = 'it\'s "m"'


def fit(con: duckdb.DuckDBPyConnection, k: int, **options: Any) -> segql.Model:
    return segql.fit(
        con, "t", id="customer_id", name=NAME, k=k,
        features=["recency", "monetary", "channel"][: 2 + (k > 2)], **options,
    )  # fmt: skip


def sql_use_version(con: duckdb.DuckDBPyConnection, name: str, version: int) -> None:
    con.execute("select segql_use_version(?, ?)", [name, version]).fetchall()


def sql_drop(con: duckdb.DuckDBPyConnection, name: str, version: int | None = None) -> list[int]:
    rows = con.execute("select segql_drop(?, ?).model_versions", [name, version]).fetchall()
    return list(rows[0][0])


USES = pytest.mark.parametrize("use", [segql.use_version, sql_use_version])
DROPS = pytest.mark.parametrize("drop", [segql.drop, sql_drop])


def answers(con: duckdb.DuckDBPyConnection, version: int | None = None) -> dict[str, Any]:
    """What every macro and Python say of a version, or of the current one."""
    quoted = NAME.replace("'", "''")
    last = "" if version is None else f", version := {version}"
    queries = {
        "predict": f"from segql.predict('{quoted}', 't'{last})",
        "explain": f"from segql.explain('{quoted}', 't'{last})",
        "anomalies": f"from segql.detect_anomalies('{quoted}', 't', 0.1{last})",
        "evaluate": f"from segql.evaluate('{quoted}', 't'{last})",
        "training": f"from segql.evaluate('{quoted}'{last})",
        "segments": f"from segql.segments('{quoted}'{last})",
        "centroids": f"from segql.centroids('{quoted}'{last})",
    }
    found: dict[str, Any] = {
        key: sorted(con.execute(query).fetchall(), key=repr) for key, query in queries.items()
    }
    # Its sums are in the order of DuckDB's groups.
    found["evaluate"] = rounded(found["evaluate"])
    model = segql.load(con, NAME, version=version)
    found["python"] = (model.version, model.k, model.keys, model.state(), model.metrics)
    return found


def scalars(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """segment_id and segment_key of each row by the model's own scalar macros."""
    [(names,)] = con.execute(
        "select parameters from duckdb_functions() where function_name = ?", [f"{NAME}_segment"]
    ).fetchall()
    quoted = NAME.replace('"', '""')
    listed = ", ".join(names)
    return con.execute(
        f'select customer_id, segql."{quoted}_segment"({listed}), '
        f'segql."{quoted}_segment_key"({listed}) from t order by 1'
    ).fetchall()


def predicted(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return (
        segql.predict(con, NAME, "t")
        .project("customer_id, segment_id, segment_key")
        .order("customer_id")
        .fetchall()
    )


# -- another version -------------------------------------------------------------------------


@USES
def test_everything_follows_the_version(shop: duckdb.DuckDBPyConnection, use: Any) -> None:
    before = {version: answers(shop, version) for version in (1, 2, 3)}
    assert answers(shop) == before[3]
    others = [macro for macro in registry_picture(shop)["macros"] if macro[0].startswith("other")]
    for version in (1, 2, 3, 1, 1):
        use(shop, NAME, version)
        assert answers(shop) == before[version]
        assert scalars(shop) == predicted(shop)
        current = "select model_name, model_version from segql.models where is_current order by all"
        assert shop.execute(current).fetchall() == [(NAME, version), ("other", 1)]
        assert {number: answers(shop, number) for number in (1, 2, 3)} == before
    macros = registry_picture(shop)["macros"]
    assert [macro for macro in macros if macro[0].startswith("other")] == others
    # Keys of the next fit are matched to the version that is current now.
    assert fit(shop, 2).keys == segql.load(shop, NAME, version=1).keys
    assert segql.load(shop, NAME).version == 4


def test_it_returns_the_model(shop: duckdb.DuckDBPyConnection) -> None:
    model = segql.use_version(shop, NAME, 2)
    assert (model.name, model.version, model.k) == (NAME, 2, 3)
    [(told,)] = shop.execute("select segql_use_version(?, 1)", [NAME]).fetchall()
    assert told == {"model_name": NAME, "model_version": 1}


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("nope", 1, f"unknown model 'nope' (accepted: {NAME}, other)"),
        (NAME, 9, f"model {NAME!r}: unknown version '9' (accepted: 1, 2, 3)"),
        (NAME, 0, "version got 0; accepted: a whole number of at least 1"),
        (NAME, -1, "version got -1; accepted: a whole number of at least 1"),
        (NAME, True, "version got True; accepted: a whole number of at least 1"),
        (NAME, "1", "version got '1'; accepted: a whole number of at least 1"),
        (NAME, None, "version got None; accepted: a whole number of at least 1"),
        (None, 1, f"unknown model 'None' (accepted: {NAME}, other)"),
        (7, 1, f"unknown model '7' (accepted: {NAME}, other)"),
    ],
)
def test_an_unknown_version_is_refused(
    shop: duckdb.DuckDBPyConnection, name: Any, version: Any, message: str
) -> None:
    before = registry_picture(shop)
    calls = [lambda: segql.use_version(shop, name, version)]
    if version is not None:
        calls.append(lambda: segql.drop(shop, name, version))
    for call in calls:
        with pytest.raises(segql.SegqlError) as caught:
            call()
        assert str(caught.value) == message
    assert registry_picture(shop) == before


def test_a_database_without_models(con: duckdb.DuckDBPyConnection) -> None:
    for call in (lambda: segql.use_version(con, "m", 1), lambda: segql.drop(con, "m")):
        with pytest.raises(segql.UnknownModelError) as caught:
            call()
        assert str(caught.value) == "unknown model 'm' (accepted: none)"
    assert con.execute("select count(*) from duckdb_schemas() where schema_name = 'segql'"
                       ).fetchall() == [(0,)]  # fmt: skip


# -- dropping --------------------------------------------------------------------------------


@DROPS
def test_a_whole_model_goes(shop: duckdb.DuckDBPyConnection, drop: Any) -> None:
    with duckdb.connect() as fresh:
        load_frame(fresh, "t", shop_frame(250))
        segql.fit(fresh, "t", id="customer_id", name="other", k=2, features=["monetary"], pca=1)
        alone, mark = registry_picture(fresh), schema.mark(DuckDBEngine(fresh))
    assert drop(shop, NAME) == [1, 2, 3]
    left = registry_picture(shop)
    # Only the mark that tells the two databases apart is another.
    own = schema.mark(DuckDBEngine(shop))
    texts = [(name, text.replace(own, mark)) for name, text in left["macros"]]
    assert texts == alone["macros"]
    assert {table: len(rows) for table, rows in left["rows"].items()} == {
        table: len(rows) for table, rows in alone["rows"].items()
    }
    for table in schema.TABLES:
        if table != "registry_info":
            named = f"select distinct model_name from segql.{table}"
            assert shop.execute(named).fetchall() in ([], [("other",)])
    with pytest.raises(duckdb.Error, match=r"unknown model .* \(known: other\)"):
        shop.execute("from segql.predict('it''s \"m\"', 't')").fetchall()
    assert scratch_objects(shop) == []
    # The name is free, also in another case, and its versions and keys start anew.
    again = segql.fit(shop, "t", id="customer_id", name=NAME.upper(), k=2, features=["recency"])
    assert (again.version, again.keys) == (1, ["S1", "S2"])


@DROPS
def test_the_last_model_goes(shop: duckdb.DuckDBPyConnection, drop: Any) -> None:
    drop(shop, NAME)
    drop(shop, "other")
    assert list(registry_picture(shop)["rows"]) == ["registry_info"]
    assert segql.models(shop).empty
    with pytest.raises(duckdb.Error, match=r"unknown model 'other' \(known: none\)"):
        shop.execute("from segql.segments('other')").fetchall()
    assert fit(shop, 2).version == 1


@DROPS
def test_an_old_version_goes(shop: duckdb.DuckDBPyConnection, drop: Any) -> None:
    kept = {version: answers(shop, version) for version in (None, 1, 3)}
    assert drop(shop, NAME, 2) == [2]
    assert {version: answers(shop, version) for version in (None, 1, 3)} == kept
    macros = {row[0] for row in registry_picture(shop)["macros"]}
    assert not {name for name in macros if name.endswith("_v2")}
    for query in ("predict('{}', 't', version := 2)", "segments('{}', version := 2)"):
        with pytest.raises(duckdb.Error, match=r"has no version 2 \(known: 1, 3\)"):
            shop.execute(f"from segql.{query.format(NAME.replace(chr(39), chr(39) * 2))}")
    for call in (lambda: segql.use_version(shop, NAME, 2), lambda: drop(shop, NAME, 2)):
        with pytest.raises((duckdb.Error, segql.SegqlError), match=r"'2' \(accepted: 1, 3\)"):
            call()
    assert fit(shop, 2).version == 4


def test_the_current_version_is_kept(shop: duckdb.DuckDBPyConnection) -> None:
    before = registry_picture(shop)
    with pytest.raises(segql.SegqlError) as caught:
        segql.drop(shop, NAME, 3)
    assert str(caught.value) == (
        f"version 3 is the current one of model {NAME!r}; accepted: make another one current first "
        "(1, 2), or drop the whole model"
    )
    with pytest.raises(segql.SegqlError, match="accepted: drop the whole model"):
        segql.drop(shop, "other", 1)
    assert registry_picture(shop) == before
    segql.use_version(shop, NAME, 1)
    assert segql.drop(shop, NAME, 3) == [3]


def test_a_density_model_goes_with_its_cells(con: duckdb.DuckDBPyConnection) -> None:
    load_frame(con, "t", shop_frame(250))
    for algorithm in ("dbscan", "hdbscan", "hierarchical"):
        segql.fit(
            con, "t", id="customer_id", name=algorithm, algorithm=algorithm,
            features=["recency", "monetary"],
        )  # fmt: skip
    assert con.execute("select count(*) > 0 from segql.cells").fetchall() == [(True,)]
    for algorithm in ("dbscan", "hdbscan", "hierarchical"):
        assert segql.drop(con, algorithm) == [1]
    picture = registry_picture(con)
    assert list(picture["rows"]) == ["registry_info"]
    assert not [name for name, _ in picture["macros"] if name.startswith(("dbscan", "h"))]


# -- transactions ----------------------------------------------------------------------------


def test_a_rollback_takes_everything_back(shop: duckdb.DuckDBPyConnection) -> None:
    before = registry_picture(shop), answers(shop)
    for change in (
        lambda: segql.use_version(shop, NAME, 1),
        lambda: segql.drop(shop, NAME, 2),
        lambda: segql.drop(shop, NAME),
        lambda: (segql.drop(shop, "other"), segql.use_version(shop, NAME, 2)),
    ):
        shop.begin()
        change()
        assert registry_picture(shop) != before[0]
        shop.rollback()
        assert (registry_picture(shop), answers(shop)) == before


def test_others_see_it_with_the_commit(shop: duckdb.DuckDBPyConnection) -> None:
    reader = shop.cursor()
    shop.begin()
    segql.use_version(shop, NAME, 1)
    segql.drop(shop, "other")
    assert answers(reader)["python"][0] == 3
    assert len(reader.execute("from segql.segments('other')").fetchall()) == 2
    shop.commit()
    assert answers(reader)["python"][0] == 1
    with pytest.raises(duckdb.Error, match="unknown model 'other'"):
        reader.execute("from segql.segments('other')")


def test_what_was_never_published(shop: duckdb.DuckDBPyConnection) -> None:
    """A version that dbt has fitted and not published yet, or has left behind."""
    assert fit(shop, 5, publish=False).version == 4
    segql.fit(shop, "t", id="customer_id", name="new", k=2, features=["recency"], publish=False)
    before = answers(shop)
    for name, version, message in (
        (NAME, 4, f"model {NAME!r}: unknown version '4' (accepted: 1, 2, 3)"),
        ("new", 1, f"unknown model 'new' (accepted: {NAME}, other)"),
    ):
        with pytest.raises(segql.UnknownModelError) as caught:
            segql.use_version(shop, name, version)
        assert str(caught.value) == message
    assert segql.drop(shop, NAME, 4) == [4]
    assert segql.drop(shop, "new") == [1]
    assert answers(shop) == before
    assert shop.execute("select count(*) from segql.models").fetchall() == [(4,)]


def test_a_dropped_version_gives_its_number_and_keys_to_no_other(
    con: duckdb.DuckDBPyConnection,
) -> None:
    load_frame(con, "t", shop_frame(250))
    options: dict[str, Any] = {"id": "customer_id", "name": "m", "features": ["recency"]}
    segql.fit(con, "t", k=2, **options)
    second = segql.fit(con, "t", k=4, **options)
    segql.use_version(con, "m", 1)
    assert segql.drop(con, "m", 2) == [2]
    third = segql.fit(con, "t", k=4, **options)
    assert third.version == 3
    assert (set(third.keys) - {"S1", "S2"}).isdisjoint(second.keys)
    segql.drop(con, "m")
    assert segql.fit(con, "t", k=2, **options).version == 1
