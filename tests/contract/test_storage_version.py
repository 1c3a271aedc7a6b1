"""A file that older DuckDB clients cannot open is warned about."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

import duckdb
import pytest
from support import OPEN_STORAGE

import segql


def test_default_storage_of_2x_is_warned_about(shop_file: Path, cli: str) -> None:
    if duckdb.__version__.startswith("1."):
        pytest.skip("DuckDB 1.x writes files that 1.x clients open")
    with duckdb.connect(str(shop_file)) as con:
        con.execute("create table t as select i as id, i % 7 as a from range(60) as r (i)")
        for call in (
            lambda: segql.register(con),
            lambda: segql.fit(con, "t", id="id", name="m", k=2, features=["a"]),
        ):
            with pytest.warns(UserWarning, match="DuckDB 1.x clients cannot open") as caught:
                call()
            assert len(caught) == 1
            assert "\n" not in str(caught[0].message)
            assert "storage_compatibility_version" in str(caught[0].message)
            assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            segql.fit(con, "t", id="id", k=2, features=["a"])
    done = subprocess.run(
        [cli, "-readonly", str(shop_file), "from t"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0  # the warning is true


def test_open_storage_is_not_warned_about(shop_file: Path, cli: str) -> None:
    with (
        duckdb.connect(str(shop_file), config=OPEN_STORAGE) as con,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        con.execute("create table t as select i as id, i % 7 as a from range(60) as r (i)")
        segql.register(con)
        segql.fit(con, "t", id="id", name="m", k=2, features=["a"])
    done = subprocess.run(
        [cli, "-readonly", str(shop_file), "from segql.predict('m', 't')"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
