"""Trust in the marts: verdicts beside every segment, drift and readiness that add up."""

from __future__ import annotations

from pathlib import Path

import harness
import pytest

# Where segments are shown by their names.
MARKED = (
    "segment_summary", "segment_profiles", "segment_recommendations", "segment_products",
    "segment_value", "segment_budget",
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(small_shop: harness.Shop) -> harness.Shop:
    return small_shop


def test_every_segment_of_the_model_has_a_verdict(shop: harness.Shop) -> None:
    found = shop.rows("select segment_key, jaccard, verdict, is_trusted from marts.segment_trust")
    stored = shop.rows(
        "select segment_key, jaccard, verdict, is_trusted from segql.trust('customers')"
    )

    assert sorted(found) == sorted(stored)
    assert len(found) == 3
    assert all(jaccard is not None for _, jaccard, _, _ in found)


def test_the_verdict_is_shown_with_each_segment(shop: harness.Shop) -> None:
    verdicts = dict(shop.rows("select segment_key, verdict from marts.segment_trust"))

    for mart in MARKED:
        shown = shop.rows(f"select segment_key, trust from marts.{mart}")
        assert {key for key, _ in shown} >= set(verdicts)
        assert all(trust == verdicts.get(key, "not measured") for key, trust in shown)


def test_guards_are_counted_on_the_features(shop: harness.Shop) -> None:
    guards = {
        name: (value, is_met)
        for name, value, is_met in shop.rows(
            "select name, value, is_met from marts.segment_readiness where kind = 'guard'"
        )
    }
    [(buyers, tenure, recency, loyal, repeat)] = shop.rows(
        "select count(*), max(tenure), min(recency), count(*) filter (frequency >= 3),"
        " avg((frequency > 1)::integer) from features.customer_features"
    )

    assert guards == {
        "buyers": (buyers, False),
        "history days": (tenure, tenure >= 180),
        "days since the last order": (recency, True),
        "customers with three or more orders": (loyal, True),
        "repeat share": (pytest.approx(repeat), True),
    }


def test_figures_of_the_model_say_their_sample(shop: harness.Shop) -> None:
    found = dict(shop.rows("select name, value from marts.segment_readiness where kind = 'model'"))

    assert found["rows"] == found["sample rows"] == 60
    assert found["bootstrap rows"] == 60
    assert found["bootstraps"] == 20
    assert found["missing share"] == found["noise share"] == 0
    assert found["agreement with the previous version"] is None


def test_one_untrusted_segment_is_marked_everywhere(shop: harness.Shop, tmp_path: Path) -> None:
    doubtful = shop.copy(tmp_path)
    doubtful.run_sql("update segql.segments set jaccard = 0.55 where segment_key = 'S2'")

    doubtful.build("--select", "trust_by_segment+")

    for mart in MARKED:
        assert doubtful.rows(
            f"select distinct trust from marts.{mart} where segment_key = 'S2'"
        ) == [("do not trust",)]
    [(trusted, reason)] = doubtful.rows(
        "select is_trusted, reason from marts.segment_trust where segment_key = 'S2'"
    )
    assert trusted is False
    assert reason.endswith("0.550: do not trust it (below 0.6).")


def test_drift_and_refit(shop: harness.Shop, tmp_path: Path) -> None:
    """The fit's customers, then half of them: the parts of the shares' drift sum to its PSI."""
    moved = shop.copy(tmp_path)
    moved.run_sql("delete from raw.order_lines where customer_id > 'c030'")

    moved.build()

    [(parts,)] = moved.rows("select sum(share_drift) from marts.segment_trust")
    drifts = dict(
        moved.rows("select name, value from marts.segment_readiness where kind = 'drift'")
    )
    assert set(drifts) == {
        f"psi of {name}"
        for name in ("recency", "frequency", "monetary", "tenure", "segment shares")
    }
    assert parts == pytest.approx(drifts["psi of segment shares"], abs=1e-5)
    [(share, fitted)] = moved.rows("select sum(share), sum(fitted_share) from marts.segment_trust")
    assert (share, fitted) == (pytest.approx(1), pytest.approx(1))

    moved.build("--full-refresh", k=4)

    [(version, previous, ari, has_moved)] = moved.rows(
        "select distinct model_version, previous_version, ari_to_previous, refit_moved"
        " from marts.segment_trust"
    )
    assert (version, previous) == (2, 1)
    assert -1 <= ari < 1
    assert has_moved == (ari < 0.8)
    assert moved.value(
        "select is_met from marts.segment_readiness"
        " where name = 'agreement with the previous version'"
    ) == (not has_moved)


def test_a_model_of_an_older_segql_is_not_measured(shop: harness.Shop, tmp_path: Path) -> None:
    old = shop.copy(tmp_path)
    old.run_sql(
        "drop macro table segql.trust",
        "alter table segql.segments drop column jaccard",
        *(
            f"alter table segql.models drop column {column}"
            for column in ("previous_version", "ari_to_previous", "caps")
        ),
        "update segql.registry_info set schema_version = 4",
    )

    old.build("--select", "trust_by_segment+", "model_checks+")

    assert old.rows("select distinct verdict, is_trusted from marts.segment_trust") == [
        ("not measured", None)
    ]
    assert (
        old.value("select is_met from marts.segment_readiness where name = 'segments not to trust'")
        is None
    )
