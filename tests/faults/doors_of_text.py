"""Doors that take a text of many parts: BigQuery's statements, and the vars of a dbt run."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import duckdb
import yaml
from doors import NUMBERS, Door, Refused, literal, text, value
from harness import PROJECT, Shop
from scenarios import orders

import segql
from segql.bigquery.options import MODEL_TYPES

#: What a statement may end in, or hold.
TAILS = ["", ";", "; SELECT 1", " -- x", " LIMIT 3", " UNION ALL SELECT 1", ")", "'", "`", "\0"]
PARTS = ["a", "b", "g", "d", "id", "*", "* EXCEPT (id)", "ML.STANDARD_SCALER(a) OVER ()", "a + b",
         "ML.BUCKETIZE(a, [1, 5])", "ML.QUANTILE_BUCKETIZE(b, 3) OVER ()", "STRUCT(a, b)",
         "ML.ONE_HOT_ENCODER(g) OVER ()", "ML.POLYNOMIAL_EXPAND(STRUCT(a, b), 2)", "NULL",
         "ML.FEATURE_CROSS(STRUCT(g, g))", "ML.MAX_ABS_SCALER(b) OVER ()", "[a, b]"]  # fmt: skip
QUESTIONS = ["PREDICT", "EVALUATE", "CENTROIDS", "PRINCIPAL_COMPONENTS", "TRANSFORM", "WEIGHTS",
             "PRINCIPAL_COMPONENT_INFO", "TRAINING_INFO", "TRIAL_INFO", "FEATURE_INFO",
             "DETECT_ANOMALIES"]  # fmt: skip


class Statements(Door):
    """BigQuery ML statements: options, clauses and questions of any kind and value."""

    def send(self, draw: random.Random) -> None:
        self.last = self._create(draw) if draw.random() < 0.5 else self._ask(draw)
        if draw.random() < 0.2:
            at = draw.randrange(len(self.last) + 1)  # the text may be empty
            self.last = self.last[:at] + text(draw) + self.last[at + draw.randrange(5) :]
        try:
            answer = segql.sql(self.con, self.last)
            if answer is not None:
                answer.fetchall()
        finally:
            self.drop_others()

    def _create(self, draw: random.Random) -> str:
        kind = draw.choice(list(MODEL_TYPES))
        options = [f"MODEL_TYPE = '{kind}'"]
        for name in draw.sample(sorted(MODEL_TYPES[kind]), draw.randrange(4)):
            fine = draw.choice(["2", "TRUE", "'COSINE'", "0.5", "HPARAM_RANGE(2, 4)", "'g'",
                                "HPARAM_CANDIDATES([2, 3])", "'AUTO'", "['a']"])  # fmt: skip
            options.append(f"{name} = {fine if draw.random() < 0.6 else literal(draw)}")
        columns = ", ".join(draw.choice(PARTS) for _ in range(draw.randrange(1, 4)))
        clause = ""
        if draw.random() < 0.4:
            parts = [draw.choice(PARTS) for _ in range(draw.randrange(1, 4))]
            named = [f"{part} AS t{number}" if draw.random() < 0.7 else part
                     for number, part in enumerate(parts)]  # fmt: skip
            clause = f" TRANSFORM({', '.join(named)})"
        head = draw.choice(
            ["CREATE MODEL", "CREATE OR REPLACE MODEL", "CREATE MODEL IF NOT EXISTS"]
        )
        name = draw.choice(["`x`", "shop.x", "x", f"`{text(draw)}`"])
        return (
            f"{head} {name}{clause} OPTIONS({', '.join(options)}) AS SELECT {columns} FROM t"
            f"{draw.choice(TAILS)}"
        )

    def _ask(self, draw: random.Random) -> str:
        model = draw.choice(["m", "m", "`m`", f"`{text(draw)}`", "none"])
        given = draw.choice(["", ", TABLE t", ", (SELECT * FROM t)", ", (SELECT a FROM t)",
                             ", STRUCT(0.1 AS contamination), TABLE t",
                             f", STRUCT({literal(draw, 1)} AS contamination), TABLE t",
                             f", {literal(draw)}"])  # fmt: skip
        question = draw.choice([*QUESTIONS, text(draw)])
        query = f"SELECT * FROM ML.{question}(MODEL {model}{given}){draw.choice(TAILS)}"
        return draw.choice([query, query, f"DROP MODEL {draw.choice(['none', 'x'])}", text(draw)])


class Vars(Door):
    """Vars of the reference project, which must build or fail in a sentence of its own."""

    # An input is a dbt build, which parses the project anew.
    longest = 300

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.shop = folder / "shop"
        self.shop.mkdir()
        orders(self.shop)
        project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
        self.known: dict[str, Any] = project["vars"]
        self.sold = self._sold()
        # Where nothing is built, everything is refused, and nothing was tried.
        Shop(self.shop / "shop.duckdb", {}).build("--select", "+segment_summary")

    def _sold(self) -> Any:
        with duckdb.connect(str(self.shop / "shop.duckdb"), read_only=True) as con:
            return con.execute("select count(*), sum(quantity) from raw.order_lines").fetchall()

    def send(self, draw: random.Random) -> None:
        given: dict[str, Any] = {}
        for name in draw.sample(sorted(self.known), draw.randrange(1, 4)):
            default = self.known[name]
            if isinstance(default, dict) and draw.random() < 0.8:
                given[name] = {draw.choice(["relation", "customer", "order", "timestamp", "price",
                                            "recency", text(draw)]): value(draw, 1)}  # fmt: skip
            else:
                given[name] = draw.choice([text(draw), draw.choice(NUMBERS), value(draw)])
        given = json.loads(json.dumps(given, default=str, skipkeys=True))
        self.last = json.dumps(given)
        selected = draw.choice(["+customer_features", "+customer_segments", "+segment_summary"])
        shop = Shop(self.shop / "shop.duckdb", {})
        done = shop.dbt("run", "--select", selected, **given)
        if self._sold() != self.sold:
            raise AssertionError("the orders have changed")
        if "Traceback" in done.output or "INTERNAL" in done.output or done.code not in (0, 1, 2):
            raise AssertionError(done.output[-1500:])
        for parsed in (self.shop / "target").glob("*.msgpack"):
            parsed.unlink()
        shutil.rmtree(self.shop / "logs", ignore_errors=True)
        if done.code:
            raise Refused("refused")


DOORS: dict[str, type[Door]] = {"statements": Statements, "vars": Vars}
