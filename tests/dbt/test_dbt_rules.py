"""Business rules of the macros that look at their input when compiled, on a few rows each.

One project of thin models, built once: each model is one call of a macro.
"""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path

import duckdb
import harness
import pytest

AS_OF = "2025-06-30"

DATA = (
    "create schema raw",
    # Known, and registered on the as-of date, the day after, and at an unknown time.
    "create table raw.registrations (customer_id varchar, registered_at timestamp)",
    "insert into raw.registrations values ('on the day', '2025-06-30 23:59:59'),"
    " ('day after', '2025-07-01'), ('some time', null)",
    """
    create table raw.people as
    from (
        values
        ('birthday', date '1990-06-30', ' f ', '35-44', '50-74K', '5+', 'Teacher', 1e0),
        ('day before', date '1990-07-01', '', '65+', 'Under 15K', '2', ' ', 'nan'::double),
        ('leap day', date '2004-02-29', null, '19-24', '100-124K', '1 kid', null, 'inf'::double),
        ('unborn', date '2025-07-01', 'm', '18', '$1,000 - $1,999', '3 or more', null, null),
        ('too old', date '1894-06-30', 'm', 'unknown', '1.5M+', null, null, -2e0),
        ('no date', null, 'm', '', '20 - 30 thousand', '12 months', null, 0e0)
    ) as people (
        customer_id, birth_date, gender, age_group, income, household_size, occupation, score
    )
    """,
    # What each customer did, with the days before the as-of date that the windows end at.
    """
    create table raw.events as
    select customer_id, cast(occurred_at as timestamp) as occurred_at, event_type, session_id
    from (
        values
        ('windows', '2025-06-30 23:59:59', 'view', 'a'),
        ('windows', '2025-07-01 00:00:00', 'view', 'b'),
        ('windows', '2025-06-01 00:00:00', 'Add to cart', 'c'),
        ('windows', '2025-05-31 23:59:59', 'view', 'd'),
        ('windows', '2025-04-02 00:00:00', 'view', 'e'),
        ('windows', '2025-04-01 23:59:59', 'view', 'f'),
        ('windows', '2024-07-01 00:00:00', 'view', 'g'),
        ('windows', '2024-06-30 23:59:59', 'view', 'h'),
        ('sessions', '2025-06-29 10:00:00', 'view', 's1'),
        ('sessions', '2025-06-29 10:30:00', 'view', 's2'),
        ('sessions', '2025-06-29 11:00:01', 'purchase', 's2'),
        ('sessions', '2025-06-29 11:00:01', 'view', 's3'),
        ('sessions', '2025-06-29 23:50:00', 'purchase', 's4'),
        ('sessions', '2025-06-30 00:10:00', 'purchase', 's4'),
        ('campaign', '2025-06-20 08:00:00', 'Email sent', null),
        ('campaign', '2025-06-21 08:00:00', 'Email sent', null),
        ('campaign', '2025-06-22 08:00:00', 'SMS sent', null),
        ('campaign', '2025-06-23 08:00:00', 'email-sent', null),
        ('campaign', '2025-06-23 09:00:00', 'Email click', null),
        ('campaign', '2025-05-01 09:00:00', 'Email click', null),
        (null, '2025-06-30 09:00:00', 'view', null)
    ) as events (customer_id, occurred_at, event_type, session_id)
    """,
    "create table raw.known as select unnest(['windows', 'sessions', 'silent']) as customer_id",
    "create table raw.order_lines as select * from (values ('a', 'o1', timestamp '2025-06-01',"
    " 'x', 1, 10e0), ('a', 'o2', timestamp '2025-06-20', 'x', 1, 5e0), ('a', 'o3',"
    " timestamp '2025-06-25', 'x', 1, 7e0)) as lines"
    " (customer_id, order_id, ordered_at, product_id, quantity, unit_price)",
    "create table raw.dates as select date '2025-06-28' as as_of_date",
    "create table raw.loads as select timestamp '2025-06-22 04:00:00' as loaded_at",
    # Two segments: what differs, what does not, what is missing and what is no number.
    "create table raw.features as select * from (values ('a', 'S1', 10, 1e0, 'nan'::double, true,"
    " 'x'), ('b', 'S1', 20, 1e0, 2e0, false, 'x'), ('c', 'S2', 60, 1e0, null, true, 'x'),"
    " ('d', null, 70, 1e0, null, true, 'x')) as features"
    " (customer_id, segment_key, recency, flat, gappy, is_member, word)",
    # No S3 for e, two rows for a, none for d.
    "create table raw.segmented as select * from (values ('a', 'S1'), ('a', 'S2'), ('b', 'S1'),"
    " ('c', 'S1'), ('e', null), ('f', 'S1')) as segmented (customer_id, segment_key)",
    "create table raw.everybody as select unnest(['a', 'b', 'c', 'd', 'e']) as customer_id",
)

