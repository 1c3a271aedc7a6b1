"""Engines that are started once, and the models that they score."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from adapter import Engine
from cases import Proof
from clickhouse import ClickHouse
from mariadb import MariaDB
from postgres import Postgres
from spark import Spark
from sqlite import SQLite

ENGINES: tuple[type[Engine], ...] = (SQLite, Postgres, MariaDB, ClickHouse, Spark)


@pytest.fixture(scope="session")
def proof(data_dir: Callable[[str], Path]) -> Proof:
    """Models that DuckDB has fitted."""
    return Proof(data_dir)


@pytest.fixture(scope="session", params=ENGINES, ids=lambda kind: kind.name)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Start an engine; skip where it is absent, fail where SEGQL_REQUIRE_ENGINES=1."""
    kind: type[Engine] = request.param
    reason = kind.missing()
    if reason is not None:
        if os.environ.get("SEGQL_REQUIRE_ENGINES") == "1":
            pytest.fail(f"{kind.name}: {reason}")
        pytest.skip(f"{kind.name}: {reason}")
    started = kind()
    try:
        started.start()
        yield started
    finally:
        started.stop()
