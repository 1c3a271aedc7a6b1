"""Runs tests on each Python and DuckDB, and at both ends of the ranges of dependencies.

    nox                                          # all sessions whose Python is here
    nox -s "tests-3.12(duckdb='1.5')" lowest     # some (nox --list)
    nox -s highest -- tests/unit -n 1            # other tests

``tests`` has the pinned versions but for DuckDB, ``lowest`` the lower bound of each dependency in
pyproject.toml, ``highest`` whatever is newest. Pythons of pyenv are found when they are in use:
``PYENV_VERSION=3.11.7:3.12.1:3.13.0 nox``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import nox
from packaging.requirements import Requirement

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
DUCKDBS = ["1.5", "2.0"]
#: What a session runs unless it is told otherwise.
TESTS = ["tests/unit", "tests/contract", "tests/upgrade", "tests/property", "-n", "2"]
#: Extras whose dependencies have lower bounds that ``lowest`` tries.
EXTRAS = ["report", "dbt"]

nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"


@nox.session(python=PYTHONS)
@nox.parametrize("duckdb", DUCKDBS)
def tests(session: nox.Session, duckdb: str) -> None:
    """Run the tests on the pinned versions, with one DuckDB."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    run(
        session,
        [pin for pin in pins if not pin.startswith("duckdb==")] + [f"duckdb=={duckdb}.*"],
    )


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest version of every declared dependency."""
    run(session, lower_bounds())


@nox.session(python=PYTHONS)
def highest(session: nox.Session) -> None:
    """Run the tests with the newest version of every dependency."""
    run(session, [])


def lower_bounds() -> list[str]:
    """Constraints to the lowest versions that pyproject.toml admits."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = list(project["dependencies"])
    for extra in EXTRAS:
        declared += project["optional-dependencies"][extra]
    bounds = []
    for requirement in map(Requirement, declared):
        [lower] = [item.version for item in requirement.specifier if item.operator == ">="]
        bounds.append(f"{requirement.name}=={lower}")
    return bounds


def run(session: nox.Session, constraints: list[str]) -> None:
    """Install the package under constraints, say which versions that gave, and run the tests."""
    path = Path(session.create_tmp()) / "constraints.txt"
    path.write_text("\n".join(constraints) + "\n", encoding="utf-8")
    session.install("--upgrade", "--constraint", str(path), "--editable", ".[test]")
    session.run("python", "-m", "pip", "list", "--format", "freeze")
    session.run("python", "-m", "pytest", *(session.posargs or TESTS))
