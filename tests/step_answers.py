"""Runs a step's learning on answers that a test gives, and its SQL on a few numbers."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
from sqlglot import exp

from segql import sql_text as sql
from segql.aggregates import Profile
from segql.steps import PreparedBy, Transform

#: The column that every step is asked about.
X = exp.column("x")


class Prepared(PreparedBy):
    """The column under a transform."""

    def __call__(self, transform: Transform) -> exp.Expr:
        return transform.sql(X)


class Known:
    """Statistics that only remember which profiles they were told."""

    def __init__(self) -> None:
        self.told: dict[Any, Profile] = {}

    def know(self, request: Any, profile: Profile) -> None:
        self.told[sql.text(request.expression)] = profile


def profile_of(values: list[float], missing: int = 0) -> Profile:
    return Profile(len(values), missing, min(values), max(values), float(np.mean(values)))


def learned(steps: Any, answers: dict[type, Any]) -> tuple[Any, list[Any]]:
    """Run a step's learning on given answers; return what it learned and what it asked."""
    asked: list[Any] = []
    try:
        requests = next(steps)
        while True:
            asked += requests
            requests = steps.send({item: answers[type(item)] for item in requests})
    except StopIteration as done:
        return done.value, asked


def run(expression: exp.Expr, values: list[Any], kind: str = "double") -> list[Any]:
    """The SQL of an expression over ``x`` on some values."""
    with duckdb.connect() as con:
        con.execute(f"create table t (i integer, x {kind})")
        con.executemany("insert into t values (?, ?)", list(enumerate(values)))
        rows = con.execute(f"select {sql.text(expression)} from t order by i").fetchall()
    return [row[0] for row in rows]
