"""The page about engines is what the export says."""

from __future__ import annotations

import runpy

from support import ROOT

from segql.exporting.dialects import DIALECTS


def test_the_page_is_up_to_date() -> None:
    """Run `python docs/build_engines.py` when this fails for a good reason."""
    script = runpy.run_path(str(ROOT / "docs" / "build_engines.py"))
    written = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
    assert written == script["page"]()
    assert set(script["EXECUTED"]) < set(DIALECTS)
    # No cell is empty, and every reason is one that stands below.
    rows = [line for line in written.splitlines() if line.startswith(f"| {DIALECTS[0]} ")]
    assert len(rows) == len(script["FITS"])
    for dialect in DIALECTS:
        for line in written.splitlines():
            if line.startswith(f"| {dialect} "):
                cells = [cell.strip() for cell in line.split("|")[2:-1]]
                assert all(cell in ("executed", "parsed") or cell[:4] == "no (" for cell in cells)