MODELS = {
    "registered": "segql.known_customers(source('raw', 'registrations'),"
    " '(select * from ' ~ source('raw', 'order_lines') ~ ' where false)', '{as_of}')",
    "described": "segql.demographic_features(source('raw', 'people'), '{as_of}', columns='all',"
    " bands=['age_group', 'income', 'household_size'])",
    "described_by_name": "segql.demographic_features(source('raw', 'people'), '{as_of}')",
    "described_known": "segql.demographic_features(source('raw', 'people'), '{as_of}',"
    " known_customers='(select \\'birthday\\' as customer_id union all select \\'new\\')',"
    " columns=['occupation'])",
    "behaved": "segql.behavior_features(source('raw', 'events'), '{as_of}')",
    "behaved_known": "segql.behavior_features(source('raw', 'events'), '{as_of}',"
    " known_customers=source('raw', 'known'), session='session_id', windows=[7],"
    " max_event_types=2, event_kinds={'purchase': ['view']})",
    "behaved_short": "segql.behavior_features(source('raw', 'events'), '{as_of}',"
    " windows=[30], session_minutes=29)",
    "joined": "segql.customer_features('(select \\'birthday\\' as customer_id, 1 as recency"
    " union all select \\'guest\\', 2)', ref('described_by_name'), ref('behaved_known'))",
    "loaded": "segql.rfm_features(source('raw', 'order_lines'), source('raw', 'dates'),"
    " load_date=source('raw', 'loads'))",
    "loaded_on_date": "segql.rfm_features(source('raw', 'order_lines'), '{as_of}',"
    " load_date=source('raw', 'loads'))",
    "loaded_to_the_last": "segql.rfm_features(source('raw', 'order_lines'),"
    " load_date=source('raw', 'loads'))",
    "profiled": "segql.segment_profile(source('raw', 'features'))",
    "profiled_column": "segql.segment_profile(source('raw', 'features'), columns=['Recency'])",
    "map_of_segments": "segql.rfm_map('segments')",
    "map_of_grid": "segql.rfm_map('grid')",
    "broken_map": "'select * from (' ~ segql.rfm_map('segments') ~ ') as codes where rfm_code <>"
    " \\'555\\' union all select \\'111\\', \\'Twice\\' union all select \\'616\\', \\'Six\\''",
}

PROPERTIES = """
version: 2
sources:
  - name: raw
    tables:
"""

