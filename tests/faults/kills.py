"""Kill -9 at random moments, and look at what is left: nothing lost, nothing torn.

    python tests/faults/kills.py --times 200
    python tests/faults/kills.py --times 50 --only refit history --seed 7

Each scenario has files before, and what a run that nobody kills makes of them. A run is killed at a
random moment; then every table and macro must be there and answer, as before or as after, and the
same run, made again, must end where the undisturbed one did.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
# For the fork server, which does not know this path.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
from scenarios import DATABASE, SCENARIOS, Scenario, within  # noqa: E402

#: What two runs that do the same may differ in: clocks, ids made at random, and
#: lists of texts with them.
VOLATILE = {
    "fitted_at", "seconds", "duration_ms", "mark", "publication_id", "published_at", "publish_sql",
    "parquet",
}  # fmt: skip
#: A text without the marks of stored cells.
UNMARKED = """regexp_replace("{}", '[''"][0-9a-f]{{32}}[''"]', '', 'g')"""
#: A version that dbt has fitted and not published yet is nobody's: the next fit removes it.
PUBLISHED = """ where (model_name, model_version) in
(select (model_name, model_version) from segql.models where is_published)"""
#: Tables that a killed run may leave, and the next one removes.
LEFTOVER = ("__dbt_tmp", "__dbt_backup", "__segql_input")
#: The runs are forked from a process that has imported everything and started no thread.
os.environ["PYTHONWARNINGS"] = "ignore"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["scenarios", "dbt.cli.main", "dbt.adapters.duckdb"])
Picture = dict[str, Any]


class LostError(Exception):
    """Something is lost, torn or cannot be opened."""


# -- running ---------------------------------------------------------------------------------


def start(scenario: str, folder: Path) -> tuple[Any, Connection]:
    """Start a run in a process of its own; what comes through the pipe says that it has begun."""
    here, there = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_run, args=(scenario, str(folder), there))
    process.start()
    there.close()
    return process, here


def _run(scenario: str, folder: str, begun: Connection) -> None:
    log = os.open(f"{folder}/log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    try:
        within(Path(folder), SCENARIOS[scenario].run, lambda: begun.send(True))
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def finish(scenario: str, folder: Path) -> tuple[float, int]:
    """Run to the end; the seconds since it had begun, and the most that it had written."""
    process, begun = start(scenario, folder)
    begun.poll(None)
    started, most, before = time.perf_counter(), 0, written(folder)
    while process.exitcode is None:
        process.join(0.001)
        most = max(most, written(folder) - before)
    if process.exitcode:
        raise LostError(f"the run failed: {(folder / 'log.txt').read_text()[-2000:]}")
    return time.perf_counter() - started, most


def kill(scenario: str, folder: Path, seconds: float, bytes: float) -> bool:
    """Kill a run that long after it has begun, or when it has written that much.

    Returns
    -------
    bool
        Whether it was still running.
    """
    process, begun = start(scenario, folder)
    begun.poll(None)
    started, before = time.perf_counter(), written(folder)
    while (
        process.exitcode is None
        and time.perf_counter() - started < seconds
        and written(folder) - before <= bytes
    ):
        process.join(0.0005)
    process.kill()
    process.join()
    if process.exitcode not in (0, -9):
        raise LostError(f"the run failed: {(folder / 'log.txt').read_text()[-2000:]}")
    return bool(process.exitcode)


def written(folder: Path) -> int:
    """Bytes of the databases, their logs, and what is to take their place."""
    sizes = 0
    for item in os.scandir(folder):
        if item.name not in ("log.txt", "k") and item.is_file(follow_symlinks=False):
            with contextlib.suppress(FileNotFoundError):
                sizes += item.stat().st_size
    return sizes


# -- looking ---------------------------------------------------------------------------------


def look(folder: Path) -> Picture:
    """Everything that a user can ask for: rows of each table, macros, answers of models."""
    found: Picture = {}
    for name in (DATABASE, "serve.duckdb"):
        if (folder / name).exists():
            with duckdb.connect(str(folder / name), read_only=True) as con:
                found |= {f"{name} {key}": item for key, item in look_into(con).items()}
    link = folder / "parquet"
    for file in sorted(link.resolve().glob("*.parquet")) if link.exists() else ():
        found[f"parquet {file.name}"] = duckdb.sql(
            f"select count(*), sum(hash(t)::hugeint) from '{file}' as t"
        ).fetchall()
    return found


def look_into(con: duckdb.DuckDBPyConnection) -> Picture:
    """Tables that hold rows, views, macros by their names, and what the models say."""
    found: Picture = {}
    columns: dict[tuple[str, str], list[str]] = {}
    for schema, table, column, kind in con.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where not internal and schema_name <> 'raw' and database_name = current_database() "
        "order by all"
    ).fetchall():
        columns.setdefault((schema, table), [])
        if column not in VOLATILE:
            is_text = schema == "segql" and kind == "VARCHAR"
            columns[schema, table].append(UNMARKED.format(column) if is_text else f'"{column}"')
    for (schema, table), kept in columns.items():
        [(count, digest)] = con.execute(
            f'select count(*), sum(hash({", ".join(kept)})::hugeint) from "{schema}"."{table}"'
            + (
                PUBLISHED
                if schema == "segql" and table != "retired" and '"model_version"' in kept
                else ""
            )
        ).fetchall()
        if count:
            found[f"{schema}.{table}"] = (count, digest)
    for name, parameters in con.execute(
        "select function_name, parameters from duckdb_functions() where not internal and "
        "schema_name = 'segql' and database_name = current_database()"
    ).fetchall():
        found[f"macro {name}"] = parameters
    if "macro predict" in found:
        for name, version, k in con.execute(
            "select model_name, model_version, k from segql.models where is_current"
        ).fetchall():
            features = con.execute("select count(*) filter (used) from segql.feature_info(?)",
                                   [name]).fetchall()  # fmt: skip
            segments = con.execute("select count(*) from segql.segments(?) where segment_id > 0",
                                   [name]).fetchall()  # fmt: skip
            if segments != [(k,)]:
                raise LostError(f"model {name!r} has {segments} segments of {k}")
            zeros = ", ".join(["0"] * features[0][0])
            answer = con.execute(f'select segql."{name}_segment_key"({zeros})').fetchall()
            found[f"model {name}"] = (version, k, features, answer)
    return found


def compare(found: Picture, old: Picture, new: Picture, *, at_once: bool) -> str:
    """Refuse what is neither as before nor as after; say which it is."""
    sides = Counter[str]()
    for key in {*found, *old, *new}:
        if key.endswith(LEFTOVER):
            continue
        item = found.get(key)
        if item not in (old.get(key), new.get(key)):
            raise LostError(f"{key} is {item}, not {old.get(key)} or {new.get(key)}")
        if old.get(key) != new.get(key):
            sides["new" if item == new.get(key) else "old"] += 1
    if at_once and len(sides) > 1:
        raise LostError(f"torn: {sides}")
    return " and ".join(sorted(sides))


# -- killing ---------------------------------------------------------------------------------


def rounds(name: str, scenario: Scenario, times: int, draw: random.Random, folder: Path) -> int:
    """Kill a scenario that often; the number of kills that lost something."""
    before, work = folder / "before", folder / "work"
    before.mkdir(parents=True)
    scenario.before(before)
    old = look(before)
    shutil.copytree(before, work, symlinks=True)
    seconds, most = finish(name, work)
    new = look(work)
    parsed = Path("target") / "partial_parse.msgpack"
    if (work / parsed).exists():
        # Half of dbt's time, in which nothing is written.
        (before / "target").mkdir(exist_ok=True)
        shutil.copy(work / parsed, before / parsed)
    seen, lost = Counter[str](), 0
    for _ in range(times):
        shutil.rmtree(work)
        shutil.copytree(before, work, symlinks=True)
        # Half of them when so much is written: by the clock a commit is hardly ever met.
        after, bytes = draw.uniform(0, seconds), math.inf
        if draw.random() < 0.5:
            after, bytes = 10 * seconds, draw.uniform(0, most)
        try:
            seen["killed" if kill(name, work, after, bytes) else "ended before the kill"] += 1
            seen[compare(look(work), old, new, at_once=scenario.at_once)] += 1
            seconds, _ = finish(name, work)
            rest = look(work)
            if rest != new:
                odd = {key: (rest.get(key), new.get(key)) for key in {*rest, *new}
                       if rest.get(key) != new.get(key)}  # fmt: skip
                raise LostError(f"made again, the run ends elsewhere: {odd}")
        except (LostError, duckdb.Error) as error:
            lost += 1
            kept = folder / f"lost-{lost}"
            shutil.copytree(work, kept, symlinks=True)
            print(f"{name}, killed after {after:.3f} s or {bytes} bytes: {error}\n  kept in {kept}",
                  flush=True)  # fmt: skip
    print(f"{name}: {times} kills of a run of {seconds:.1f} s that writes {most} bytes, "
          f"{lost} lost; {dict(seen)}", flush=True)  # fmt: skip
    return lost


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--times", type=int, default=200, help="over all scenarios")
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where what was lost is kept")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    chosen = {name: SCENARIOS[name] for name in options.only}
    total = sum(item.share for item in chosen.values())
    folder = Path(options.folder or tempfile.mkdtemp(prefix="segql-faults-"))
    lost = done = 0
    for name, scenario in chosen.items():
        times = max(1, round(options.times * scenario.share / total))
        done += times
        lost += rounds(name, scenario, times, draw, folder / name.replace(" ", "_"))
    print(f"{done} kills, {lost} lost")
    if lost:
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
