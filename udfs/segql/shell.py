"""A DuckDB prompt with every segql function registered."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path

import duckdb
from sqlglot import exp

from segql.bigquery import statements as bigquery
from segql.bigquery.dialect import is_complete, parse
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError, unknown
from segql.functions import register
from segql.registry import Registry

QUIT = ".quit"
PROMPT, MORE = "segql> ", "  ...> "
HELP = """Statements end with a semicolon. Also:
  .models   every version of every model
  .tables   tables and views
  .help     this page
  .quit     leave (so does Ctrl-D)
An underscore (segql_kmeans) needs this session; a dot (segql.predict) works from any client."""
SHORTCUTS = {
    ".models": "select model_name, model_version, is_current, algorithm, k, n, silhouette, "
    "fitted_at from segql.models where is_published order by all",
    ".tables": "select schema_name as schema, name, kind from ("
    "select schema_name, table_name as name, 'table' as kind from duckdb_tables() union all "
    "select schema_name, view_name, 'view' from duckdb_views() where not internal) order by all",
}
HISTORY = "SEGQL_HISTORY"
#: Characters of a line that nobody looks at on a terminal.
WIDEST = 10_000
#: The SQL that a shell reads.
DIALECTS = ("duckdb", "bigquery")
#: Columns of what has nothing to show, such as CREATE and SET.
SILENT = (["Count"], ["Success"])


def drawn(rows: duckdb.DuckDBPyRelation) -> str:
    """Draw rows as a table: as wide as the terminal, or with every column where there is none."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDEST
    with redirect_stdout(io.StringIO()) as text:
        rows.show(max_width=width)
    return text.getvalue().rstrip()


class Shell:
    """Runs statements on a connection and prints what they give.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        The session functions are registered on it.
    dialect : str
        One of :data:`DIALECTS`.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, dialect: str = "duckdb") -> None:
        if dialect not in DIALECTS:
            raise SegqlError(unknown("dialect", dialect, DIALECTS))
        self.con = con
        self.is_bigquery = dialect == "bigquery"
        register(con)

    def run(self, text: str) -> bool:
        """Run statements in order, up to the first that fails; tell whether none did."""
        try:
            for work in self._works(text):
                shown = self._interruptible(work)
                if shown is not None:
                    print(shown)
        except duckdb.InterruptException:
            print("interrupted", file=sys.stderr)
            return False
        except (duckdb.Error, SegqlError) as error:
            print(f"error: {error}", file=sys.stderr)
            return False
        return True

    def _works(self, text: str) -> Iterator[Callable[[], str | None]]:
        """What each statement does, in order."""
        if not self.is_bigquery:
            for statement in duckdb.extract_statements(text):
                yield partial(self._shown, statement)
            return
        engine = DuckDBEngine(self.con)
        for item in parse(text):
            yield partial(_shown_of_bigquery, engine, item)

    def _interruptible(self, work: Callable[[], str | None]) -> str | None:
        """Work on another thread: a relation that is running does not hear Ctrl-C on its own."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            while True:
                try:
                    return future.result()
                except KeyboardInterrupt:
                    self.con.interrupt()

    def _shown(self, statement: duckdb.Statement) -> str | None:
        """Run one statement; what there is to show of it."""
        # None on DuckDB 1.x when the statement has no rows to show.
        result: duckdb.DuckDBPyRelation | None = self.con.sql(_bare(statement.query))
        if result is None or (
            statement.type != duckdb.StatementType.SELECT and result.columns in SILENT
        ):
            return None
        if result.columns == ["explain_key", "explain_value"]:
            return "\n".join(str(row[1]) for row in result.fetchall())
        return drawn(result)

    def loop(self) -> bool:
        """Read statements until the end of the input; tell whether none failed.

        At a terminal an error is told and the prompt goes on; a script ends with its first one.
        """
        is_terminal = sys.stdin.isatty()
        if is_terminal:
            read = ", BigQuery's SQL" if self.is_bigquery else ""
            print(f"DuckDB {duckdb.__version__} with segql{read}. Type .help for help.")
        with _history(is_terminal):
            for text in self._statements(is_terminal):
                if text == QUIT:
                    return True
                if not self._answer(text) and not is_terminal:
                    return False
        return True

    def _answer(self, text: str) -> bool:
        if not text.startswith("."):
            return self.run(text)
        if text == ".help":
            print(HELP)
            return True
        if text == ".models" and not Registry(DuckDBEngine(self.con)).exists():
            print("no models yet")
            return True
        if text in SHORTCUTS:
            return Shell(self.con).run(SHORTCUTS[text])
        known = ", ".join([*SHORTCUTS, ".help", QUIT])
        print(f"error: unknown command {text!r} (accepted: {known})", file=sys.stderr)
        return False

    def _statements(self, is_terminal: bool) -> Iterator[str]:
        """Yield what is complete: a line that starts with a dot, or all up to a semicolon."""
        lines: list[str] = []
        while True:
            try:
                line = input((MORE if lines else PROMPT) if is_terminal else "")
            except EOFError:
                if is_terminal:
                    print()
                break
            except KeyboardInterrupt:
                if not is_terminal:
                    raise
                print()
                lines = []
                continue
            if not lines and line.strip().startswith("."):
                yield line.strip().rstrip("; ")
                continue
            lines.append(line)
            text = "\n".join(lines)
            if (is_complete if self.is_bigquery else _is_complete)(text):
                lines = []
                if text.strip():
                    yield text
        if "".join(lines).strip():
            yield "\n".join(lines)


def _shown_of_bigquery(engine: DuckDBEngine, statement: exp.Expr) -> str | None:
    result = bigquery.run(engine, statement)
    return None if result is None else drawn(result)


def _is_complete(text: str) -> bool:
    """Tell whether a text ends with a semicolon that is none of a string, name or comment.

    Comments alone are complete, too.
    """
    ended = True
    for token, is_comment, _ in _tokens(text):
        if not is_comment:
            ended = token == b";"
        elif token.startswith(b"/*") and not token.endswith(b"*/"):
            return False
    return ended


def _bare(text: str) -> str:
    """Cut the semicolon of a statement, and the comments behind it: a relation is a subquery."""
    end = None
    for token, is_comment, start in _tokens(text):
        if not is_comment:
            end = start if token == b";" else None
    return text.encode()[:end].decode()


def _tokens(text: str) -> Iterator[tuple[bytes, bool, int]]:
    """Each token of a text, whether it is a comment, and where it starts, in bytes."""
    data = text.encode()
    for (start, kind), (end, _) in pairwise([*duckdb.tokenize(text), (len(data), None)]):
        yield data[start:end].strip(), kind == duckdb.token_type.comment, start


@contextmanager
def _history(is_terminal: bool) -> Iterator[None]:
    """Keep the lines that were typed, where readline exists."""
    path = Path(os.environ.get(HISTORY, Path.home() / ".segql_history"))
    try:
        import readline
    except ImportError:
        is_terminal = False
    if not is_terminal:
        yield
        return
    with suppress(OSError):
        readline.read_history_file(path)
    try:
        yield
    finally:
        readline.set_history_length(1000)
        with suppress(OSError):
            readline.write_history_file(path)
