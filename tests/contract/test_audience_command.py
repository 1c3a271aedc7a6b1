"""segql export-audience: the file is what Python gives, whole or not at all, nothing personal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from audience_shop import COLUMNS, NAMES, SECRETS, store
from typer.testing import CliRunner

import segql
from segql import audience_command
from segql.cli import app


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop as a file, in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGQL_DATABASE", raising=False)
    with duckdb.connect("warehouse.duckdb") as con:
        store(con)
        con.execute('create schema "my mart"; create table "my mart"."Kunden ö" as '
                    "select customer_id as \"Kunden'nr\", segment_key as \"Ihr Segment\" "
                    "from marts.customer_segments")  # fmt: skip
        con.execute("create table empty as from marts.customer_segments limit 0")
        con.execute("create table twice as from marts.customer_segments union all "
                    "from marts.customer_segments")  # fmt: skip
        con.execute("create table texts as select * replace ('v3' as model_version) "
                    "from marts.customer_segments")  # fmt: skip
        con.execute("create table unnamed as select * replace "
                    "(case customer_id when 'C000007' then null when 'C000008' then ' ' "
                    "else customer_id end as customer_id) from marts.customer_segments"
                    )  # fmt: skip
        con.execute("create view broken as select * replace (if(customer_id = 'C000007', "
                    "error('cannot be read'), 3) as model_version) from marts.customer_segments"
                    )  # fmt: skip
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["export-audience", *arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    assert result.stderr == ""
    return result.stdout


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["export-audience", *arguments])
    assert result.exit_code == 1, (result.output, result.exception)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("segql: ").rstrip("\n")


def test_the_file_has_what_python_gives(warehouse: Path) -> None:
    with duckdb.connect("warehouse.duckdb", read_only=True) as con:
        expected = segql.audience(
            con, only=["S1", "S2"], holdout=0.2, seed=7, features="marts.rfm_segments"
        ).fetchall()
    asked = ["S1", NAMES["S2"], "--holdout", "0.2", "--seed", "7"]
    for kind in ("csv", "parquet", "json"):
        text = run(*asked, "--to", f"the 'audience'.{kind}")
        assert text == (
            f"the 'audience'.{kind}: 1037 rows\n"
            f"  S1 Average customers: 720 to contact, 180 held out\n"
            f"  S2 {NAMES['S2']}: {137 - sum(row[3] for row in expected) + 180} to contact, "
            f"{sum(row[3] for row in expected) - 180} held out\n"
        )
        found = duckdb.sql(f"from 'the ''audience''.{kind}'")
        assert found.columns == COLUMNS
        assert found.fetchall() == expected
    assert sorted(item.name for item in warehouse.iterdir() if item.name[0] == ".") == []


def test_json(warehouse: Path) -> None:
    told = json.loads(run("--all", "--to", "a.csv", "--json"))

    assert {key: told[key] for key in ("to", "holdout_share", "seed", "strata")} == {
        "to": "a.csv", "holdout_share": 0.1, "seed": 42, "strata": ["monetary"],
    }  # fmt: skip
    # Seven and three customers are too few, and enough when they are together no less than 11.
    rest = "fewer than 11 customers (min_size), or beside such a segment the next smallest"
    assert told["left_out"] == [
        {"segment_key": "S4", "segment_name": "New ones", "reason": rest},
        {"segment_key": "S5", "segment_name": "Tiny", "reason": rest},
        {"segment_key": "noise", "segment_name": "Unusual customers", "reason": rest},
    ]
    counted = duckdb.sql(
        "select segment_key, count(*), count(*) filter (is_holdout) from 'a.csv' group by 1 "
        "order by 1"
    ).fetchall()
    assert [row[0] for row in counted] == ["S1", "S2", "S3", "prospect"]
    assert told["segments"] == [
        {"segment_key": key, "segment_name": NAMES[key], "customers": count,
         "treated": count - found, "holdout": found}
        for key, count, found in counted
    ]  # fmt: skip
    assert told["rows"] == 900 + 137 + 40 + 61


def test_no_personal_column_leaves(warehouse: Path) -> None:
    """Whatever the strata are made of, no value of another column is in any file."""
    for kind in ("csv", "parquet", "json"):
        run("--all", "--to", f"a.{kind}", "--strata", "income", "--strata", "rfm_segment")
        run("--all", "--to", f"b.{kind}", "--features", "marts.customer_segments", "--strata",
            "last_name", "--strata", "email", "--value", "phone")  # fmt: skip
        for name in ("a", "b"):
            assert duckdb.sql(f"from '{name}.{kind}'").columns == COLUMNS
            content = Path(f"{name}.{kind}").read_bytes()
            for secret in (*SECRETS, "email", "phone", "last_name"):
                assert secret.encode() not in content, (kind, secret)
    run("S1", "--to", "c.csv", "--columns", "customer_id, is_holdout")
    assert duckdb.sql("from 'c.csv'").columns == ["customer_id", "is_holdout"]


def test_strange_names_and_missing_columns(warehouse: Path) -> None:
    run("S2", "--to", "a.parquet", "--segments", '"my mart"."Kunden ö"', "--id", "Kunden'nr",
        "--segment", "Ihr Segment")  # fmt: skip
    assert duckdb.sql(
        "select count(*), min(customer_id), count(segment_name), count(model_version), "
        "count(as_of_date) from 'a.parquet'"
    ).fetchall() == [(137, "C000900", 0, 0, 0)]
    run("M1", "--to", "b.parquet", "--segments", "marts.rfm_segments", "--segment", "rfm_segment")
    assert duckdb.sql("select distinct segment_key from 'b.parquet'").fetchall() == [("M1",)]
    query = "select customer_id, 'x' as segment_key, 4 as cuts_version from marts.rfm_segments"
    run("x", "--to", "c.csv", "--segments", query)
    assert duckdb.sql("select distinct model_version from 'c.csv'").fetchall() == [(4,)]


def test_strata_by_default(warehouse: Path) -> None:
    """Deciles of spend where they are known; none on request."""
    assert json.loads(run("S1", "--to", "a.csv", "--json"))["strata"] == ["monetary"]
    assert json.loads(run("S1", "--to", "a.csv", "--json", "--value", "none"))["strata"] == []
    with duckdb.connect("warehouse.duckdb") as con:
        con.execute("drop table marts.rfm_segments")
    assert json.loads(run("S1", "--to", "a.csv", "--json"))["strata"] == []


S1 = ("S1", "--to", "a.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*S1, "--holdout", "1"), "holdout got 1.0; accepted: a number from 0 to below 1"),
        ((*S1, "--holdout", "-0.1"), "holdout got -0.1; accepted: a number from 0 to below 1"),
        ((*S1, "--holdout", "nan"), "holdout got nan; accepted: a number from 0 to below 1"),
        ((*S1, "--seed", "-1"), "seed got -1; accepted: a whole number from 0 to 2147483647"),
        ((*S1, "--min-size", "0"), "min_size got 0; accepted: a whole number from 1 to"),
        (("S9", "--to", "a.csv"), "unknown segment 'S9'; did you mean"),
        (("Averag customers", "--to", "a.csv"),
         "unknown segment 'Averag customers'; did you mean 'Average customers'?"),
        (("S5", "--to", "a.csv"), "segment 'S5' has fewer than 11 customers (min_size)"),
        (("S3", "--to", "a.csv", "--ads"),
         "segment 'S3' has fewer than 100 customers outside the holdout (min_treated)"),
        (("--all", "--to", "a.csv", "--min-size", "5000"),
         "no segment of 'marts.customer_segments' can leave: fewer than 5000 customers"),
        (("--to", "a.csv"), "segments to export: neither is given; accepted: keys or names"),
        ((*S1, "--all"), "segments to export: both are given; accepted: keys or names"),
        (("S1",), "to is not given; accepted: a file that ends in .csv, .parquet, .json"),
        (("S1", "--to", "a.xlsx"), "to got 'a.xlsx'; accepted: a file that ends in .csv, .parquet"),
        (("S1", "--to", "nowhere/a.csv"), "to got 'nowhere/a.csv'; accepted: a file in a folder"),
        ((*S1, "--segments", "nope"), "relation 'nope' does not exist (there are:"),
        ((*S1, "--segments", "selec 1"), "the query cannot be read: Parser Error"),
        ((*S1, "--segment", "segmentkey"),
         "'marts.customer_segments': unknown segment column 'segmentkey'; did you mean 'segment_"),
        ((*S1, "--id", "customer"), "'marts.customer_segments': unknown id column 'customer'; did"),
        ((*S1, "--strata", "rfm"), "'marts.rfm_segments': unknown strata column 'rfm' (acc"),
        ((*S1, "--value", "spend"), "'marts.rfm_segments': unknown value column 'spend'"),
        ((*S1, "--value", "income"), "column 'income' of 'marts.rfm_segments' is VARCHAR;"),
        ((*S1, "--features", "nope"), "relation 'nope' does not exist (there are:"),
        ((*S1, "--columns", "customer_id,email"), "columns: unknown column 'email' (accepted:"),
        ((*S1, "--columns", ""), "columns: unknown column '' (accepted: customer_id"),
        ((*S1, "--segments", "empty"), "relation 'empty' has no rows; accepted: customers"),
        ((*S1, "--segments", "unnamed"), "id 'customer_id' is empty in 2 rows in 'unnamed'; acc"),
        ((*S1, "--segments", "twice"),
         "id 'customer_id' has 1160 repeated values, such as 'C000000', in 'twice'; accepted: one"),
        ((*S1, "--features", "twice"),
         "id 'customer_id' has 1160 repeated values, such as 'C000000', in 'marts.customer_segments"
         "' or in 'twice'; accepted: one row per customer"),
        ((*S1, "--segments", "texts"), "column 'model_version' of 'texts' is VARCHAR; accepted: a"),
        ((*S1, "--id", "email", "--features", "marts.customer_segments"),
         "id 'email' holds e-mail addresses in 'marts.customer_segments'; accepted: a column of"),
        ((*S1, "--segments", "broken"), "Invalid Input Error: cannot be read"),
    ],
)  # fmt: skip
def test_refused_in_one_line(warehouse: Path, arguments: tuple[str, ...], message: str) -> None:
    Path("a.csv").write_text("as it was", encoding="utf-8")

    assert refused(*arguments).startswith(message)

    assert Path("a.csv").read_text(encoding="utf-8") == "as it was"
    assert sorted(item.name for item in warehouse.iterdir()) == ["a.csv", "warehouse.duckdb"]


def test_a_failure_while_writing_leaves_the_file(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_written(con: Any, rows: Any, path: Path) -> int:
        def fail(*_: Any) -> None:
            raise OSError("no space left")

        monkeypatch.setattr("segql.cli_support.os.replace", fail)
        return write_file(con, rows, path)

    write_file = audience_command.write_file
    monkeypatch.setattr(audience_command, "write_file", half_written)
    Path("a.csv").write_text("as it was", encoding="utf-8")

    assert refused(*S1) == "no space left"

    assert Path("a.csv").read_text(encoding="utf-8") == "as it was"
    assert sorted(item.name for item in warehouse.iterdir()) == ["a.csv", "warehouse.duckdb"]