TESTS = """
models:
  - name: map_of_segments
    data_tests: [segql.rfm_map_complete]
  - name: map_of_grid
    data_tests: [segql.rfm_map_complete]
  - name: broken_map
    data_tests: [segql.rfm_map_complete: {name: broken_map_is_incomplete}]
  - name: segmented
    data_tests:
      - segql.in_exactly_one_segment: {name: in_one_segment}
      - segql.in_exactly_one_segment:
          name: everybody_in_one_segment
          arguments: {customers: "source('raw', 'everybody')"}
      - segql.segment_size_at_least: {name: size_2, arguments: {least: 2}}
      - segql.segment_size_at_least: {name: size_1, arguments: {least: 1}}
      - segql.segment_size_at_least:
          name: size_2_but
          arguments: {least: 2, except: [S2, unscored]}
      - segql.segment_share_between: {name: share_low, arguments: {lowest: 0.2}}
      - segql.segment_share_between: {name: share_high, arguments: {highest: 0.6}}
      - segql.segment_share_between:
          name: share_inside
          arguments: {lowest: 0.16, highest: 0.67}
      - segql.segment_share_between:
          name: share_high_but
          arguments: {highest: 0.6, except: [S1]}
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> harness.Shop:
    """Build the project of thin models; its tests of the package's tests are run later."""
    folder = tmp_path_factory.mktemp("rules")
    profile = {"type": "duckdb", "path": str(folder / "rules.duckdb")}
    files = {
        "dbt_project.yml": "{name: rules, version: 0.1.0, config-version: 2, profile: rules,"
        " models: {+materialized: table}}",
        "profiles.yml": json.dumps({"rules": {"target": "dev", "outputs": {"dev": profile}}}),
        "packages.yml": f"packages: [{{local: '{harness.ROOT / 'macros'}'}}]",
        "models/segmented.sql": "select * from {{ source('raw', 'segmented') }}",
    }
    for name, call in MODELS.items():
        files[f"models/{name}.sql"] = "{{ " + call.replace("{as_of}", AS_OF) + " }}"
    with duckdb.connect(str(folder / "rules.duckdb"), config=harness.STORAGE) as connection:
        for statement in DATA:
            connection.execute(statement)
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'raw'"
        ).fetchall()
    files["models/properties.yml"] = (
        PROPERTIES + "".join(f"      - name: {name}\n" for (name,) in tables) + TESTS
    )
    for path, text in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for command in ("deps", "run"):
        result = dbt(folder, command)
        assert result.code == 0, result.output
    return harness.Shop(folder / "rules.duckdb", {})


def dbt(folder: Path, *command: str) -> harness.Result:
    """Run dbt on the project of thin models."""
    places = ["--project-dir", str(folder), "--profiles-dir", str(folder)]
    return harness.dbt([*command, *places], folder)


def column(shop: harness.Shop, relation: str, name: str) -> dict[str, object]:
    """Fetch one column by customer."""
    return dict(shop.rows(f'select customer_id, "{name}" from {relation} order by 1'))


def test_known_by_the_day_of_registration(rules: harness.Shop) -> None:
    assert rules.rows("from registered order by 1") == [("on the day",), ("some time",)]


def test_age_in_whole_years(rules: harness.Shop) -> None:
    assert column(rules, "described", "age") == {
        "birthday": 35, "day before": 34, "leap day": 21, "unborn": None, "too old": None,
        "no date": None
    }  # fmt: skip
    assert "birth_date" not in rules.columns("described")


def test_bands_become_numbers(rules: harness.Shop) -> None:
    assert column(rules, "described", "age_group") == {
        "birthday": 39.5, "day before": 65, "leap day": 21.5, "unborn": 18, "too old": None,
        "no date": None
    }  # fmt: skip
    assert column(rules, "described", "income") == {
        "birthday": 62_000, "day before": 15_000, "leap day": 112_000, "unborn": 1_499.5,
        "too old": 1_500_000, "no date": 25_000
    }  # fmt: skip
    # A word that only begins with k or m is no unit.
    assert column(rules, "described", "household_size") == {
        "birthday": 5, "day before": 2, "leap day": 1, "unborn": 3, "too old": None,
        "no date": 12
    }  # fmt: skip
    assert column(rules, "described", "income_band")["birthday"] == "50-74K"
    assert column(rules, "described", "age_group_band")["no date"] is None


