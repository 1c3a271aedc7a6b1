"""Several fits, readers and processes at once: one after the other or refused, never torn."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from published_shop import make_warehouse, published, rows
from support import load_frame, shop_frame

import segql
from segql import lifecycle, publishing

CONFIG = {"storage_compatibility_version": "v1.4.0"}
NUMBERS = ["recency", "frequency", "monetary"]
SIZE = 250
#: Rows, scored rows, segments, k and versions of one statement: they have to agree.
CONSISTENT = f"""
select count(*) = {SIZE} and count(segment_id) = {SIZE}
    and max(segment_id) = (select k from segql.models where model_name = 'm' and is_current)
    and (select count(*) from segql.segments('m')) = max(segment_id)
    and (select count(*) from segql.models where model_name = 'm' and is_current) = 1
from segql.predict('m', 't')
"""


@pytest.fixture
def shop(shop_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(shop_file), config=CONFIG) as con:
        load_frame(con, "t", shop_frame(SIZE))
        fit(con, 2)
        yield con


def fit(con: duckdb.DuckDBPyConnection, k: int, name: str = "m") -> segql.Model:
    return segql.fit(con, "t", id="customer_id", name=name, k=k, features=NUMBERS)


def versions(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return con.execute(
        "select model_version, k, is_current, (select count(*) from segql.segments as s where "
        "s.model_name = m.model_name and s.model_version = m.model_version) "
        "from segql.models as m where model_name = 'm' order by all"
    ).fetchall()


def threads(*calls: Callable[[], None]) -> list[BaseException]:
    """Run calls at once, and return what they raised."""
    failed: list[BaseException] = []

    def guarded(call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            failed.append(error)

    running = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return failed


def test_fits_of_one_name_while_others_read(shop: duckdb.DuckDBPyConnection) -> None:
    """Three threads fit, three predict in SQL and Python: a version a fit, one a read."""
    done: list[tuple[int, int]] = []
    ended = threading.Event()
    reads = Counter[str]()

    def writer(first: int) -> None:
        with shop.cursor() as cursor:
            for k in (first, first + 1):
                model = fit(cursor, k)
                done.append((model.version, model.k))

    def reader(python: bool) -> None:
        with shop.cursor() as cursor:
            while not ended.is_set():
                if python:
                    found = segql.predict(cursor, "m", "t").aggregate("count(segment_id) = 250")
                    reads["python", found.fetchall() == [(True,)]] += 1
                else:
                    reads["sql", cursor.execute(CONSISTENT).fetchall() == [(True,)]] += 1

    def writers() -> None:
        try:
            assert threads(*(lambda k=k: writer(k) for k in (2, 3, 4))) == []
        finally:
            ended.set()

    assert threads(writers, *(lambda p=p: reader(p) for p in (False, False, True))) == []
    assert sorted(version for version, _ in done) == [2, 3, 4, 5, 6, 7]
    assert set(reads) == {("sql", True), ("python", True)}
    expected = [(1, 2, False, 2), *((v, k, v == 7, k) for v, k in sorted(done))]
    assert versions(shop) == expected


def test_first_fits_at_once(con: duckdb.DuckDBPyConnection) -> None:
    """No registry yet: one of them makes it."""
    load_frame(con, "t", shop_frame(SIZE))
    cursors = [con.cursor() for _ in range(3)]
    assert threads(*(lambda c=c, i=i: fit(c, 2, f"m{i}") for i, c in enumerate(cursors))) == []
    assert sorted(segql.models(con)["model_name"]) == ["m0", "m1", "m2"]
    assert con.execute("select count(*) from segql.registry_info").fetchall() == [(1,)]


@pytest.mark.parametrize("change", ["fit", "drop", "use_version"])
def test_an_open_transaction_that_changes_models(
    shop: duckdb.DuckDBPyConnection, change: str
) -> None:
    """The other one is refused in one line, and can do it when that one has ended."""
    fit(shop, 3)
    before = versions(shop)
    first, second = shop.cursor(), shop.cursor()
    first.begin()
    fit(first, 4)
    calls: dict[str, Callable[[], Any]] = {
        "fit": lambda: fit(second, 5),
        "drop": lambda: segql.drop(second, "m"),
        "use_version": lambda: segql.use_version(second, "m", 1),
    }
    with pytest.raises(
        segql.SegqlError, match=r"^another transaction is changing the same"
    ) as said:
        calls[change]()
    assert "\n" not in str(said.value)
    assert versions(second) == before
    first.commit()
    assert versions(second)[-1] == (3, 4, True, 4)
    calls[change]()
    after = {
        "fit": (4, 5, True, 5), "use_version": (1, 2, True, 2),
    }  # fmt: skip
    assert (after.get(change) in versions(shop)) if change in after else versions(shop) == []


FITTING = """
import sys, duckdb, segql
from segql.cli import app
print("ready", flush=True)
sys.stdin.readline()
app(["fit", "m", "t", "--id", "customer_id", "--features", "recency,frequency,monetary",
     "--k", sys.argv[2], "--database", sys.argv[1]])
