"""The segql shell: statements from an argument, a script, and a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from support import load_frame, shop_frame

from segql.bigquery.dialect import is_complete
from segql.shell import _bare, _is_complete

CONFIG = {"storage_compatibility_version": "v1.4.0"}
COMMAND = [sys.executable, "-m", "segql.cli", "shell"]
LONG = "select count(*) from range(100000000000) as r (i) where hash(i) = 3"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGQL_DATABASE", raising=False)
    with duckdb.connect("warehouse.duckdb", config=CONFIG) as con:
        load_frame(con, "t", shop_frame(120))
    return tmp_path / "warehouse.duckdb"


def run(*arguments: str, script: str = "", code: int = 0) -> tuple[str, str]:
    """Run the shell; what it printed, and on standard error."""
    done = subprocess.run(
        [*COMMAND, *arguments], input=script, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def cells(text: str) -> list[str]:
    """Values of the tables that were printed."""
    tables = re.findall(r"├[─┼]*┤\n((?:│.*│\n)+)└", text)
    lines = [line for table in tables for line in table.splitlines()]
    return [cell.strip() for line in lines for cell in line.strip("│").split("│")]


# -- statements that are complete --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("select 1;", True),
        ("select 1", False),
        ("select ';'", False),
        ("select ';';", True),
        ('select 1 as "a;', False),
        ("select 'a\n;", False),
        ("select $$a;", False),
        ("select $$a;$$;", True),
        ("select 1; -- done", True),
        ("select 1 -- done;", False),
        ("select 1; /* done */", True),
        ("select 1; /* not", False),
        ("select 1 /* ; */", False),
        ("select 'é', 'Ω;'", False),
        ("select 'é', 'Ω;';", True),
        ('select 1 as "é;" ;  \n', True),
        ("-- only this", True),
        ("/* a\n b */", True),
        ("/* a;\n", False),
        ("", True),
        ("  \n", True),
        (";", True),
        ("select 1; select 2", False),
        ("select 1; select 2;;", True),
    ],
)
def test_what_is_complete(text: str, complete: bool) -> None:
    assert _is_complete(text) is complete


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("select 'é;'; -- é", "select 'é;'"),
        ("select 1", "select 1"),
        ("select 1 -- c", "select 1 -- c"),
        ("-- a;\nselect 1 /* ; */ ;", "-- a;\nselect 1 /* ; */ "),
    ],
)
def test_a_statement_without_its_semicolon(text: str, bare: str) -> None:
    assert _bare(text) == bare


# -- an argument and a script ------------------------------------------------------------------


def test_a_command(shop: Path) -> None:
    said, errors = run("-c", "select 1 as a, ';' as b; select 'é;' as c -- done")
    assert cells(said) == ["1", ";", "é;"]
    assert errors == ""
    said, errors = run("-c", "select 1 as a; select nope; select 3", code=1)
    assert cells(said) == ["1"]
    assert errors.startswith('error: Binder Error: Referenced column "nope" was not found')
    fit = (
        "select segql_fit('m', 't', {id: 'customer_id', k: 2, refit: true}).model_version; "
        "select segql_kmeans([[1.0], [9.0]], 2).k; select nextval('numbers'), nextval('numbers')"
    )
    said, _ = run("-c", "create sequence numbers; " + fit)
    assert cells(said) == ["1", "2", "1", "2"]
    with duckdb.connect(str(shop), read_only=True) as con:
        assert con.execute("select count(*) from segql.models").fetchall() == [(1,)]


def test_columns_are_all_there_where_there_is_no_terminal(shop: Path) -> None:
    names = [f"column_{number}" for number in range(40)]
    said, _ = run("-c", "select " + ", ".join(f"{i} as {name}" for i, name in enumerate(names)))
    assert cells(said) == [str(number) for number in range(40)]
    for name in names:
        assert name in said


def test_statements_of_every_kind(shop: Path) -> None:
    script = """
        create table z as select 1 as x; insert into z values (2), (3); update z set x = x + 1;
        delete from z where x = 2; set threads = 1; begin; drop table z; rollback; checkpoint;
        create view v as from z; comment on view v is 'a view'; attach ':memory:' as other;
        use other; use warehouse; copy (from z) to 'z.csv'; create type mood as enum ('a', 'b');
        create macro twice(x) as x * 2; prepare p as select 40 + 2;
        execute p; select twice(sum(x)) from v; show tables; describe z; insert into z values (9)
        returning x * 2; with a as (select 'w') from a; values ('v'); pivot z on x using count(*);
    """
    said, errors = run(script=script)
    assert errors == ""
    assert cells(said)[:5] == ["42", "14", "t", "v", "z"]
    assert cells(said)[-6:] == ["18", "w", "v", "1", "1", "1"]
    assert "Count" not in said
    assert "Success" not in said
    said, _ = run("-c", 'explain select 1; explain analyze select 1; select 1 as "Count"')
    assert "Projection" in said
    assert "physical_plan" not in said
    assert cells(said) == ["1"]


SCRIPT = """-- a first comment; with a semicolon
select 'é;' as "x;y"; -- done
/* of two
   lines; */