def test_demographics_are_cleaned(rules: harness.Shop) -> None:
    assert column(rules, "described", "gender") == {
        "birthday": "f", "day before": None, "leap day": None, "unborn": "m", "too old": "m",
        "no date": "m"
    }  # fmt: skip
    assert column(rules, "described", "occupation")["day before"] is None
    assert column(rules, "described", "score") == {
        "birthday": 1, "day before": None, "leap day": None, "unborn": None, "too old": -2,
        "no date": 0
    }  # fmt: skip


def test_demographics_by_name_and_for_whom(rules: harness.Shop) -> None:
    # Those of a known list: the shop's own columns age_group and score are not among them.
    assert rules.columns("described_by_name") == [
        "customer_id", "age", "gender", "income", "income_band", "household_size",
        "household_size_band", "occupation",
    ]  # fmt: skip
    assert rules.rows("from described_known order by 1") == [
        ("birthday", "Teacher"),
        ("new", None),
    ]


def test_windows_end_on_the_as_of_date(rules: harness.Shop) -> None:
    # A window of n days holds the as-of date and the n - 1 days before; nothing later counts.
    row = rules.rows(
        "select events, events_30_days, events_90_days, events_365_days, active_days,"
        " active_days_30_days, days_since_last_event, views_30_days, carts_30_days,"
        " carts_365_days, sessions, sessions_30_days from behaved where customer_id = 'windows'"
    )

    # A visit at midnight is one session, and lies where it ends.
    assert row == [(7, 2, 4, 6, 7, 2, 0, 1, 1, 1, 4, 2)]
    assert column(rules, "behaved", "view_events")["windows"] == 6


def test_sessions_end_after_half_an_hour(rules: harness.Shop) -> None:
    sessions = "select sessions, sessions_30_days, conversion_30_days from"
    one = "where customer_id = 'sessions'"

    # 10:00 and 10:30 are one session, 11:00:01 begins another, midnight begins none; two of
    # the three hold a purchase.
    assert rules.rows(f"{sessions} behaved {one}") == [(3, 3, pytest.approx(2 / 3))]
    assert rules.rows(f"{sessions} behaved_short {one}") == [(4, 4, 0.5)]
    # The events' own sessions, where a view is a purchase by event_kinds.
    assert rules.rows(
        f"select sessions, sessions_7_days, conversion_7_days from behaved_known {one}"
    ) == [(4, 4, 0.75)]


def test_campaign_response_rate(rules: harness.Shop) -> None:
    rates = column(rules, "behaved", "campaign_response_rate_30_days")

    assert rates == {"campaign": 0.25, "sessions": None, "windows": None}
    assert column(rules, "behaved", "campaign_response_rate_90_days")["campaign"] == 0.5
    assert column(rules, "behaved", "campaign_responses_90_days")["campaign"] == 2
    # Types are compared and named in one notation.
    assert column(rules, "behaved", "email_sent_events")["campaign"] == 3


def test_silent_customers_have_a_row(rules: harness.Shop) -> None:
    assert rules.rows("select customer_id from behaved_known order by 1") == [
        ("sessions",),
        ("silent",),
        ("windows",),
    ]
    assert rules.rows("select * exclude (customer_id) from behaved_known where customer_id ="
                      " 'silent'") == [(0, 0, None, 0, 0, 0, 0, 0, 0, None, 0, None)]  # fmt: skip
    # More than two types: no column per type.
    assert [name for name in rules.columns("behaved_known") if name.endswith("_events")] == []


def test_features_of_customers_who_are_not_described(rules: harness.Shop) -> None:
    assert rules.rows("select customer_id, recency, age, events from joined order by 1") == [
        ("birthday", 1, 35, None),
        ("guest", 2, None, None),
    ]


def test_orders_after_the_load_do_not_count(rules: harness.Shop) -> None:
    query = "select as_of_date, recency, frequency, monetary from"

    assert rules.rows(f"{query} loaded") == [(date(2025, 6, 28), 8, 2, 15)]
    assert rules.rows(f"{query} loaded_on_date") == [(date(2025, 6, 30), 10, 2, 15)]
    assert rules.rows(f"{query} loaded_to_the_last") == [(date(2025, 6, 20), 0, 2, 15)]


