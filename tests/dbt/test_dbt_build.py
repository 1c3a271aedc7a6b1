"""`datasets/build.py`, which `make demo` runs."""

from __future__ import annotations

from pathlib import Path

import duckdb
import harness


def test_demo_prints_the_segments(demo: tuple[harness.Shop, harness.Result]) -> None:
    shop, result = demo

    assert "Prospects" in result.output
    assert f"/{shop.database.name}" in result.output
    assert "from segql.predict('customers', 'features.customer_features') limit 5;" in result.output
    assert "select segql.customers_segment(recency := " in result.output
    for line in result.output.splitlines():
        if line.endswith(";"):
            assert shop.rows(line.strip().rstrip(";"))


def test_again_is_quick_and_changes_nothing(
    demo: tuple[harness.Shop, harness.Result], tmp_path: Path
) -> None:
    shop = demo[0].copy(tmp_path)
    before = shop.contents()

    _, result = harness.build_dataset(tmp_path, "--customers", "3000")

    assert result.code == 0, result.output
    assert "holds this dataset already" in result.output
    assert shop.contents() == before


def test_failure_keeps_the_previous_file(
    demo: tuple[harness.Shop, harness.Result], tmp_path: Path
) -> None:
    shop = demo[0].copy(tmp_path)
    before = shop.database.read_bytes()

    _, result = harness.build_dataset(
        tmp_path, "--customers", "50", "--vars", "order_lines: {price: cost}"
    )

    assert result.code == 1
    assert "order_lines: no column 'cost' (mapped as price)" in result.output
    assert "Traceback" not in result.output
    assert shop.database.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["logs", "target"]


def test_foreign_file_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("create table mine as select 1 as one")
    before = database.read_bytes()

    _, result = harness.build_dataset(tmp_path)

    assert result.code == 1
    assert result.output.count("\n") == 1
    assert "was not made by make demo; set SEGQL_DATABASE to another path" in result.output
    assert database.read_bytes() == before


def test_missing_file_is_named(tmp_path: Path) -> None:
    _, result = harness.build_dataset(tmp_path, "--dataset", "cdnow", "--data", str(tmp_path))

    assert result.code == 1
    assert result.output.count("\n") == 1
    assert f"the file cdnow_master.txt is not in the folder {tmp_path}" in result.output
    assert not (tmp_path / "warehouse.duckdb").exists()


def test_unknown_dataset_is_named(tmp_path: Path) -> None:
    _, result = harness.build_dataset(tmp_path, "--dataset", "demoo")

    assert result.code == 1
    assert "no dataset 'demoo'; there are cdnow, complete_journey, demo" in result.output
