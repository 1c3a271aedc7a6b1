"""Change the code in one place and see whether a test notices, for a seeded sample of places.

    python tests/mutation/sample.py --seed 42 --count 300
    python tests/mutation/sample.py --seed 42 --count 300 --minutes 40    # go on another time

The mutants are Cosmic Ray's, kept with their results in one of its sessions, so that a run goes on
where it was stopped; changed code starts anew. Each is tried in a copy of the tree, against the
quick tests of its module. A place counts once, however many operators fit it; annotations, which
nothing evaluates, do not count.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import uuid
from collections import defaultdict
from pathlib import Path

from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkItem, WorkResult
from targets import SLOW, modules, tests_of

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".build" / "mutants"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
#: Share of the mutants that must be killed.
WANTED = 0.8
#: A mutant may take so many times what the tests need, and so many seconds more; one test may take
#: so many seconds.
PATIENCE, EXTRA, ONE_TEST = 4.0, 30.0, 90

Place = tuple[str, tuple[int, int], tuple[int, int], str]


def main() -> int:
    """Draw, try, and say what survived; 1 when too many did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument(
        "--again", action="store_true", help="try again what survived and is not named equivalent"
    )
    asked = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="segql-mutants-") as folder:
        copy_tree(Path(folder))
        os.chdir(folder)
        os.environ["PYTHONPATH"] = f"{folder}/udfs"
        drawn = draw(asked.seed, asked.count)
        session = KEPT / f"seed-{asked.seed}-{asked.count}.sqlite"
        with use_db(str(session), WorkDB.Mode.create) as db:
            keep(db, drawn, again=asked.again)
            try_all(db, time.monotonic() + 60 * asked.minutes, known_baselines(Path(folder)))
            return report(db, session.with_suffix(".txt"))