def test_profile_by_hand(rules: harness.Shop) -> None:
    # recency is 10, 20 | 60 | 70 (not scorable): the mean is 40, the variance 650.
    deviation = math.sqrt(650)
    rows = rules.rows(
        "select segment_key, customers, mean, overall_mean, index_100, z_score from profiled"
        " where feature = 'recency' order by 1"
    )

    assert rows == [
        ("S1", 2, 15, 40, 37.5, pytest.approx(-25 / deviation)),
        ("S2", 1, 60, 40, 150, pytest.approx(20 / deviation)),
        ("unscored", 1, 70, 40, 175, pytest.approx(30 / deviation)),
    ]
    # Without spread there is no z-score; NaN counts as missing; true is 1; the one
    # word of four customers is not shown.
    assert rules.rows(
        "select distinct index_100, z_score from profiled where feature = 'flat'"
    ) == [(100, None)]
    assert rules.rows(
        "select segment_key, customers, mean from profiled where feature = 'gappy' order by 1"
    ) == [("S1", 1, 2), ("S2", 0, None), ("unscored", 0, None)]
    assert rules.value(
        "select mean from profiled where feature = 'is_member' and segment_key = 'S1'"
    ) == pytest.approx(0.5)
    assert rules.rows("select distinct feature from profiled order by 1") == [
        ("flat",),
        ("gappy",),
        ("is_member",),
        ("recency",),
        ("word",),
    ]
    assert rules.rows(
        "select segment_key, level, customers, mean, overall_mean, index_100, z_score from profiled"
        " where feature = 'word' order by 1"
    ) == [(key, "other", n, 1, 1, 100, None) for key, n in (("S1", 2), ("S2", 1), ("unscored", 1))]
    assert rules.rows("select distinct feature from profiled_column") == [("recency",)]


def test_maps_cover_each_code_once(rules: harness.Shop) -> None:
    for name, segments in (("map_of_segments", 11), ("map_of_grid", 10)):
        assert rules.rows(
            f"select count(*), count(distinct rfm_code), count(distinct rfm_segment) from {name}"
        ) == [(125, 125, segments)]
        # The grid looks at recency and frequency only.
        pairs = f"select count(distinct (rfm_code[:2], rfm_segment)) from {name}"
        assert (rules.value(pairs) == 25) == (name == "map_of_grid")


def test_package_tests_fail_and_pass(rules: harness.Shop) -> None:
    result = dbt(rules.database.parent, "test", "--store-failures")

    found = {}
    for line in result.output.splitlines():
        words = line.split()
        if len(words) > 5 and words[4] in ("PASS", "FAIL"):
            failed = words[4] == "FAIL"
            found[words[6 if failed else 5]] = int(words[5]) if failed else 0
    assert found == {
        # Named twice (a), without a segment (e).
        "in_one_segment": 2,
        # Also not there (d), and there but not a customer (f).
        "everybody_in_one_segment": 4,
        "size_1": 0,
        "size_2": 2,
        "size_2_but": 0,
        "share_low": 2,
        "share_high": 1,
        "share_high_but": 0,
        "share_inside": 0,
        "segql_rfm_map_complete_map_of_segments_": 0,
        "segql_rfm_map_complete_map_of_grid_": 0,
        "broken_map_is_incomplete": 3,
    }, result.output
    schema = "main_dbt_test__audit"
    broken = rules.rows(f"from {schema}.broken_map_is_incomplete order by 1")
    assert broken == [("111", "repeated"), ("555", "missing"), ("616", "unknown")]
    assert rules.rows(f"from {schema}.everybody_in_one_segment order by 1") == [
        ("a", 2, 2),
        ("d", None, None),
        ("e", 1, 0),
        ("f", 1, 1),
    ]
