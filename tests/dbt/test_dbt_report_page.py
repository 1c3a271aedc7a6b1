"""The report as a person sees it: in headless Chromium, wide and narrow, light and dark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import harness
import pytest

from segql.report.pictures import write_pictures
from segql.report.writing import write_report

AXE = "axe-core@4.14.1"
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
           "--disable-background-networking", "--disable-component-update",
           "--disable-dev-shm-usage", "--hide-scrollbars")  # fmt: skip
#: Charts that have no drawn part, or that stick out of the window.
UNSEEN = """
return [...document.querySelectorAll('[data-chart]')].filter(chart => {
  const drawn = chart.querySelector('.main-svg');
  if (!drawn) { return true; }
  const box = drawn.getBoundingClientRect();
  const marks = chart.querySelectorAll('path, rect, canvas, image').length;
  return box.width < 200 || box.height < 150 || box.right > window.innerWidth + 1 || marks < 2;
}).map(chart => chart.dataset.chart)
"""
VIOLATIONS = """
const done = arguments[0];
axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations
  .filter(item => ['serious', 'critical'].includes(item.impact))
  .map(item => item.id + ': ' + item.nodes[0].html)));
"""


def browser_path() -> str:
    """Find Chromium and its driver; CI, which installs them, must have them."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None or shutil.which("chromedriver") is None:
        reason = "no chromium and chromedriver here (Debian: chromium, chromium-driver)"
        if os.environ.get("SEGQL_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = browser_path()
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = path
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(
    demo: tuple[harness.Shop, harness.Result], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    with duckdb.connect(str(demo[0].database), read_only=True) as con:
        write_report(con, path)
    return path


def look(browser: Any, page: Path, width: int, colours: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": colours}]},
    )
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.get(page.as_uri())
    assert browser.execute_script("return document.body.dataset.drawn") == "yes"


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_chart_is_seen(browser: Any, page: Path, width: int, colours: str) -> None:
    look(browser, page, width, colours)

    assert browser.execute_script(UNSEEN) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.documentElement.dataset.theme") == colours
    errors = [item for item in browser.get_log("browser") if item["level"] == "SEVERE"]
    assert errors == []
    asked = [json.loads(item["message"])["message"] for item in browser.get_log("performance")]
    urls = [
        item["params"]["request"]["url"]
        for item in asked
        if item["method"] == "Network.requestWillBeSent"
    ]
    assert page.as_uri() in urls
    # Its own start page is the browser's business.
    local = ("file:", "data:", "blob:", "chrome:", "about:")
    assert [url for url in urls if not url.startswith(local)] == []


def test_colours_change_by_the_keyboard(browser: Any, page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    look(browser, page, 1440, "light")
    button = browser.find_element("id", "theme")
    button.send_keys(Keys.ENTER)

    assert browser.execute_script("return document.documentElement.dataset.theme") == "dark"
    assert button.get_attribute("aria-pressed") == "true"


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checker, from npm."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here to get axe-core by")
    done = subprocess.run(
        [npm, "pack", AXE, "--silent"], cwd=folder, capture_output=True, text=True, check=False
    )
    packed = next(iter(folder.glob("*.tgz")), None)
    if done.returncode or packed is None:
        pytest.skip(f"npm did not get {AXE}: {done.stderr.strip()[-200:]}")
    with tarfile.open(packed) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode("utf-8")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, page: Path, axe: str, colours: str) -> None:
    look(browser, page, 1440, colours)
    browser.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    browser.execute_script(axe)
    browser.set_script_timeout(120)

    assert browser.execute_async_script(VIOLATIONS) == []


def test_pictures(page: Path, demo: tuple[harness.Shop, harness.Result], tmp_path: Path) -> None:
    browser_path()
    with duckdb.connect(str(demo[0].database), read_only=True) as con:
        parts = write_report(con, tmp_path / "again.html")
    # Two are enough to see that each shows its own chart.
    few = [part for part in parts if part.key == "decisions"]
    few[0].items[2:] = []

    paths = write_pictures(page, few, tmp_path / "png")

    assert [path.name for path in paths] == ["revenue.png", "lorenz.png"]
    contents = [path.read_bytes() for path in paths]
    assert all(data.startswith(b"\x89PNG") and len(data) > 30_000 for data in contents)
    assert contents[0] != contents[1]


def test_without_a_browser_it_says_so(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGQL_BROWSER", "no-such-browser")

    result = harness.run(
        ["segql", "report", "--png", "png", "--database", "none.duckdb"], tmp_path, cwd=tmp_path
    )

    assert result.code == 1
    assert "none of no-such-browser; accepted: " in result.output
    assert not (tmp_path / "png").exists()
