"""The doors that odd input is sent through: one class a door, one call an input."""

from __future__ import annotations

import contextlib
import io
import json
import random
import string
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "contract"), str(TESTS / "property"), str(TESTS / "dbt")]
import test_tampered_registry as tampered  # noqa: E402
from support import load_frame, shop_frame  # noqa: E402
from test_injection import ATTACKS  # noqa: E402
from test_odd_inputs import NAMES  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

import segql  # noqa: E402
from segql import sql_text as sql  # noqa: E402
from segql.cli import app  # noqa: E402
from segql.functions.session import FUNCTIONS  # noqa: E402
from segql.functions.shared_macros import TABLE_MACROS  # noqa: E402

NUMBERS = [
    0, 1, -1, 2, 3, 7, 10**6, 2**31, 2**63, 10**40, 0.0, -0.0, 0.5, 1e-300, 1e300, -1e308,
    float("nan"), float("inf"), float("-inf"),
]  # fmt: skip
WORDS = [
    "auto", "none", "null", "median", "mean", "mode", "log1p", "winsorize", "yeo_johnson", "scale",
    "impute", "transform", "encode", "onehot", "ordinal", "frequency", "weight", "indicator", "top",
    "order", "constant", "height", "standard", "robust", "kmeans", "dbscan", "hdbscan", "ward",
    "hierarchical", "single", "a", "b", "g", "d", "id", "t", "m", "k", "true",
]  # fmt: skip


FIT_OPTIONS = [
    "id", "k", "features", "algorithm", "pca", "eps", "seed", "linkage", "min_samples", "refit",
    "x",
]  # fmt: skip


class Refused(Exception):
    """An input that was refused as it should be."""


def text(draw: random.Random) -> str:
    """A word that means something, an attack, or any characters."""
    kind = draw.random()
    if kind < 0.4:
        return draw.choice(WORDS)
    if kind < 0.7:
        return draw.choice([*ATTACKS, *NAMES])
    if kind < 0.75:
        return draw.choice(["x", "'", '"', "(", "é", "[", "\n"]) * draw.choice([100, 10_000])
    alphabet = string.printable + "éß数😀\u200b\u202e\ufeff"
    return "".join(draw.choice(alphabet) for _ in range(draw.randrange(0, 12)))


def value(draw: random.Random, depth: int = 3) -> Any:
    """Any value that Python or JSON has."""
    kind = draw.random()
    if depth and kind < 0.15:
        return [value(draw, depth - 1) for _ in range(draw.randrange(4))]
    if depth and kind < 0.35:
        return {text(draw): value(draw, depth - 1) for _ in range(draw.randrange(3))}
    if kind < 0.4:
        return draw.choice([None, True, False, (), (1, 2), {1, 2}, b"x", object, 1j])
    if kind < 0.7:
        return draw.choice(NUMBERS)
    return text(draw)


def literal(draw: random.Random, depth: int = 3) -> str:
    """A value as DuckDB writes it."""
    kind = draw.random()
    if depth and kind < 0.3:
        return f"[{', '.join(literal(draw, depth - 1) for _ in range(draw.randrange(5)))}]"
    if depth and kind < 0.4:
        names = {draw.choice(WORDS): literal(draw, depth - 1) for _ in range(draw.randrange(1, 4))}
        return "{" + ", ".join(f"'{name}': {item}" for name, item in names.items()) + "}"
    if kind < 0.5:
        return draw.choice(
            [
                "null",
                "true",
                "date '2020-01-01'",
                "interval 1 day",
                "'x'::blob",
                "1::hugeint",
                "1.5::decimal(9, 2)",
                "uuid()",
                "[]::double[][]",
            ]
        )
    if kind < 0.8:
        number = draw.choice(NUMBERS)
        return repr(number) if abs(number) <= 1e308 else f"'{number}'::double"
    return sql.literal(text(draw).replace("\0", ""))


