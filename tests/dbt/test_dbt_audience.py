"""The macro of audiences: the holdout is the command's, and small segments are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import harness
import pytest
from audience_shop import COLUMNS, SECRETS, SIZES, store

import segql

#: Options of both, as a macro writes them and as Python does.
ALIKE: dict[str, dict[str, Any]] = {
    "plain": {},
    "by_value": {"features": "marts.rfm_segments"},
    "third": {"features": "marts.rfm_segments", "holdout": 0.333, "seed": 7, "value_groups": 4},
    "by_columns": {
        "features": "marts.rfm_segments", "strata": ["rfm_segment", "income"], "value": None,
    },
    "by_both": {"features": "marts.rfm_segments", "strata": "rfm_segment", "seed": 2147483647},
    "named": {"only": ["S4", "Größte \"VIP's\""], "holdout": 0.01},
    "nobody": {"only": "S3", "holdout": 0},
    "least": {"min_size": 61, "min_treated": 100},
    "two_columns": {"columns": ["is_holdout", "customer_id"], "min_size": 2},
    "own": {"segments": "crm.\"Kunden ö\"", "segment": "Ihr Segment", "id": "Kunden'nr"},
    "rfm": {"segments": "marts.rfm_segments", "segment": "rfm_segment"},
}  # fmt: skip
REFUSED = {
    "holdout=1": "audience: holdout got '1'; accepted is a number from 0 to below 1",
    "holdout=-0.1": "audience: holdout got '-0.1'; accepted is a number from 0 to below 1",
    "seed=1.5": "audience: seed got '1.5'; accepted is a whole number from 0 to 2147483647",
    "min_size=0": "audience: min_size got '0'; accepted is a whole number from 1",
    "holdouts=0.1": "audience: unknown option 'holdouts'; accepted are holdout,",
    "only=[]": "audience: only got '[]'; accepted is a list of segment keys or names",
    "only='S9'": "audience: there is no segment 'S9' (only) in marts.customer_segments; there are",
    "only=['S1', 'Tin']": "there is no segment 'Tin' (only) in marts.customer_segments; there are",
    "only='S5'": "audience: segment 'S5' has fewer than 11 customers (min_size)",
    "only='S3', min_treated=100": "segment 'S3' has fewer than 100 customers outside the holdout",
    "columns=['customer_id', 'email']": "audience: columns got 'email'; accepted are customer_id,",
    "strata='rfm'": "audience: no column 'rfm' (strata) in marts.customer_segments; it has",
    "strata=5": "audience: strata got '5'; accepted is a list of columns",
    "value='last_name'": "column 'last_name' (value) of marts.customer_segments is text, a number",
    "segment='key'": "audience: no column 'key' (segment) in marts.customer_segments",
    "id='email'": "audience: id email holds e-mail addresses; accepted is a column of keys",
    "features='crm.twice'": "audience: id customer_id has 1160 repeated values, such as 'C000000' "
    "in marts.customer_segments or in crm.twice; one row per customer is expected",
}


def written(options: dict[str, Any]) -> str:
    """Write a call as in a model: Python's literals are Jinja's."""
    given = {"segments": "marts.customer_segments"} | options
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return f"segql.audience({arguments})"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[harness.Shop, str]:
    """Run a project of somebody else, whose models are audiences; what it printed."""
    folder = tmp_path_factory.mktemp("audience")
    with duckdb.connect(str(folder / "shop.duckdb"), config=harness.STORAGE) as con:
        store(con)
        con.execute("create schema crm")
        con.execute('create table crm."Kunden ö" as select customer_id as "Kunden\'nr", '
                    'segment_key as "Ihr Segment" from marts.customer_segments')  # fmt: skip
        con.execute("create table crm.twice as from marts.rfm_segments union all "
                    "from marts.rfm_segments union all from marts.customer_segments "
                    "select customer_id, 1, '', '' where segment_key = 'prospect' union all "
                    "from marts.customer_segments select customer_id, 1, '', '' "
                    "where segment_key = 'prospect'")  # fmt: skip
        con.execute("create table crm.empty as from marts.customer_segments limit 0")
    calls = {name: written(options) for name, options in ALIKE.items()}
    calls["suppressed"] = "segql.audience_suppression('marts.customer_segments', min_size=20)"
    calls["blank"] = (
        'segql.audience("(from marts.customer_segments select customer_id, segment_key union all'
        " select ' ', 'S1')\")"
    )
    calls["nothing"] = "segql.audience('crm.empty')"
    for place, option in enumerate(REFUSED):
        calls[f"refused_{place}"] = f"segql.audience('marts.customer_segments', {option})"
    files = {
        "dbt_project.yml": "name: shop\nprofile: shop\nmodels: {+materialized: table}\n",
        "packages.yml": f"packages:\n  - local: {harness.ROOT / 'macros'}\n",
        "profiles.yml": "shop:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n"
        "      path: shop.duckdb\n"
        "      config_options: {storage_compatibility_version: v1.4.0}\n",
    } | {
        # Options are checked when dbt parses, too; here each is to fail alone.
        f"models/{name}.sql": f"{{% if execute %}}{{{{ {call} }}}}{{% else %}}select 1{{% endif %}}"
        for name, call in calls.items()
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for command in ("deps", "run"):
        result = harness.dbt([command, "--profiles-dir", "."], folder, cwd=folder)
        assert command == "run" or result.code == 0, result.output
    return harness.Shop(folder / "shop.duckdb", {}), " ".join(result.output.split())


@pytest.fixture
def con(project: tuple[harness.Shop, str]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(project[0].database), read_only=True) as con:
        yield con


@pytest.mark.parametrize("name", ALIKE)
def test_the_macro_draws_what_python_draws(name: str, con: duckdb.DuckDBPyConnection) -> None:
    expected = segql.audience(con, **ALIKE[name])
    found = con.sql(f"from {name}")

    assert found.columns == expected.columns
    assert [str(item) for item in found.types] == [str(item) for item in expected.types]
    rows = found.order("all").fetchall()
    assert rows == expected.order("all").fetchall()
    assert len(rows) > 10


def test_columns_of_an_audience(con: duckdb.DuckDBPyConnection) -> None:
    found = con.sql("from by_value")
    assert found.columns == COLUMNS
    text = str(found.fetchall())
    assert not [secret for secret in SECRETS if secret in text]


def test_what_is_suppressed(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute("from suppressed order by all").fetchall()
    reason = "fewer than 20 customers (min_size), or beside such a segment the next smallest"
    assert rows == [
        ("S4", "New ones", reason), ("S5", "Tiny", reason), ("noise", "Unusual customers", reason),
    ]  # fmt: skip
    left_out = set(SIZES) - {key for (key,) in con.execute(
        "select distinct segment_key from plain").fetchall()}  # fmt: skip
    assert left_out == {"S4", "S5", "noise"}


def test_no_customers_no_audience(con: duckdb.DuckDBPyConnection) -> None:
    assert con.execute("select count(*) from nothing").fetchall() == [(0,)]


def test_blank_ids_are_no_ids(project: tuple[harness.Shop, str]) -> None:
    assert "audience: id customer_id is empty in 1 rows in (from marts" in project[1]


@pytest.mark.parametrize("option", REFUSED)
def test_refused_by_name(option: str, project: tuple[harness.Shop, str]) -> None:
    name = f"refused_{list(REFUSED).index(option)}"
    [said] = re.findall(rf"Error in model {name} \(.*?(?=\b\w+ Error in model|Done\.)", project[1])

    assert REFUSED[option] in said


def test_a_count_is_refused_too(
    project: tuple[harness.Shop, str], con: duckdb.DuckDBPyConnection
) -> None:
    """A query that reads no column meets the refusal as well."""
    place = list(REFUSED).index("only='S5'")
    [query] = Path(project[0].database.parent).rglob(f"compiled/**/refused_{place}.sql")
    with pytest.raises(duckdb.Error, match="segment 'S5' has fewer than 11 customers"):
        con.execute(f"select count(*) from ({query.read_text(encoding='utf-8')})")


def test_reference_project(small_shop: harness.Shop, tmp_path: Path) -> None:
    """On the marts as they are, by `dbt show`."""
    call = "segql.audience(ref('customer_segments'), features=ref('rfm_segments'), min_size=2)"
    result = small_shop.dbt(
        "show", "--inline", f"select count(*) as n, count(*) filter (is_holdout) as held "
        f"from ({{{{ {call} }}}})", "--output", "json", "--limit", "-1",
    )  # fmt: skip
    assert result.code == 0, result.output
    [(count,)] = small_shop.rows("select count(*) from marts.customer_segments")
    found = re.search(r'"n": (\d+),\s*"held": (\d+)', result.output)
    assert found, result.output
    assert int(found[1]) == count
    assert int(found[2]) == pytest.approx(count / 10, abs=4)