select
    2 as two
;
.tables
.models
.help
select $$it's;$$;
select 3;   select 4
"""


def test_a_script(shop: Path) -> None:
    said, errors = run(script=SCRIPT)
    assert errors == ""
    assert [cell for cell in cells(said) if cell not in ("main", "table")] == [
        "é;", "2", "t", "it's;", "3", "4",
    ]  # fmt: skip
    assert "no models yet\nStatements end with a semicolon." in said
    said, _ = run("-c", "select segql_fit('m', 't', {id: 'customer_id', k: 2}).k")
    said, _ = run(script=".models;")
    assert cells(said)[:5] == ["m", "1", "true", "kmeans", "2"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("select nope;", "error: Binder Error"),
        ("selec 1;", "error: Parser Error"),
        (".nope", "error: unknown command '.nope' (accepted: .models, .tables, .help, .quit)"),
        ("select segql_fit('m', 't', {k: 2});", "error: Invalid Input Error"),
        ("select 'open;", "error: Parser Error"),
    ],
)
def test_a_script_ends_with_its_first_error(shop: Path, wrong: str, message: str) -> None:
    said, errors = run(script=f"select 1;\n{wrong}\nselect 'never';\n", code=1)
    assert cells(said) == ["1"]
    assert errors.startswith(message)
    with duckdb.connect(str(shop), read_only=True) as con:
        assert con.execute("select count(*) from t").fetchall() == [(120,)]


@pytest.mark.parametrize("script", ["", "\n\n", "-- nothing\n", ".quit\nselect nope;", ".quit;\n"])
def test_nothing_to_do_prints_nothing(shop: Path, script: str) -> None:
    assert run(script=script) == ("", "")


def test_read_only(shop: Path) -> None:
    said, _ = run("--read-only", "-c", "select count(*) from t; select segql_kmeans([[1.0]], 1).k")
    assert cells(said) == ["120", "1"]
    _, errors = run("--read-only", "-c", "drop table t", code=1)
    assert "read-only mode" in errors


# -- a terminal --------------------------------------------------------------------------------


class Terminal:
    """A shell that believes that a person types."""

    def __init__(self, folder: Path) -> None:
        self.pid, self.side = pty.fork()
        if self.pid == 0:
            os.environ["SEGQL_HISTORY"] = str(folder / "history")
            os.execv(COMMAND[0], COMMAND)

    def until(self, text: str, seconds: float = 30) -> str:
        """Read up to a text."""
        found, end = b"", time.monotonic() + seconds
        while text.encode() not in found and time.monotonic() < end:
            if select.select([self.side], [], [], 0.2)[0]:
                try:
                    part = os.read(self.side, 4096)
                except OSError:
                    break
                if not part:
                    break
                found += part
        return found.decode().replace("\r\n", "\n")

    def type(self, text: str, until: str = "segql> ") -> str:
        """Type a line, and read up to the next prompt."""
        os.write(self.side, text.encode())
        said = self.until(until)
        assert until in said, said
        return said

    def interrupt(self) -> str:
        """Press Ctrl-C until a prompt comes; what came before it.

        Python's input() is deaf to a signal between showing its prompt and waiting for a key.
        """
        for _ in range(5):
            os.write(self.side, b"\x03")
            said = self.until("segql> ", seconds=6)
            if said:
                break
        assert "segql> " in said, said
        return said

    def end(self, *, by_force: bool = False) -> int:
        """Wait for the end; the exit code."""
        if by_force:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.side)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def terminal(shop: Path) -> Iterator[Terminal]:
    opened = Terminal(shop.parent)
    assert "Type .help for help.\nsegql> " in opened.until("segql> ")
    yield opened
    if opened.pid:
        opened.end(by_force=True)


def test_a_person_types(terminal: Terminal, shop: Path) -> None:
    assert "│    42 │" in terminal.type("select 41 + 1 as x;\n")
    assert "error: Binder Error" in terminal.type("select nope;\n")
    assert "error: unknown command '.nope'" in terminal.type(".nope\n")
    terminal.type("select 'a;\n", until="  ...> ")
    assert "│ a;\\nb" in terminal.type("b' as two_lines; -- done\n")
    os.write(terminal.side, b".quit\n")
    assert terminal.until("never", seconds=5).strip() == ".quit"
    assert terminal.end() == 0
    history = (shop.parent / "history").read_text()
    assert history.startswith("select 41 + 1 as x;\n")


def test_ctrl_c_and_ctrl_d(terminal: Terminal) -> None:
    """Ctrl-C drops the line or ends the statement; Ctrl-D leaves."""
    terminal.type("select\n", until="  ...> ")
    terminal.interrupt()
    assert "│     1 │" in terminal.type("select 1 as x;\n")
    os.write(terminal.side, f"{LONG};\n".encode())
    time.sleep(1.5)
    assert "interrupted" in terminal.interrupt()
    assert "│     2 │" in terminal.type("select 2 as x;\n")
    os.write(terminal.side, b"\x04")
    assert "Traceback" not in terminal.until("never", seconds=5)
    assert terminal.end() == 0


def test_ctrl_c_ends_a_command_and_a_script(shop: Path) -> None:
    started = shop.parent / "started.csv"
    text = f"copy (select 1) to '{started}'; {LONG}"
    for arguments, script in ((["-c", text], ""), ([], f"{text};\nselect 'never';\n")):
        running = subprocess.Popen(
            [*COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert running.stdin is not None
        running.stdin.write(script)
        running.stdin.flush()
        while not started.exists() and running.poll() is None:
            time.sleep(0.1)
        started.unlink()
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        said, errors = running.communicate(timeout=60)
        assert (running.returncode, said, errors) == (1, "", "interrupted\n")


# -- BigQuery's SQL ----------------------------------------------------------------------------


def test_bigquery_statements_of_a_script(shop: Path) -> None:
    script = (
        'CREATE MODEL `any.shop.m`\nOPTIONS(model_type="kmeans",\n  num_clusters=3) AS\n'
        "SELECT recency, monetary FROM t; -- a comment; with a semicolon\n"
        "SELECT COUNT(DISTINCT centroid_id) AS n, COUNT(*) AS m\n"
        "FROM ML.PREDICT(MODEL `shop.m`, TABLE t);\n"
    )
    printed, _ = run("--dialect", "bigquery", script=script)
    assert cells(printed) == ["3", "120"]
    _, told = run("--dialect", "bigquery", "-c", "SELECT * FROM ML.PREDICT(MODEL m)", code=1)
    assert "unknown model 'm' (accepted: shop.m)" in told


def test_an_unknown_dialect_is_refused(shop: Path) -> None:
    _, told = run("--dialect", "bigqery", "-c", "select 1", code=1)
    assert "unknown dialect 'bigqery'; did you mean 'bigquery'?" in told


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("SELECT 1;", True),
        ("SELECT 1", False),
        ("SELECT ';", False),
        ("SELECT `a;b`", False),
        ("SELECT 1 # ;", False),
        ("", True),
    ],
)
def test_bigquery_text_is_complete(text: str, complete: bool) -> None:
    assert is_complete(text) is complete
