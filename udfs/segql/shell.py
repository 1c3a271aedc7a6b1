"""A DuckDB prompt with every segql function registered."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from segql.functions import register

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


class Shell:
    """Runs statements on a connection and prints what they give.

    Parameters
    ----------
    con : duckdb.DuckDBPyConnection
        The session functions are registered on it.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        register(con)

    def run(self, text: str) -> bool:
        """Run statements in order, up to the first that fails; tell whether none did."""
        try:
            for statement in duckdb.extract_statements(text):
                self._run_one(statement.query)
        except duckdb.Error as error:
            print(f"error: {error}", file=sys.stderr)
            return False
        except KeyboardInterrupt:
            self.con.interrupt()
            print("interrupted", file=sys.stderr)
            return False
        return True

    def _run_one(self, statement: str) -> None:
        # None when the statement has no rows to show.
        result: duckdb.DuckDBPyRelation | None = self.con.sql(statement)
        if result is None:
            return
        if result.columns == ["explain_key", "explain_value"]:
            print("\n".join(str(row[1]) for row in result.fetchall()))
            return
        print(str(result).rstrip())

    def loop(self) -> bool:
        """Read statements until the end of the input; tell whether none failed.

        At a terminal an error is told and the prompt goes on; a script ends with its first one.
        """
        is_terminal = sys.stdin.isatty()
        if is_terminal:
            print(f"DuckDB {duckdb.__version__} with segql. Type .help for help.")
        with _history(is_terminal):
            for text in self._statements(is_terminal):
                if text == ".quit":
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
        if text in SHORTCUTS:
            return self.run(SHORTCUTS[text])
        known = ", ".join([*SHORTCUTS, ".help", ".quit"])
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
                print()
                lines = []
                continue
            if not lines and line.strip().startswith("."):
                yield line.strip()
                continue
            lines.append(line)
            text = "\n".join(lines)
            if _is_complete(text):
                lines = []
                if text.strip():
                    yield text
        if "".join(lines).strip():
            yield "\n".join(lines)


def _is_complete(text: str) -> bool:
    """Tell whether a text ends with a semicolon that is none of a string, name or comment."""
    stripped = text.strip()
    if not stripped:
        return True
    kinds = duckdb.tokenize(text)
    if not kinds:
        return True
    last = kinds[-1][0]
    return text[last:].strip() == ";"


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
