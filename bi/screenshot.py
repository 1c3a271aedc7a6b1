"""A picture of the dashboard in headless Chromium, and whether every chart of it was drawn."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)
WIDTH = 1600
DRAW_SECONDS = 120

#: A page that is drawn has all its charts, none of them still loading.
STATE = """
const charts = [...document.querySelectorAll('[data-test="dashboard-component-chart-holder"]')];
const name = (chart) => (chart.querySelector('[data-test="editable-title"]') || chart).innerText;
const having = (query) => charts.filter((chart) => chart.querySelector(query)).map(name);
return {
    charts: charts.length,
    loading: having('[data-test="loading-indicator"], .loading'),
    drawn: having('canvas, table, svg, .header-line').length,
    failed: having('.ant-alert-error, [data-test="chart-error"]'),
    empty: having('.ant-empty'),
    height: Math.max(...charts.map((chart) => chart.getBoundingClientRect().bottom)) + 24,
};
"""


class DrawingError(Exception):
    """Charts that the page could not draw."""


def browser() -> tuple[str, str] | None:
    """Find Chromium and its driver, or nothing where one of them is missing."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    return (chromium, driver) if chromium and driver else None


def save(
    dashboard: str, cookie: str, charts: int, target: Path, may_be_empty: Sequence[str] = ()
) -> None:
    """Save a picture of the whole dashboard.

    Parameters
    ----------
    dashboard
        The dashboard's address.
    cookie
        The session cookie of a user who may see it.
    charts
        How many charts it has.
    target
        The PNG file to write.
    may_be_empty
        Names of charts that may show no rows.
    """
    found = browser()
    if found is None:
        raise DrawingError("there is no chromium with its chromedriver")
    with _page(*found) as page:
        page.get(dashboard.partition("/superset/")[0] + "/static/assets/images/favicon.png")
        page.add_cookie({"name": "session", "value": cookie})
        page.set_window_size(WIDTH, 7000)
        page.get(dashboard)
        state = _drawn(page, charts, may_be_empty)
        page.set_window_size(WIDTH, int(state["height"]))
        time.sleep(2)  # charts are drawn again for the new size, and nothing tells when
        page.save_screenshot(str(target))


@contextmanager
def _page(chromium: str, driver: str) -> Iterator[webdriver.Chrome]:
    with tempfile.TemporaryDirectory() as profile:
        options = Options()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        page = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield page
        finally:
            page.quit()


def _drawn(page: webdriver.Chrome, charts: int, may_be_empty: Sequence[str]) -> dict[str, Any]:
    """Wait until every chart is drawn, and refuse a page with charts that are not."""
    until = time.monotonic() + DRAW_SECONDS
    state: dict[str, Any] = {}
    while time.monotonic() < until:
        state = dict(page.execute_script(STATE))
        failed = [*state["failed"], *(name for name in state["empty"] if name not in may_be_empty)]
        if failed:
            raise DrawingError(f"the page could not draw {failed}")
        if state["charts"] == state["drawn"] == charts and not state["loading"]:
            return state
        time.sleep(0.5)
    raise DrawingError(f"not drawn within {DRAW_SECONDS} s: {state}")