class Door(ABC):
    """A database with a model, and a way in."""

    #: Seconds that an input may take.
    longest = 60

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "shop.duckdb"
        self.last = ""
        self.con = duckdb.connect(str(self.path))
        self.con.execute(
            "create table t as select i as id, i % 7 * 1.5 as a, (i * i % 11)::double as b, "
            "'g' || i % 3 as g, date '2024-01-01' + (i % 9)::int as d from range(40) as r (i); "
            "create table precious as select 1 as x"
        )
        segql.fit(self.con, "t", id="id", name="m", k=2, features=["a", "b", "g"])
        segql.register(self.con)
        self.answers = self.scores()

    def scores(self) -> Any:
        """What must stay: the sources, and the answers of the model that is there."""
        return self.con.execute(
            "select list(segment_key order by id), (select sum(id) from t), (from precious) "
            "from segql.predict('m', 't', version := 1)"
        ).fetchall()

    def try_one(self, draw: random.Random) -> str:
        """Send one input; what became of it."""
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                self.send(draw)
            outcome = "answered"
        except segql.SegqlError as error:
            if "\n" in str(error) or not str(error).strip():
                raise AssertionError(f"not one line: {str(error)[:300]!r}") from error
            outcome = "refused"
        except duckdb.FatalException:
            raise
        except duckdb.Error as error:
            if "INTERNAL" in str(error) or isinstance(error, duckdb.InternalException):
                raise
            outcome = "refused by DuckDB"
        if self.scores() != self.answers:
            raise AssertionError("what was there before has changed")
        return outcome

    @abstractmethod
    def send(self, draw: random.Random) -> None:
        """Send one input."""

    def drop_others(self) -> None:
        """Keep the registry small."""
        for name in set(segql.models(self.con)["model_name"]) - {"m"}:
            segql.drop(self.con, name)


class Options(Door):
    """Arguments of segql.fit, and the struct of segql_fit."""

    def send(self, draw: random.Random) -> None:
        if draw.random() < 0.4:
            given_names = [draw.choice(FIT_OPTIONS) for _ in range(draw.randrange(4))]
            struct = ", ".join(f"{name}: {literal(draw)}" for name in given_names)
            self.last = f"select segql_fit('x', 't', {{id: 'id', {struct}}})"
            self.con.execute(self.last).fetchall()
        else:
            given: dict[str, Any] = {"id": "id", "k": 2, "features": ["a", "b"], "name": None}
            for _ in range(draw.randrange(1, 4)):
                given[draw.choice([*given, "algorithm", "pca", "eps", "min_samples", "linkage",
                                   "seed"])] = value(draw)  # fmt: skip
            if draw.random() < 0.5:
                given["features"] = {
                    draw.choice(["a", "b", "g"]): {
                        draw.choice(["impute", "indicator", "transform", "scale", "encode",
                                     "weight"]): value(draw)
                    }
                }  # fmt: skip
            self.last = repr(given)
            segql.fit(self.con, "t", **given)
        self.drop_others()


