"""A Superset of its own for the check: metadata in a folder, on loopback, stopped at the end."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONFIG = Path(__file__).with_name("superset_config.py")
#: Superset imports most of its dependencies when it starts, which is slow on a small machine.
START_SECONDS = 180


class ServerError(Exception):
    """A problem of the server that one line explains."""


@dataclass(frozen=True)
class Server:
    """Where the server listens, and who may log in."""

    url: str
    user: str
    password: str


@contextmanager
def running(home: Path) -> Iterator[Server]:
    """Start Superset with fresh metadata in a folder, and stop it at the end."""
    home.mkdir(parents=True, exist_ok=True)
    environment = _environment(home)
    server = Server(f"http://127.0.0.1:{_free_port()}", "admin", secrets.token_urlsafe(24))
    log_path = home / "superset.log"
    with log_path.open("w", encoding="utf-8") as log:
        for command in _preparations(server):
            _run(command, environment, log_path)
        process = subprocess.Popen(
            _serve(server), env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _await(server, process, log_path)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(home: Path) -> dict[str, str]:
    """Say where Superset finds its settings, and give it a secret of its own."""
    return {
        **os.environ,
        "SUPERSET_CONFIG_PATH": str(CONFIG),
        "FLASK_APP": "superset.app:create_app()",
        "SEGQL_BI_HOME": str(home),
        "SEGQL_BI_SECRET": secrets.token_urlsafe(48),
    }


def _preparations(server: Server) -> list[list[str]]:
    superset = str(Path(sys.executable).with_name("superset"))
    admin = ["--username", server.user, "--password", server.password]
    named = ["--firstname", "Check", "--lastname", "Admin", "--email", "admin@localhost"]
    return [
        [superset, "db", "upgrade"],
        [superset, "fab", "create-admin", *admin, *named],
        [superset, "init"],
    ]


def _serve(server: Server) -> list[str]:
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    address = server.url.removeprefix("http://")
    # One process: metadata in SQLite, and one instance of DuckDB that holds the file.
    workers = ["--workers", "1", "--worker-class", "gthread", "--threads", "8"]
    return [gunicorn, "--bind", address, *workers, "--timeout", "120", "superset.app:create_app()"]


def _run(command: list[str], environment: dict[str, str], log: Path) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    with log.open("a", encoding="utf-8") as kept:
        kept.write(done.stdout + done.stderr)
    if done.returncode != 0:
        shown = " ".join([Path(command[0]).name, *command[1:3]])
        raise ServerError(f"{shown} failed; the log is {log}")


def _await(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers, or say that it does not."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise ServerError(f"Superset stopped with code {process.returncode}; the log is {log}")
        try:
            with urllib.request.urlopen(f"{server.url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise ServerError(f"Superset did not answer within {START_SECONDS} s; the log is {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
