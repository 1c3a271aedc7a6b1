"""The Superset bundle: YAML files in a folder, zipped for the import with the file to read."""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml
from queries import query_context

FOLDER = Path(__file__).with_name("superset")


def read(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Read the bundle's files, by their path in the bundle."""
    return {
        path.relative_to(folder).as_posix(): yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.yaml"))
    }


def zipped(database: Path, folder: Path = FOLDER) -> bytes:
    """Zip the bundle so that it reads a database file.

    Parameters
    ----------
    database
        The served DuckDB file; its absolute path replaces the one in databases/segql.yaml.
    folder
        The folder of the bundle.

    Returns
    -------
    bytes
        A ZIP file that Superset imports, on its page or through its API.
    """
    files = read(folder)
    for name, content in files.items():
        if name.startswith("databases/"):
            content["sqlalchemy_uri"] = f"duckdb:///{database.absolute()}"
        if name.startswith("charts/"):
            # Superset keeps a chart's query beside its settings, for alerts and for its API.
            content["query_context"] = query_context(content["params"])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            # The import wants one folder around everything.
            target.writestr(f"segql/{name}", text)
    return archive.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Write the bundle's ZIP file for a Superset that runs elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path, help="the served file, where Superset finds it")
    parser.add_argument("target", type=Path, help="the ZIP file to write")
    options = parser.parse_args(arguments)
    options.target.write_bytes(zipped(options.database))
    print(f"{options.target}: import it on Superset's page Dashboards")
    return 0


if __name__ == "__main__":
    sys.exit(main())
