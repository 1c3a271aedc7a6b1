"""The documentation's site builds without a warning, and asks no other host for anything."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("mkdocs", "material")),
    reason="mkdocs-material is not installed: pip install 'segql[docs]'",
)


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    return subprocess.run(
        [*command, "--config-file", str(config), "--site-dir", str(folder)],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    assert not done.stdout + done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    for page in {*pages, Path("index.md"), Path("contributing/index.md"), Path("decisions.md")}:
        text = (site / page.with_suffix(".html")).read_text(encoding="utf-8")
        assert "<h1" in text, page
    assert not list(site.rglob("*.py"))


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|img|iframe|source)[^>]*\bsrc=\"?(?:https?:)?//", text)
        links = re.findall(r"<link [^>]*>", text)
        assert links
        assert not [link for link in links if "//" in link], page


def test_links_to_the_root_and_to_the_source(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    assert re.search(r'href="?decisions\.html', home)
    assert "dbt_project/dbt_project.yml" in home
    assert not re.search(r'href="?[^" >]*dbt_project\.yml', home)


def test_a_link_to_nothing_fails_the_site(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "page.md").write_text("# Page\n\n[gone](gone.md)\n", encoding="utf-8")
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    hook = (ROOT / "docs" / "build_site.py").read_text(encoding="utf-8")
    (docs / "build_site.py").write_text(hook.replace('"README.md": "index.md",', ""), "utf-8")
    for name in ("CONTRIBUTING.md", "DECISIONS.md", "CHANGELOG.md"):
        (tmp_path / name).write_text("# Title\n", encoding="utf-8")
    config = tmp_path / "mkdocs.yml"
    config.write_text(text.partition("\nnav:")[0], encoding="utf-8")
    done = build(tmp_path / "site", config)
    assert done.returncode != 0
    assert "docs/page.md links to gone.md, which does not exist" in done.stderr
