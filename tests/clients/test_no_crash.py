"""Whatever is dropped, closed or left open, Python neither crashes nor prints at its end."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

START = """
import gc, threading, warnings
import duckdb, segql
CALL = "select segql_kmeans([[1.0], [2.0], [9.0]], 2).labels"
"""


def run(body: str) -> str:
    """Run a script in a Python of its own; exit code 0, nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", START + textwrap.dedent(body)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


REGISTERED_ON_A_CURSOR = {
    "parent calls": """
        con = duckdb.connect()
        cursor = con.cursor()
        segql.register(cursor)
        del cursor
        gc.collect()
        junk = [bytearray(200) for _ in range(10000)]
        for _ in range(3):
            print(con.execute(CALL).fetchall())
    """,
    "cursor closed": """
        con = duckdb.connect()
        cursor = con.cursor()
        segql.register(cursor)
        cursor.close()
        other = con.cursor()
        print(other.execute(CALL).fetchall())
        segql.register(con)
        print(con.execute(CALL).fetchall())
    """,
    "parent dropped": """
        con = duckdb.connect()
        segql.register(con)
        cursor = con.cursor()
        del con
        gc.collect()
        junk = [bytearray(200) for _ in range(10000)]
        print(cursor.execute(CALL).fetchall())
    """,
    "many come and go": """
        con = duckdb.connect()
        for _ in range(20):
            cursor = con.cursor()
            segql.register(cursor)
            del cursor
            gc.collect()
            print(con.execute(CALL).fetchall())
    """,
    "a fit on a cursor": """
        con = duckdb.connect()
        con.execute("create table t as select i as id, i % 7 as a from range(60) as r (i)")
        cursor = con.cursor()
        segql.fit(cursor, "t", id="id", name="m", k=2, features=["a"])
        del cursor
        gc.collect()
        print(con.execute(CALL).fetchall())
    """,
}


@pytest.mark.parametrize("case", list(REGISTERED_ON_A_CURSOR))
def test_functions_outlive_the_connection_that_registered_them(case: str) -> None:
    said = run(REGISTERED_ON_A_CURSOR[case])
    assert set(said.splitlines()) == {"[([1, 1, 2],)]"}


LEFT_OPEN = {
    "a connection": """
        con = duckdb.connect()
        segql.register(con)
        rows = con.execute(CALL).fetchall()
    """,
    "results": """
        con = duckdb.connect()
        segql.register(con)
        cursor = con.cursor()
        relation = con.sql(CALL)
        result = cursor.execute(CALL + " from range(5000)")
        result.fetchone()
        frame = con.execute(CALL).df()
    """,
    "parent closed first": """
        con = duckdb.connect()
        segql.register(con)
        cursor = con.cursor()
        result = cursor.execute(CALL)
        relation = cursor.sql(CALL)
        con.close()
        try:
            result.fetchall()
        except duckdb.Error:
            pass  # DuckDB 2 closes the cursors of a connection with it
    """,
    "a cursor": """
        con = duckdb.connect()
        segql.register(con.cursor())
        con.execute(CALL).fetchall()
        con.close()
    """,
    "a model": """
        con = duckdb.connect()
        con.execute("create table t as select i as id, i % 7 as a from range(60) as r (i)")
        model = segql.fit(con, "t", id="id", name="m", k=2, features=["a"])
        predicted = segql.predict(con, "m", "t")
    """,
    "the default connection": """
        segql.register(duckdb.default_connection())
        duckdb.sql(CALL).fetchall()
    """,
    "an error": """
        con = duckdb.connect()
        segql.register(con)
        try:
            con.execute("select segql_kmeans([[1.0]], 2)")
        except duckdb.Error as error:
            kept = error
    """,
}


@pytest.mark.parametrize("case", list(LEFT_OPEN))
def test_what_is_left_open_at_the_end_is_closed_in_silence(case: str) -> None:
    run(LEFT_OPEN[case])


def test_a_file_left_open_is_whole(tmp_path: object) -> None:
    path = f"{tmp_path}/left.duckdb"
    run(f"""
        con = duckdb.connect({path!r}, config={{"storage_compatibility_version": "v1.4.0"}})
        segql.register(con)
        con.execute("create table t as " + CALL + " as labels")
    """)
    assert run(f"""
        con = duckdb.connect({path!r}, read_only=True)
        print(con.execute("from t").fetchall())
    """) == "[([1, 1, 2],)]\n"  # fmt: skip


def test_threads_with_cursors_of_their_own() -> None:
    said = run("""
        con = duckdb.connect()
        segql.register(con)
        con.execute("create table t as select i % 40 as g, [i % 5, i % 3] as p "
                    "from range(8000) as r (i)")
        found = []
        def work():
            own = con.cursor()
            segql.register(own)
            for _ in range(3):
                found.append(repr(own.execute(
                    "select g, segql_kmeans(list(p order by p), 3).inertia, "
                    "segql_dbscan(list(p order by p), 0.5, 2).k from t group by g order by g"
                ).fetchall()))
            own.close()
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(found), len(set(found)))
    """)
    assert said == "24 1\n"


def test_transactions_views_and_subqueries() -> None:
    said = run("""
        con = duckdb.connect()
        segql.register(con)
        con.begin()
        con.execute("create table t as select i as id, i % 2 as g, [i % 3 * 10.0 + i / 100] as p "
                    "from range(60) as r (i)")
        con.execute("create temp view v as select g, list(id order by id) as ids, "
                    "segql_kmeans(list(p order by id), 3) as r from t group by g")
        con.execute("create temp view w as select unnest(ids) as id, unnest(r.labels) as label "
                    "from v")
        print(con.execute("select count(distinct label) from w where id in "
                          "(select id from w where label = (select max(label) from w))").fetchall())
        print(con.execute("select (select segql_silhouette(list(t.p), list(w.label)).silhouette "
                          "> 0.9 from t join w using (id))").fetchall())
        try:
            con.execute("select segql_kmeans([[1.0]], 2)").fetchall()
        except duckdb.Error as error:
            print("k is 2" in str(error))
        con.rollback()
        print(con.execute(CALL).fetchall())
        con.begin()
        con.execute("create table kept as " + CALL + " as labels")
        con.commit()
        print(con.execute("with recursive r as (select 2 as k union all select k + 1 from r "
                          "where k < 4) select list(segql_kmeans([[1], [2], [4], [8]], k).k) "
                          "from r").fetchall())
    """)
    assert said == "[(1,)]\n[(True,)]\nTrue\n[([1, 1, 2],)]\n[([2, 3, 4],)]\n"


def test_cursors_of_a_closed_parent() -> None:
    said = run("""
        con = duckdb.connect()
        segql.register(con)
        cursor = con.cursor()
        con.close()
        try:
            print(cursor.execute(CALL).fetchall() == [([1, 1, 2],)])
        except duckdb.ConnectionException as error:
            print("closed" in str(error))
    """)
    assert said == "True\n"


def test_a_closed_connection_is_duckdbs_error() -> None:
    said = run("""
        con = duckdb.connect()
        segql.register(con)
        cursor = con.cursor()
        cursor.close()
        con.close()
        for item in (con, cursor):
            for call in (lambda: item.execute(CALL), lambda: segql.register(item)):
                try:
                    call()
                except (duckdb.Error, segql.SegqlError) as error:
                    print("closed" in str(error).lower())
    """)
    assert said == "True\n" * 4
