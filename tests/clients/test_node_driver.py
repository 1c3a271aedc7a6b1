"""Node's driver reads the file: every macro gives there what it gives here."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest
from macro_calls import calls, digest
from support import OPEN_STORAGE, ROOT, load_frame, shop_frame

import segql
from segql.functions.shared_macros import LONG_TABLES

DRIVER = "@duckdb/node-api@1.5.6-r.1"
SCRIPT = """
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
const { DuckDBInstance } = createRequire(process.argv[2])('@duckdb/node-api');
const instance = await DuckDBInstance.create(process.argv[3], { access_mode: 'READ_ONLY' });
const connection = await instance.connect();
const answers = [];
for (const statement of JSON.parse(readFileSync(0, 'utf8'))) {
    try {
        const reader = await connection.runAndReadAll(statement);
        answers.push(reader.getRowsJson());
    } catch (error) {
        answers.push(String(error.message ?? error));
    }
}
console.log(JSON.stringify(answers));
"""
NUMBERS = ["recency", "frequency", "monetary"]


@pytest.fixture(scope="module")
def node() -> Path:
    """Install the driver once; skip where Node is absent."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = ROOT / ".build" / "node"
    marker = folder / DRIVER.replace("/", "_")
    if not marker.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", DRIVER]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
        marker.touch()
    return folder


def test_every_macro_from_node(node: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    statements = [digest(text) for text in calls(list(LONG_TABLES)).values()]
    with duckdb.connect(str(path), config=OPEN_STORAGE) as con:
        load_frame(con, "customer_features", shop_frame())
        fits: list[dict[str, Any]] = [
            {"name": "customers", "k": 3},
            {"name": "customers", "k": (2, 5), "pca": 3},
            {"name": "tree", "algorithm": "hierarchical", "k": 4},
            {"name": "dense", "algorithm": "dbscan", "features": NUMBERS},
            {"name": "wide", "algorithm": "dbscan"},
            {"name": "densest", "algorithm": "hdbscan", "features": NUMBERS, "min_samples": 5},
        ]
        for options in fits:
            segql.fit(con, "customer_features", id="customer_id", **options)
    with duckdb.connect(str(path), read_only=True) as con:
        expected = [[list(con.execute(text).fetchall()[0])] for text in statements]
    script = tmp_path / "ask.mjs"
    script.write_text(SCRIPT, encoding="utf-8")
    unknown = "select count(*) from segql.predict('nope', 'customer_features')"
    done = subprocess.run(
        ["node", str(script), str(node / "package.json"), str(path)],
        input=json.dumps([*statements, unknown]),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *found, refused = json.loads(done.stdout)
    assert found == expected
    assert "unknown model 'nope' (known: customers, dense, densest, tree, wide)" in refused