"""


def test_two_processes_fit_one_name(shop: duckdb.DuckDBPyConnection, shop_file: Path) -> None:
    """DuckDB lets one process in; the others wait for it."""
    shop.close()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FITTING, str(shop_file), str(k)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"SEGQL_LOCK_SECONDS": "60"},
        )
        for k in (3, 4, 5)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    with duckdb.connect(str(shop_file), read_only=True) as con:
        found = versions(con)
        assert [version for version, *_ in found] == [1, 2, 3, 4]
        assert sorted(k for _, k, *_ in found) == [2, 3, 4, 5]
        assert [is_current for _, _, is_current, _ in found] == [False, False, False, True]
        assert con.execute(CONSISTENT).fetchall() == [(True,)]


class JumpingClock(datetime):
    """A clock that somebody sets: forward, far back, and forward again."""

    years: Iterator[int]

    @classmethod
    def now(cls, tz: Any = None) -> JumpingClock:
        return cls(next(cls.years), 1, 1, tzinfo=tz)


def test_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is newest, current and pruned goes by version and place, never by the clock."""
    JumpingClock.years = iter([2050, 1971, 2031] * 20)
    monkeypatch.setattr(lifecycle, "datetime", JumpingClock)
    monkeypatch.setattr(publishing, "datetime", JumpingClock)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "warehouse.duckdb"
    make_warehouse(path)
    for k in (4, 2, 3):
        with duckdb.connect(str(path), config=CONFIG) as con:
            fitted = segql.fit(con, "customer_features", id="customer_id", name="customers", k=k,
                               features=NUMBERS)  # fmt: skip
            assert segql.load(con, "customers").version == fitted.version
            assert list(segql.models(con)["is_current"]) == [True] + [False] * (fitted.version - 1)
        publication = published(path, parquet="out")
        assert rows("select max(publication_id) from segql.publication") == [(publication.id,)]
        assert rows("select k from segql.models where is_current") == [(k,)]
        assert Path("out").resolve().name == publication.id
    assert len(list(Path(".out.versions").iterdir())) <= 3
    assert datetime.now(UTC).year > 2000


def test_memory_that_does_not_do(tmp_path: Path) -> None:
    """One line, the model before stays, and with more memory the same fit works."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path), config=CONFIG) as con:
        load_frame(con, "t", shop_frame(SIZE))
        fit(con, 2)
    limits = {"memory_limit": "4MB", "temp_directory": "", "threads": 2}
    many = "select row_number() over () as id, a.monetary * b.recency as x, a.recency as y from t "
    many += "as a, t as b"
    with duckdb.connect(str(path), config=limits) as con:
        with pytest.raises(segql.SegqlError, match=r"memory did not do, and nothing was") as said:
            segql.fit(con, many, id="id", name="m", k=3, features=["x", "y"])
        assert "\n" not in str(said.value)
    with duckdb.connect(str(path)) as con:
        assert versions(con) == [(1, 2, True, 2)]
        assert con.execute(CONSISTENT).fetchall() == [(True,)]
        assert segql.fit(con, many, id="id", name="m", k=3, features=["x", "y"]).version == 2
