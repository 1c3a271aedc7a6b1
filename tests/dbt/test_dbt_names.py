"""Names and rules of segments in the marts: readable, unique, lasting, and true."""

from __future__ import annotations

from pathlib import Path

import harness


def test_rules_of_the_demo_shop_are_short_and_true(
    demo: tuple[harness.Shop, harness.Result],
) -> None:
    shop, _ = demo
    rows = shop.rows(
        "select s.segment_key, s.customers, r.rule_sql, r.conditions, s.rule_coverage, "
        "s.rule_precision from marts.segment_summary as s "
        "join segmentation.segment_rules as r using (segment_key) order by 1"
    )
    assert len(rows) > 1
    covered = sum(size * coverage for _, size, _, _, coverage, _ in rows)
    matched = sum(size * cover / precise for _, size, _, _, cover, precise in rows)
    assert covered / matched >= 0.85
    for _, _, _, conditions, coverage, _ in rows:
        assert conditions <= 4
        assert coverage >= 0.6
    # Each rule by itself, on the customers as they were scored.
    for key, size, condition, _, coverage, _ in rows:
        [(correct,)] = shop.rows(
            f"select count(*) from segql.predict('customers', 'features.customer_features') "
            f"where segment_key = '{key}' and {condition}"
        )
        assert correct / size >= coverage - 1e-9


def test_names_last_as_long_as_the_version(
    demo: tuple[harness.Shop, harness.Result], tmp_path: Path
) -> None:
    shop = demo[0].copy(tmp_path)
    names = "select segment_key, segment_name from marts.segment_summary order by 1"
    before = shop.rows(names)
    # Other words would be chosen now, but the model is the same.
    shop.build("--select", "generated_segment_names+", name_low_score=1.01, name_high_score=1.02)
    assert shop.rows(names) == before
    shop.run_sql(
        "update segmentation.segment_names set name = name",
        "insert into segmentation.segment_names values ('S1', 'Our favourites')",
    )
    shop.build("--select", "named_segments+")
    after = dict(shop.rows(names))
    assert after["S1"] == "Our favourites"
    assert {key: name for key, name in before if key != "S1"}.items() <= after.items()
