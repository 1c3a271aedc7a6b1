"""Make the databases of earlier versions, each with the code that wrote such databases.

    python tests/upgrade/make_databases.py        # those that are missing
    python tests/upgrade/make_databases.py 3 7    # these again

A commit is the last one of its registry's schema on main. It runs with today's packages. When the
schema changes, name here the last commit before: a test asks for its database.
"""

from __future__ import annotations

import io
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATABASES = HERE / "databases"
#: Schema version of the registry: the commit whose code writes it.
COMMITS = {
    1: "c859e62",
    2: "353f510",
    3: "faccd22",
    4: "88b5da8",
    5: "ef96a97",
    6: "29a03b4",
    7: "caed3c2",
}
#: Bytes that a database may have.
LARGEST = 60_000


def database_file(version: int) -> Path:
    """Where the database of a schema version is."""
    return DATABASES / f"schema_{version}.duckdb.xz"


def make(version: int) -> Path:
    """Write the database of a schema version and return its file."""
    archive = subprocess.run(
        ["git", "archive", COMMITS[version], "udfs"], cwd=HERE.parents[1], check=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        path = Path(folder) / "old.duckdb"
        subprocess.run(
            [sys.executable, HERE / "write_database.py", path],
            env=os.environ | {"PYTHONPATH": f"{folder}/udfs"},
            check=True,
            stdout=subprocess.DEVNULL,  # what the fit says of its features
        )
        packed = lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
    if len(packed) > LARGEST:
        sys.exit(f"the database of schema {version} has {len(packed)} bytes, more than {LARGEST}")
    DATABASES.mkdir(exist_ok=True)
    database_file(version).write_bytes(packed)
    return database_file(version)


if __name__ == "__main__":
    asked = [int(item) for item in sys.argv[1:]]
    for number in asked or [item for item in COMMITS if not database_file(item).exists()]:
        made = make(number)
        print(f"{made.name}: {made.stat().st_size} bytes")