class State(Door):
    """The JSON of stored models, changed in several places."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        load_frame(self.con, "shop", shop_frame(100))
        self.states = {}
        for name, options in tampered.MODELS.items():
            segql.fit(self.con, "shop", id="customer_id", name=name, **options)
            self.states[name] = tampered.stored(self.con, name)

    def send(self, draw: random.Random) -> None:
        name = draw.choice(list(self.states))
        state = self.states[name]
        for _ in range(draw.choice([1, 1, 1, 2, 3])):
            with contextlib.suppress(ValueError, RecursionError):
                parsed = json.loads(state)
                path = draw.choice(list(tampered.places(parsed)))
                new = json.dumps(value(draw), default=str)
                state = tampered.changed(parsed, path, draw.choice([new, *tampered.HOSTILE]))
        if draw.random() < 0.1:
            at = draw.randrange(len(state) + 1)
            state = state[:at] + draw.choice(["", "}", "]", '"', "\\", "\0x"]) + state[at + 1 :]
        self.last = f"{name}: {state}"
        tampered.put(self.con, name, "state", state)
        try:
            model = segql.load(self.con, name)
            assert len(duckdb.extract_statements(model.sql())) == 1
            segql.predict(self.con, model, "shop").aggregate("count(segment_id)").fetchall()
        finally:
            tampered.put(self.con, name, "state", self.states[name])


class Names(Door):
    """Names of tables, columns and models."""

    def send(self, draw: random.Random) -> None:
        columns = [text(draw).replace("\0", "") or "c" for _ in range(3)]
        table, model = text(draw).replace("\0", "") or "t2", text(draw)
        self.last = repr((columns, table, model))
        if table.lower() in ("t", "precious") or model.lower() == "m":
            raise Refused("taken")
        quoted = [sql.quoted(item) for item in [*columns, table]]
        self.con.execute(f"create or replace table {quoted[3]} as select id as {quoted[0]}, "
                         f"a as {quoted[1]}, g as {quoted[2]} from t")  # fmt: skip
        try:
            segql.fit(self.con, quoted[3], id=columns[0], name=model, k=2, features=columns[1:])
            argument = sql.literal(model)
            relation = sql.literal(quoted[3])
            macro = self.con.execute(f"from segql.predict({argument}, {relation})").fetchall()
            assert len(macro) == 40
            assert len(segql.predict(self.con, model, quoted[3]).fetchall()) == 40
            for dialect in ("postgres", "bigquery"):
                segql.export(segql.load(self.con, model), dialect=dialect)
        finally:
            self.con.execute(f"drop table if exists {quoted[3]}")
            self.drop_others()


def _cell(draw: random.Random, odd: float, number: int) -> str:
    if draw.random() < odd:
        return draw.choice([str(draw.choice(NUMBERS)), text(draw), ""])
    return str(number)


class Files(Door):
    """CSV files as relations."""

    def send(self, draw: random.Random) -> None:
        odd = draw.choice([0, 0.05, 0.5])
        rows = [
            [str(line), *(_cell(draw, odd, line * place % 7) for place in (2, 3))]
            for line in range(draw.randrange(1, 30))
        ]
        mark = draw.choice([",", ";", "\t", "|"])
        body = draw.choice(["\n", "\r\n"]).join(mark.join(row) for row in rows)
        if draw.random() < 0.7:
            body = f"id{mark}a{mark}b\n" + body
        raw = body.encode(draw.choice(["utf-8", "utf-8", "utf-16", "latin-1"]), "replace")
        file = self.folder / "rows.csv"
        file.write_bytes(raw[: draw.choice([None, None, max(1, len(raw) // 2)])])
        self.last = repr(raw[:600])
        relation = draw.choice(
            [
                str(file),
                f"select * from read_csv('{file}', all_varchar = true)",
                f"select row_number() over () as id, * from '{file}'",
            ]
        )
        segql.fit(self.con, relation, id="id", name=draw.choice([None, "csv"]), k=2)
        self.drop_others()


class Values(Door):
    """Tables of any types and values."""

    def send(self, draw: random.Random) -> None:
        kinds = ["double", "float", "bigint", "hugeint", "decimal(38, 10)", "varchar", "boolean",
                 "date", "timestamp", "blob", "double[]", "struct(x int)", "uuid", "json", "bit",
                 "interval", "time", "map(int, int)"]  # fmt: skip
        size = draw.choice([1, 2, 3, 10, 40])
        columns = []
        for index in range(draw.randrange(1, 4)):
            pool = [literal(draw, 1) for _ in range(draw.randrange(1, 6))]
            kind = draw.choice(kinds)
            picks = ", ".join(f"try_cast({item} as {kind})" for item in pool)
            columns.append(f"list_extract([{picks}], (i % {len(pool)} + 1)::int) as c{index}")
        self.last = (
            f"select i as id, i % 5 as base, {', '.join(columns)} from range({size}) as r (i)"
        )
        algorithm = draw.choice(["kmeans", "kmeans", "hierarchical", "dbscan", "hdbscan"])
        model = segql.fit(self.con, self.last, id="id", name="v", algorithm=algorithm)
        segql.predict(self.con, model, self.last).fetchall()
        segql.evaluate(self.con, "v", self.last)
        self.drop_others()


class Functions(Door):
    """Session functions and macros of the file, on any arguments."""

    def send(self, draw: random.Random) -> None:
        if draw.random() < 0.6:
            name = draw.choice([function.name for function in FUNCTIONS])
            arguments = [literal(draw) for _ in range(draw.randrange(1, 4))]
            if draw.random() < 0.6:
                arguments[0] = draw.choice(["[[1.0], [2.0], [9.0]]", "[[1.0, 2.0], [3.0, 4.0]]",
                                            "[1, 2, 2]", "['a', 'b']"])  # fmt: skip
            self.last = f"select {name}({', '.join(arguments)})"
        else:
            macro = draw.choice(list(TABLE_MACROS))
            fine = {"model": "'m'", "relation": "'t'", "contamination": "0.1"}
            takes = [item for item in macro.parameters if ":=" not in item]
            given = [fine[item] if draw.random() < 0.5 else literal(draw, 1) for item in takes]
            if draw.random() < 0.3:
                given.append(f"version := {literal(draw, 1)}")
            self.last = f"select count(*) from segql.{macro.name}({', '.join(given)})"
        self.con.execute(self.last).fetchall()


class Commands(Door):
    """The command line."""

    def send(self, draw: random.Random) -> None:
        commands: list[Callable[[], list[str]]] = [
            lambda: ["fit", text(draw), draw.choice(["t", text(draw)]), "--id", "id", "--features",
                     draw.choice(["a,b", text(draw), json.dumps({"a": value(draw)}, default=str)])],
            lambda: ["fit", "x", "t", "--id", draw.choice(["id", text(draw)]), "--k", text(draw)],
            lambda: ["fit", "x", "t", "--id", "id", "--features", "a,b", "--algorithm", "dbscan",
                     "--eps", draw.choice([str(draw.choice(NUMBERS)), text(draw)])],
            lambda: ["predict", "--", draw.choice(["m", text(draw)]), text(draw)],
            lambda: ["predict", "--to", f"{self.folder}/out.csv", "--", "m", text(draw)],
            lambda: ["evaluate", "--", draw.choice(["m", text(draw)]), text(draw)],
            lambda: ["models", "--", text(draw)],
            lambda: ["export", "m", "--dialect", text(draw), "--form", text(draw)],
            lambda: ["drop", "--yes", "--", text(draw) + "x"],
            lambda: ["use-version", "--", "m", text(draw)],
            lambda: ["forget", "--yes", "--keep-bytes", "--id-column", text(draw), "--",
                     text(draw)],
            lambda: ["publish", "--to", f"{self.folder}/serve.duckdb", "--schema", text(draw),
                     "--keep", text(draw)],
            lambda: ["export-audience", "--to", f"{self.folder}/a.csv", "--", text(draw)],
            lambda: [text(draw), text(draw)],
        ]  # fmt: skip
        name, *arguments = draw.choice(commands)()
        arguments = [item.replace("\0", "") for item in arguments]
        self.last = repr([name, *arguments])
        self.con.close()
        try:
            done = CliRunner().invoke(
                app, [name, *arguments], env={"SEGQL_DATABASE": str(self.path)}
            )
        finally:
            self.con = duckdb.connect(str(self.path))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code in (0, 1, 2), done.exit_code
        assert done.exit_code != 1 or done.stderr.count("\n") <= 2, done.stderr
        self.drop_others()
        if done.exit_code:
            raise Refused("refused")


DOORS: dict[str, type[Door]] = {
    "options": Options, "state": State, "names": Names, "files": Files, "values": Values,
    "functions": Functions, "commands": Commands,
}  # fmt: skip
