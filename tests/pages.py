"""Reads the fenced blocks of a page, and does what they say as a reader would, in their order.

A block whose first line is a comment that names a file is that file. A block of ``sh`` is run; if
it ends by opening a prompt of SQL, the blocks of ``sql`` after it are typed there. A block of
``text`` right after one that was run is what was printed, ``...`` standing for what is left out.
A block of ``diff`` changes a file; where in the file is found by the lines around the change.
With ``SEGQL_WRITE_PAGES=1`` what is printed is written into the page instead of being compared.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"(?:#|--) (?P<name>[\w./-]+\.(?:py|sql|yml))\n(?P<text>.*)", re.DOTALL)
#: A line that opens a prompt: no statement and no file is given to it.
PROMPT = re.compile(r"^(duckdb|segql shell)( --?[a-z]+)*( [\w./]+\.duckdb)?$")
#: Lines of a drawn table, and what colours text.
DRAWN = re.compile(r"[─│┌┐└┘├┤┬┴┼━┃┏┓┗┛┡┩╇┳╈┠┨┯┷]|\x1b\[[0-9;]*m")
#: Begins every run of the shell where the last one ended.
KEEPING = """set -euo pipefail
. "$state"
keep() { code=$?; { export -p; printf 'cd %q\\n' "$PWD"; } > "$state"; exit $code; }
trap keep EXIT"""
WRITES = os.environ.get("SEGQL_WRITE_PAGES") == "1"


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, and what is said to be printed by it."""

    language: str
    text: str
    start: int
    printed: re.Match[str] | None = None

    @property
    def file(self) -> tuple[str, str] | None:
        """Name and contents of the file that it is, None where it is none."""
        found = FILE.fullmatch(self.text)
        return None if found is None else (found["name"], found["text"])


class Page:
    """A page of Markdown as its blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        found = list(FENCE.finditer(self.text))
        self.blocks = [
            Block(
                match["language"],
                match["text"],
                match.start(),
                after if after and self._is_printed(match, after) else None,
            )
            for match, after in zip(found, [*found[1:], None], strict=True)
        ]

    def _is_printed(self, block: re.Match[str], after: re.Match[str]) -> bool:
        between = self.text[block.end() : after.start()]
        return after["language"] == "text" and not between.strip()

    def block(self, language: str, holding: str) -> str:
        """Find the one block of a language that holds a word."""
        [found] = [
            block.text
            for block in self.blocks
            if block.language == language and holding in block.text
        ]
        return found

    def files(self) -> dict[str, str]:
        """Contents of the blocks that are files, by their names."""
        return dict(block.file for block in self.blocks if block.file)


class Reader:
    """Follows pages in a folder, with one shell whose folder and variables go on.

    Parameters
    ----------
    folder : Path
    done : mapping of str to str, optional
        What lines have printed that were run before: they are not run again.
    variables : mapping of str to str, optional
        Of the environment, beside those of this process.
    """

    def __init__(
        self,
        folder: Path,
        done: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.done = done or {}
        self.variables = dict(variables or {})
        self.prompt: str | None = None
        self._state = folder.parent / f".{folder.name}.state"
        self.go(folder)

    def go(self, folder: Path) -> None:
        """Begin in a folder, with the variables of this process."""
        self._state.write_text(f"cd '{folder}'\n", encoding="utf-8")

    def follow(self, page: Page) -> int:
        """Do what every block says; gives how many were run."""
        runs, text = 0, page.text
        replaced: list[tuple[re.Match[str], str]] = []
        for block in page.blocks:
            if block.language == "text":
                continue
            said = self.do(block)
            runs += said is not None
            if block.printed is None or said is None:
                continue
            written = block.printed["text"]
            if not is_same(said, written):
                assert WRITES, f"{page.path.name}: {block.text}\nprinted:\n{said}\nnot:\n{written}"
                replaced.append((block.printed, plain(said)))
        for printed, said in reversed(replaced):
            text = text[: printed.start("text")] + said + text[printed.end("text") :]
        if replaced:
            page.path.write_text(text, encoding="utf-8")
        return runs

    def do(self, block: Block) -> str | None:
        """Do what one block says; what it printed, None of a file."""
        if block.file is not None:
            name, contents = block.file
            path = self._where() / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(contents, encoding="utf-8")
            return None
        if block.language == "sh":
            return self._run(block.text)
        if block.language == "sql":
            assert self.prompt, f"no prompt is open for:\n{block.text}"
            return self._shell(self.prompt, block.text)
        if block.language == "diff":
            return self._shell("git apply --recount --verbose -", block.text)
        if block.language == "python":
            return self._shell("python -", block.text)
        raise AssertionError(f"nobody knows what to do with a block of {block.language}")

    def _run(self, text: str) -> str:
        lines = text.strip().splitlines()
        self.prompt = lines.pop() if PROMPT.match(lines[-1]) else None
        commands = "\n".join(lines)
        return self.done[commands] if commands in self.done else self._shell(commands)

    def _where(self) -> Path:
        return Path(self._shell("pwd -P").strip())

    def _shell(self, commands: str, stdin: str = "") -> str:
        script = f"state='{self._state}'\n{KEEPING}\n{commands}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            input=stdin,
            env=os.environ
            | {
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "NO_COLOR": "1",
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            }
            | self.variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{commands}\n{stdin}\n{said}"
        return said


def plain(said: str) -> str:
    """What was printed, without colours, blanks at the end of lines, and empty lines around."""
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def is_same(said: str, written: str) -> bool:
    """Tell whether what was printed is what is written, up to blanks and the lines of tables."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    got, want = (DRAWN.sub(" ", item) for item in (said, written))
    return doctest.OutputChecker().check_output(want, f"\n{got}\n", flags)