def copy_tree(folder: Path) -> None:
    """Copy what git knows of or would add: the tests run there, on the mutated copy."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def draw(seed: int, count: int) -> list[MutationSpec]:
    """Draw places, then one mutant of each."""
    places: defaultdict[Place, list[MutationSpec]] = defaultdict(list)
    annotated = {module: annotations(Path(module)) for module in modules(Path())}
    for item in _all_work_items([Path(module) for module in annotated], {}):
        [found] = item.mutations
        module = found.module_path.as_posix()
        inside = any(
            start <= found.start_pos and found.end_pos <= end for start, end in annotated[module]
        )
        if not inside:
            family = found.operator_name.split("_")[0]
            places[module, found.start_pos, found.end_pos, family].append(found)
    rng = random.Random(seed)
    chosen = rng.sample(sorted(places), min(count, len(places)))
    print(f"{len(chosen)} of {len(places)} places", flush=True)
    return [rng.choice(places[place]) for place in chosen]


def annotations(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Start and end of each annotation of a file."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.AnnAssign | ast.arg):
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            found.append(node.returns)
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in found
        if node is not None
    ]


def keep(db: WorkDB, drawn: list[MutationSpec], *, again: bool) -> None:
    """Store the sample, unless the session has it already."""
    known = {item.job_id: item.mutations[0] for item in db.work_items}
    if sorted(map(str, known.values())) != sorted(map(str, drawn)):
        db.clear()
        db.add_work_items(WorkItem.single(uuid.uuid4().hex, item) for item in drawn)
    elif again:
        named = equivalents()
        lost = {
            job
            for job, result in db.results
            if not result.is_killed and changed_lines(result) not in named
        }
        gone = [(job, result) for job, result in db.results if job not in lost]
        db.clear()
        db.add_work_items(WorkItem.single(job, item) for job, item in known.items())
        for job, result in gone:
            db.set_result(job, result)


def known_baselines(tree: Path) -> Path:
    """Where the seconds of the tests on this very tree are, of a run that was stopped."""
    digest = hashlib.sha256()
    for path in sorted(tree.glob("**/*.py")):
        digest.update(path.read_bytes())
    return KEPT / f"baselines-{digest.hexdigest()[:16]}.json"


def try_all(db: WorkDB, until: float, kept: Path) -> None:
    """Try the mutants that have no result yet."""
    seconds: dict[str, float] = json.loads(kept.read_text()) if kept.exists() else {}
    pending = list(db.pending_work_items)
    for number, item in enumerate(pending, 1):
        if time.monotonic() > until:
            print(f"stopped: {len(pending) - number + 1} mutants have not been tried")
            return
        [mutant] = item.mutations
        command = command_of(mutant.module_path.as_posix())
        if command not in seconds:
            seconds[command] = baseline(command)
            kept.write_text(json.dumps(seconds))
        before = time.monotonic()
        result = mutate_and_test(item.mutations, command, PATIENCE * seconds[command] + EXTRA)
        db.set_result(item.job_id, result)
        print(
            f"{number}/{len(pending)} {told(result)} {mutant.module_path.name}:"
            f"{mutant.start_pos[0]} {mutant.operator_name} ({time.monotonic() - before:.0f} s)",
            flush=True,
        )


def told(result: WorkResult) -> str:
    """What became of a mutant; a busy machine can kill one by the clock alone."""
    if result.test_outcome is None:
        return result.worker_outcome.value
    output = result.output or ""
    # What ends by its own time says no last word; a module that does not import says nothing.
    late = result.is_killed and output != "" and "stopping after" not in output
    return f"{result.test_outcome.value}{' by time' if late else ''}"


def command_of(module: str) -> str:
    """The tests of a module, which stop at the first one that fails."""
    deselected = " ".join(f"--deselect {item}" for item in SLOW)
    limit = f"-o faulthandler_timeout={ONE_TEST} -o faulthandler_exit_on_timeout=true"
    options = f"-x -q -p no:cacheprovider --no-header {limit} {deselected}"
    return f"{sys.executable} -m pytest {options} {' '.join(tests_of(module))}"


def baseline(command: str) -> float:
    """Seconds that the tests need on the code as it is; they must pass."""
    before = time.monotonic()
    outcome, output = run_tests(command, 1800.0)
    if outcome != TestOutcome.SURVIVED:
        sys.exit(f"the tests fail without any mutation: {command}\n{output}")
    return time.monotonic() - before


def report(db: WorkDB, path: Path) -> int:
    """Write the survivors with their differences, and say which share was killed."""
    results = dict(db.results)
    reasons = equivalents()
    survived: list[str] = []
    excused: list[str] = []
    for job in sorted(results, key=lambda job: results[job].diff or ""):
        result = results[job]
        if not result.is_killed:
            text = changed_lines(result)
            reason = reasons.get(text)
            (survived if reason is None else excused).append(
                f"{text}\n" if reason is None else f"{text}\nequivalent: {reason}\n"
            )
    path.write_text("\n".join([*survived, *excused]), encoding="utf-8")
    for text in survived:
        print(text)
    counted = len(results) - len(excused)
    killed = counted - len(survived)
    share = killed / counted if counted else 0.0
    print(
        f"{killed} of {counted} mutants killed ({share:.1%}), {len(survived)} survived, "
        f"{len(excused)} more are equivalent; {path.relative_to(ROOT)}"
    )
    return int(share < WANTED)


def changed_lines(result: WorkResult) -> str:
    """File, and the lines before and after: line numbers of the mutants change with the code."""
    lines = (result.diff or "").splitlines()
    [name] = [line[len("+++ b/") :] for line in lines if line.startswith("+++ ")]
    changed = [
        f"{line[0]} {line[1:].strip()}"
        for line in lines
        if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))
    ]
    return "\n".join([name, *changed])


def equivalents() -> dict[str, str]:
    """Mutants that no test can notice, and why."""
    if not EQUIVALENT.exists():
        return {}
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return {item["change"].strip(): item["reason"] for item in listed}


if __name__ == "__main__":
    sys.exit(main())
