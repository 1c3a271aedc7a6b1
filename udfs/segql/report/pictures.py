"""Write charts of a report as images, by a browser that is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from segql.errors import SegqlError
from segql.placing import part_of
from segql.report.contents import Chart, Part

#: Names another browser than those that are looked for.
VARIABLE = "SEGQL_BROWSER"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
            "msedge", "microsoft-edge")  # fmt: skip
#: Quiet: nothing is asked of any network.
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--disable-extensions", "--force-device-scale-factor=2")  # fmt: skip
#: Width of an image and the room for words around a chart, in pixels before doubling.
WIDTH, WORDS = 1000, 190
#: Seconds that one image may take.
PATIENCE = 60


def write_pictures(page: Path, parts: Sequence[Part], folder: Path) -> list[Path]:
    """Write every chart of a page as ``<key>.png``.

    Parameters
    ----------
    page : Path
        The report.
    parts : sequence of Part
        What is on it.
    folder : Path
        Made where it is missing.

    Raises
    ------
    SegqlError
        Where no Chromium or Chrome is found, or it fails.
    """
    browser = find_browser()
    if folder.exists() and not folder.is_dir():
        raise SegqlError(f"png got {str(folder)!r}, a file; accepted: a folder")
    folder.mkdir(parents=True, exist_ok=True)
    charts = [item for part in parts for item in part.items if isinstance(item, Chart)]

    def take(chart: Chart) -> Path:
        return _picture(browser, page, chart, folder / f"{chart.key}.png")

    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(take, charts))


def find_browser() -> str:
    """Find a browser that can be run without a screen."""
    wanted = os.environ.get(VARIABLE)
    names = [wanted] if wanted else BROWSERS
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise SegqlError(
            f"png needs Chromium or Chrome, and there is none of {', '.join(names)}; accepted: "
            f"one of them on the PATH, or its path in {VARIABLE}"
        )
    return found


def _picture(browser: str, page: Path, chart: Chart, to: Path) -> Path:
    # A profile of its own: two browsers at a time would share a lock.
    with tempfile.TemporaryDirectory(prefix="segql-browser-") as profile:
        taken = Path(profile) / "chart.png"
        command = [
            browser, *OPTIONS, f"--user-data-dir={profile}/profile",
            f"--window-size={WIDTH},{chart.height + WORDS}", "--virtual-time-budget=8000",
            f"--screenshot={taken}", f"{page.resolve().as_uri()}#only={quote(chart.key)}",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired as error:
            raise SegqlError(f"{browser} took more than {PATIENCE} s for {chart.key}") from error
        if done.returncode != 0 or not taken.exists():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise SegqlError(f"{browser} wrote no image of {chart.key}: {last}")
        part = part_of(to)
        shutil.copy(taken, part)
        part.replace(to)
    return to
