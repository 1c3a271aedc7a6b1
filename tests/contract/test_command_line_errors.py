"""What the segql command refuses: one line on standard error, exit code 1, nothing changed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from support import load_frame, registry_picture, shop_frame
from typer.testing import CliRunner

import segql
from segql.cli import app
from segql.exporting.dialects import DIALECTS

CONFIG = {"storage_compatibility_version": "v1.4.0"}
SECRET = "SECRET-CUSTOMER-4711"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A warehouse with a model, in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGQL_DATABASE", raising=False)
    with duckdb.connect("warehouse.duckdb", config=CONFIG) as con:
        load_frame(con, "t", shop_frame(120))
        for k in (2, 3):
            segql.fit(con, "t", id="customer_id", name="m", k=k, features=["recency"])
    return tmp_path / "warehouse.duckdb"


def picture(path: Path) -> object:
    with duckdb.connect(str(path), read_only=True) as con:
        return registry_picture(con), con.execute("select table_name from duckdb_tables()"
                                                  ).fetchall()  # fmt: skip


def refused(*arguments: str, typed: str | None = None) -> str:
    """Run a command that ends with code 1; its one line on standard error."""
    result = CliRunner().invoke(app, list(arguments), input=typed)
    assert result.exit_code == 1, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr.rstrip("\n")


FIT = ("fit", "m", "t", "--id", "customer_id")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*FIT, "--k", "x"), "k got 'x'; accepted: a whole number of at least 1, (min, max), or"),
        ((*FIT, "--k", "5-2"), "k got (5, 2); accepted:"),
        ((*FIT, "--k", "height=x"), "k got {'height': 'x'}; accepted:"),
        ((*FIT, "--features", "{"), "features got '{', which is no JSON: Expecting property name"),
        ((*FIT, "--features", "recency,nope"), "unknown feature column 'nope' (accepted:"),
        ((*FIT, "--features", '{"recency": {"scal": 1}}'), "column 'recency': unknown option"),
        ((*FIT, "--features", ""), "unknown feature column ''"),
        ((*FIT, "--algorithm", "kmean"), "unknown algorithm 'kmean'; did you mean 'kmeans'?"),
        ((*FIT, "--eps", "nan", "--algorithm", "dbscan"), "eps got nan; accepted: a number above"),
        ((*FIT, "--eps", "0.5"), "eps got 0.5, but algorithm 'kmeans' has no eps"),
        ((*FIT, "--linkage", "x", "--algorithm", "hierarchical"), "unknown linkage 'x' (accepted"),
        ((*FIT, "--pca", "7.5"), "pca got 7.5; accepted: a whole number from 1 to"),
        ((*FIT, "--seed", "-1"), "seed got -1; accepted: a whole number from 0 to 2147483647"),
        (("fit", "m", "nope", "--id", "id"), "relation 'nope' does not exist (there are: main.t)"),
        (("fit", "m", "t", "--id", "cust"), "unknown id column 'cust'; did you mean"),
        (("fit", "M", "t", "--id", "customer_id"), "name got 'M', but there is a model 'm'"),
        (("fit", " ", "t", "--id", "customer_id"), "name got ' '; accepted: 1 to 100 characters"),
        (("predict", "nope", "t"), "unknown model 'nope' (accepted: m)"),
        (("predict", "m", "t", "--version", "7"), "model 'm': unknown version '7' (accepted: 1, 2"),
        (("predict", "m", "select 1 as x"), "relation 'select 1 as x' lacks 'recency', a feature"),
        (("predict", "m", "selec 1"), "the query cannot be read: Parser Error: syntax error"),
        (("predict", "m", "t", "--to", "a.txt"), "to got 'a.txt'; accepted: a file that ends in"),
        (("predict", "m", "t", "--to", "no/a.csv"), "IO Error: Cannot open file"),
        (("predict", "m", "t", "--to", "a.csv", "--table", "x"), "to and table are both given"),
        (("predict", "m", "t", "--table", "nope.x"), "Catalog Error: Schema with name nope does"),
        (("evaluate", "nope"), "unknown model 'nope' (accepted: m)"),
        (("evaluate", "m", "nope"), "relation 'nope' does not exist"),
        (("models", "nope"), "unknown model 'nope' (accepted: m)"),
        (("use-version", "m", "9"), "model 'm': unknown version '9' (accepted: 1, 2)"),
        (("use-version", "m", "0"), "version got 0; accepted: a whole number of at least 1"),
        (
            ("export", "m", "--dialect", "nope"),
            "unknown dialect 'nope' (accepted: duckdb, postgres, ",
        ),
        (
            ("export", "m", "--dialect", "BigQuery"),
            "unknown dialect 'BigQuery'; did you mean 'bigq",
        ),
        (
            ("export", "m", "--form", "x"),
            "unknown form 'x' (accepted: query, expression, function, ru",
        ),
        (("drop", "nope"), "unknown model 'nope' (accepted: m)"),
        (("drop", "m", "--version", "9"), "model 'm': unknown version '9' (accepted: 1, 2)"),
        (("drop", "m", "--version", "2", "--yes"), "version 2 is the current one of model 'm'"),
        (("forget", "c1", "--served", "no.duckdb", "-y"), "there is no served file 'no.duckdb'"),
        (("forget", "", "-y"), "id got ''; accepted: an id that is not empty"),
    ],
)
def test_one_line_says_why(shop: Path, arguments: tuple[str, ...], message: str) -> None:
    before = picture(shop)
    assert refused(*arguments).startswith(f"segql: {message}")
    told = json.loads(refused(*arguments, "--json"))
    assert list(told) == ["error"]
    assert told["error"].startswith(message)
    assert picture(shop) == before
    assert sorted(item.name for item in shop.parent.iterdir()) == ["warehouse.duckdb"]


def test_dialects_are_listed(shop: Path) -> None:
    said = refused("export", "m", "--dialect", "nope")
    listed = said.split("(accepted: ")[1].rstrip(")").split(", ")
    assert listed == list(DIALECTS)
    with duckdb.connect(str(shop), read_only=True) as con:
        model = segql.load(con, "m")
    for dialect in listed:
        assert len(segql.export(model, dialect=dialect)) > 100
        assert len(model.sql(dialect, "expression")) > 20
    for form in ("query", "expression", "function", "rules"):
        with pytest.raises(segql.SegqlError, match="unknown dialect 'nope'"):
            model.sql(dialect="nope", form=form)


@pytest.mark.parametrize("command", ["models", "shell", "forget"])
def test_a_database_that_is_none(shop: Path, command: str) -> None:
    arguments = [command, "c1", "--yes"] if command == "forget" else [command]
    (shop.parent / "text.duckdb").write_text("not a database, only text\n" * 400)
    for name, message in (
        ("no.duckdb", "there is no database 'no.duckdb'; accepted: an existing DuckDB file, by "),
        (".", "IO Error: Could not read from file"),
        ("text.duckdb", "IO Error: The file"),
    ):
        assert refused(*arguments, "-d", name).startswith(f"segql: {message}")
    assert not Path("no.duckdb").exists()


def test_a_locked_database_says_by_whom(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGQL_LOCK_SECONDS", "0.2")
    code = "import duckdb; c = duckdb.connect('warehouse.duckdb'); print(1, flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "1\n"
        for arguments in (["models"], [*FIT, "--k", "2"], ["shell", "-c", "select 1"]):
            said = refused(*arguments)
            assert re.fullmatch(
                r"segql: the database 'warehouse.duckdb' is open (for writing )?in another process "
                rf"\(python[\d.]*, PID {holder.pid}\), also after 0.2 seconds; accepted: the same "
                r"again when that has ended, or a longer wait by SEGQL_LOCK_SECONDS",
                said.strip(),
            ), said
    finally:
        holder.communicate("\n", timeout=30)


def test_a_lock_that_is_let_go(shop: Path) -> None:
    """The wait is bounded, and ends with the other process."""
    code = (
        "import sys, time, duckdb; c = duckdb.connect('warehouse.duckdb'); print(1, flush=True); "
        "time.sleep(1)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "1\n"
    assert CliRunner().invoke(app, ["models", "--json"]).exit_code == 0
    assert holder.wait(timeout=30) == 0


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", "1e9", ""])
def test_an_odd_wait(shop: Path, monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    monkeypatch.setenv("SEGQL_LOCK_SECONDS", seconds)
    assert refused("models").startswith(f"segql: SEGQL_LOCK_SECONDS got {seconds!r}; accepted: sec")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to what is read-only")
def test_a_file_or_folder_that_is_read_only(shop: Path) -> None:
    shop.chmod(0o400)
    assert refused(*FIT).startswith("segql: IO Error: Cannot open file")
    shop.parent.chmod(0o500)
    try:
        assert "Permission denied" in refused("predict", "m", "t", "--to", "a.csv")
    finally:
        shop.parent.chmod(0o700)


def test_output_that_cannot_be_replaced_stays(shop: Path) -> None:
    Path("out.csv").mkdir()
    assert refused("predict", "m", "t", "--to", "out.csv").startswith("segql: [Errno 21]")
    Path("old.json").write_text("old")
    query = "select * replace (error('broken')::double as recency) from t"
    assert "broken" in refused("predict", "m", query, "--to", "old.json")
    assert Path("old.json").read_text() == "old"
    assert len(list(Path().iterdir())) == 3
    with duckdb.connect(str(shop)) as con:
        con.execute("create table kept as select 1 as x; create view seen as from kept")
    assert "broken" in refused("predict", "m", query, "--table", "kept")
    assert "seen" in refused("predict", "m", "t", "--table", "seen")
    with duckdb.connect(str(shop)) as con:
        assert con.execute("from kept").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "arguments", [["nope"], ["fit", "m"], ["fit", "m", "t"], ["models", "a", "b"],
                  [*FIT, "--pca", "x"], ["use-version", "m", "x"], ["models", "--nope"]],
)  # fmt: skip
def test_usage_errors_end_with_two(shop: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "segql.cli", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Usage: " in done.stderr
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


# -- confirmation and forgetting ---------------------------------------------------------------


def asked(*arguments: str, typed: str) -> subprocess.CompletedProcess[str]:
    """Run a command that asks, and answer."""
    return subprocess.run(
        [sys.executable, "-m", "segql.cli", *arguments],
        input=typed, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("typed", "as_json"), [("", ["--json"]), ("n\n", []), ("\n", [])])
def test_without_a_yes_nothing_is_lost(shop: Path, typed: str, as_json: list[str]) -> None:
    served = shop.with_name("serve.duckdb")
    served.write_bytes(shop.read_bytes())
    with duckdb.connect(str(shop)) as con:
        con.execute("create schema marts; create table marts.s as select 'c1' as customer_id")
    before = picture(shop), shop.read_bytes(), served.read_bytes()
    for arguments in (["drop", "m"], ["drop", "m", "--version", "1"], ["forget", "c1"]):
        result = asked(*arguments, *as_json, typed=typed)
        assert result.returncode == 1
        assert result.stdout.strip() == ""
        assert "[y/N]:" in result.stderr
        assert result.stderr.rstrip().endswith("Aborted!")
        assert (picture(shop), shop.read_bytes(), served.read_bytes()) == before


def make_served(shop: Path) -> Path:
    """Put an id into the warehouse and into a served file beside it."""
    served = shop.with_name("serve.duckdb")
    for path in (shop, served):
        with duckdb.connect(str(path), config=CONFIG) as con:
            con.execute(
                "create schema marts; create table marts.s (customer_id varchar, segment_id int); "
                f"insert into marts.s select if(i = 5, '{SECRET}', 'c' || i), 1 from range(3000) "
                "as r (i); create view seen as from marts.s"
            )
    return served


@pytest.mark.parametrize("typed", [None, "y\n"])
def test_forget(shop: Path, typed: str | None) -> None:
    served = make_served(shop)
    result = asked("forget", SECRET, "--json", *([] if typed else ["--yes"]), typed=typed or "")
    assert result.returncode == 0, result.stderr
    names = {'"marts"."s"': 1}
    assert json.loads(result.stdout) == {
        "id": SECRET, "deleted": {"warehouse.duckdb": names, "serve.duckdb": names},
        "models_of_points": [],
    }  # fmt: skip
    for path in (shop, served):
        assert SECRET.encode() not in path.read_bytes()
        with duckdb.connect(str(path), read_only=True) as con:
            assert con.execute("select count(*) from seen").fetchall() == [(2999,)]
    with duckdb.connect(str(shop)) as con:
        assert segql.load(con, "m").version == 2
    text = CliRunner().invoke(app, ["forget", SECRET, "-y"]).stdout
    assert text == "warehouse.duckdb: 0 rows of 0 tables\nserve.duckdb: 0 rows of 0 tables\n"
    assert sorted(item.name for item in shop.parent.iterdir()) == [served.name, shop.name]


def test_forget_goes_on_where_it_ended(shop: Path) -> None:
    """Rows that are gone already may have left their bytes."""
    make_served(shop)
    run = CliRunner().invoke(app, ["forget", SECRET, "-y", "--keep-bytes"])
    assert run.exit_code == 0, run.output
    assert SECRET.encode() in shop.read_bytes()
    run = CliRunner().invoke(app, ["forget", SECRET, "-y"])
    assert run.exit_code == 0, run.output
    assert SECRET.encode() not in shop.read_bytes()


# -- ends -----------------------------------------------------------------------------------------


def wait_for_writer(database: Path) -> None:
    """Wait until another process has the file open: its imports are done, its work begins."""
    for _ in range(1200):
        try:
            duckdb.connect(str(database), read_only=True).close()
        except duckdb.IOException:
            return
        time.sleep(0.05)
    pytest.fail("no other process has opened the file")


def test_a_reader_that_has_enough_and_a_signal(shop: Path) -> None:
    """Neither `head` nor Ctrl-C makes a traceback."""
    with duckdb.connect(str(shop)) as con:
        con.execute("create table big as select i as id, hash(i) % 977 as recency, "
                    "hash(i, 2) % 499 as b from range(3000000) as r (i)")  # fmt: skip
    command = f"{sys.executable} -m segql.cli predict m big --json | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["id"] == 0
    assert done.stderr == ""
    before = picture(shop)
    running = subprocess.Popen(
        [sys.executable, "-m", "segql.cli", "fit", "new", "big", "--id", "id", "--k", "2-10"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for_writer(shop)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode not in (0, None)
    assert "Traceback" not in said
    assert picture(shop) == before
