"""The BI check: a Superset of its own imports the bundle and shows every chart with rows."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import bundle
import duckdb
import screenshot
from rest import Api, ApiError
from server import Server, ServerError, running

ROOT = Path(__file__).resolve().parents[1]
DASHBOARD = "superset/dashboard/customer-segments/"


class CheckError(Exception):
    """A problem that one line explains."""


def main(arguments: list[str] | None = None) -> int:
    """Check the bundle on a served file; 0 on success, 1 with one clear line otherwise."""
    options = _parsed(arguments)
    # Whoever ends the check ends its server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        _check(options)
    except (CheckError, ApiError, ServerError, screenshot.DrawingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--database", type=Path, default=ROOT / "serve.duckdb", help="the file of segql publish"
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=ROOT / ".build" / "superset",
        help="a folder for Superset's metadata, its log, the bundle and the picture",
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the server running until Ctrl-C, to look at"
    )
    parser.add_argument(
        "--may-be-empty",
        action="append",
        default=[],
        metavar="CHART",
        help="a chart that this shop has no rows for, such as Demographics; may be repeated",
    )
    return parser.parse_args(arguments)


def _check(options: argparse.Namespace) -> None:
    database: Path = options.database.resolve()
    home: Path = options.home.resolve()
    began = time.monotonic()
    # Another process that reads the file, as other BI tools do: Superset must not want to write.
    with _opened(database):
        shutil.rmtree(home, ignore_errors=True)
        with running(home) as server:
            api = Api(server)
            charts = _imported(api, database, home)
            _check_rows(api, charts, options.may_be_empty)
            _save_picture(api, server, len(charts), options.may_be_empty, home / "dashboard.png")
            print(f"took {time.monotonic() - began:.0f} s")
            if options.keep:
                _wait(server)


def _opened(database: Path) -> duckdb.DuckDBPyConnection:
    if not database.is_file():
        raise CheckError(f"--database {str(database)!r} does not exist; segql publish writes it")
    try:
        return duckdb.connect(str(database), read_only=True)
    except duckdb.Error as error:
        said = " ".join(str(error).split())
        raise CheckError(f"--database {str(database)!r} cannot be read: {said}") from error


def _imported(api: Api, database: Path, home: Path) -> list[dict[str, Any]]:
    """Import the bundle, and list its charts as Superset then knows them."""
    archive = bundle.zipped(database)
    (home / "segql.zip").write_bytes(archive)
    api.import_dashboard(archive)
    charts = sorted(api.charts(), key=lambda chart: str(chart["slice_name"]))
    written = sorted(
        content["slice_name"]
        for name, content in bundle.read().items()
        if name.startswith("charts/")
    )
    if [chart["slice_name"] for chart in charts] != written:
        raise CheckError(f"{len(written)} charts are in the bundle, imported: {charts}")
    return charts


def _check_rows(api: Api, charts: list[dict[str, Any]], may_be_empty: list[str]) -> None:
    """Fetch the rows of every chart, and refuse those with none."""
    names = [str(chart["slice_name"]) for chart in charts]
    for name in may_be_empty:
        if name not in names:
            raise CheckError(f"--may-be-empty {name!r} is no chart; there are {', '.join(names)}")
    failed, empty = [], 0
    for chart in charts:
        name = chart["slice_name"]
        try:
            rows = api.chart_data(chart["id"])
        except ApiError as error:
            failed.append(f"{name}: {error}")
            continue
        shown = [row for row in rows if any(value is not None for value in row.values())]
        print(f"{len(shown):>6} rows  {name}")
        empty += not shown
        if not shown and name not in may_be_empty:
            failed.append(f"{name}: no rows")
    if failed:
        raise CheckError(f"{len(failed)} of {len(charts)} charts failed; " + "; ".join(failed))
    rest = f"{empty} empty, as was said" if empty else "all with rows"
    print(f"{len(charts)} charts, {rest}")


def _save_picture(
    api: Api, server: Server, charts: int, may_be_empty: list[str], target: Path
) -> None:
    if screenshot.browser() is None:
        print("no picture: chromium and chromedriver are not installed; the rows are checked")
        return
    page = f"{server.url}/{DASHBOARD}?standalone=1"
    screenshot.save(page, api.session_cookie(), charts, target, may_be_empty)
    print(f"picture: {target}")


def _wait(server: Server) -> None:
    print(f"{server.url}/{DASHBOARD}\nuser {server.user}, password {server.password}; Ctrl-C ends")
    try:
        while True:
            time.sleep(60)
    except KeyboardInterrupt:
        print("stopping")


if __name__ == "__main__":
    sys.exit(main())
