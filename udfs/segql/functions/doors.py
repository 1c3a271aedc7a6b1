"""Connections of their own for functions that change models, and each request answered once."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import duckdb

from segql import sql_text as sql
from segql.errors import SegqlError

#: What a function gives back: the fields of its struct, or NULL.
Answer = dict[str, Any] | None
#: Answers that are remembered for their transactions.
REMEMBERED = 256


@dataclass(frozen=True)
class Place:
    """Where a call comes from, as the macro says: database, schema and transaction."""

    database: str
    schema: str
    transaction: int


class Doors:
    """The connections to one database that have registered segql.

    They are held weakly: a function that kept one alive would keep its file open.
    """

    def __init__(self) -> None:
        self.held: list[weakref.ref[duckdb.DuckDBPyConnection]] = []
        self.locks: dict[str, threading.RLock] = {}
        self.answers: dict[tuple[int, int, str], tuple[str, Answer]] = {}

    def add(self, con: duckdb.DuckDBPyConnection) -> None:
        """Let a connection stand in when those before it are closed."""
        alive = [(ref, ref()) for ref in self.held]
        self.held = [ref for ref, known in alive if known is not None and known is not con]
        self.held.append(weakref.ref(con))

    def once(
        self, place: Place | None, subject: str, request: str, work: Callable[[], Answer]
    ) -> Answer:
        """Do what a transaction asks about a model once, however often the planner calls for it.

        ``unnest`` of a struct calls a function for each field, and a query for each row and on
        several threads.

        Parameters
        ----------
        place : Place, optional
        subject : str
            Calls about the same model wait for each other.
        request : str
            What is asked; the last answer about the subject is given again for the same.
        work : callable
        """
        with self.locks.setdefault(subject, threading.RLock()):
            if place is None:
                return work()
            key = self._oid(place.database), place.transaction, subject
            last = self.answers.get(key)
            if last is None or last[0] != request:
                last = request, work()
                self.answers[key] = last
                while len(self.answers) > REMEMBERED:
                    self.answers.pop(next(iter(self.answers)), None)
            return last[1]

    @contextmanager
    def cursor(self, name: str, place: Place | None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a cursor: statements on the connection that is calling would wait for themselves.

        Parameters
        ----------
        name : str
            The function that asks, for the error.
        place : Place, optional
            What the caller uses; a cursor that has not registered segql does not say.
        """
        own = self._open()
        if own is None:
            raise SegqlError(
                f"{name}: the connection that registered segql is closed; accepted: call "
                "segql.register(con) on one that is open"
            )
        try:
            if place is None:
                _check_one_database(name, own)
            else:
                used = (sql.text(sql.column(item)) for item in (place.database, place.schema))
                own.execute("use " + ".".join(used))
            yield own
        finally:
            own.close()

    def _oid(self, database: str) -> int:
        """Tell apart files that were attached one after the other under one name.

        Each counts its transactions anew, so that an answer about the first would fit the second.
        """
        own = self._open()
        if own is None:
            return -1
        try:
            found = own.execute(
                "select database_oid from duckdb_databases() where database_name = ?", [database]
            ).fetchall()
        finally:
            own.close()
        return int(found[0][0]) if found else -1

    def _open(self) -> duckdb.DuckDBPyConnection | None:
        for ref in self.held:
            con = ref()
            with suppress(duckdb.ConnectionException):
                if con is not None:
                    return con.cursor()
        return None


def _check_one_database(name: str, con: duckdb.DuckDBPyConnection) -> None:
    found = con.execute(
        "select database_name from duckdb_databases() where not internal order by 1"
    ).fetchall()
    if len(found) > 1:
        raise SegqlError(
            f"{name}: this connection has not registered segql, so that it does not say which "
            f"database it uses ({', '.join(row[0] for row in found)}); accepted: call "
            "segql.register(con) on it"
        )
