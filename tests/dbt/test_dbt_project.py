"""The reference project as dbt sees it: tags, freshness, bounds in vars, and its house rules."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import harness
import pytest

BOUNCER = Path(sys.executable).parent / "dbt-bouncer"


def listed(shop: harness.Shop, *selection: str) -> set[str]:
    """Name what a selection holds."""
    result = shop.dbt("--quiet", "ls", "--output", "name", *selection)
    assert result.code == 0, result.output
    return set(result.output.split())


def outcomes(result: harness.Result) -> dict[str, str]:
    """Read how each test ended."""
    return {
        name: outcome
        for outcome, name in re.findall(r"of \d+ (PASS|WARN|FAIL)(?: \d+)? (\w+) ", result.output)
    }


def test_every_model_is_scored_and_learners_are_fitted(small_shop: harness.Shop) -> None:
    models = ("--resource-type", "model")
    fitted = listed(small_shop, "--select", "tag:fit", *models)
    scored = listed(small_shop, "--select", "tag:score", *models)

    assert scored == listed(small_shop, *models)
    assert {"kmeans_segments", "rfm_cuts", "customer_features", "stg_order_lines"} <= fitted
    assert not {"customer_segments", "segment_history", "rfm_scores"} & fitted
    assert "playbook" in listed(small_shop, "--select", "tag:score", "--resource-type", "seed")


def test_fit_then_score(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)
    # A customer more: tests that also read the marts, which a fit leaves alone, must not run.
    shop.run_sql(
        "insert into raw.order_lines values ('c999', 'o999', '2025-06-29', 'p1', 1, 20)",
    )
    versions = (
        "select (select max(model_version) from segmentation.kmeans_segments),"
        " (select max(version) from segql.rfm_cuts),"
        " (select max(model_version) from marts.customer_segments),"
        " (select count(*) from marts.customer_segments where customer_id = 'c999')"
    )

    fit = shop.dbt("build", "--select", "tag:fit", "--full-refresh")
    assert fit.code == 0, fit.output
    assert shop.rows(versions) == [(2, 2, 1, 0)]

    score = shop.dbt("build", "--select", "tag:score")
    assert score.code == 0, score.output
    assert shop.rows(versions) == [(2, 2, 2, 1)]


def test_fit_then_score_from_nothing(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)
    shop.run_sql(
        *(f"drop schema {schema} cascade" for schema in reversed(harness.SCHEMAS)),
    )

    for command in (("--select", "tag:fit"), ("--select", "tag:score")):
        result = shop.dbt("build", *command)
        assert result.code == 0, result.output

    assert shop.value("select count(*) from marts.segment_recommendations") >= 3


def test_freshness_of_order_lines(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)
    # The newest order is years old; one dated in the future does not hide that.
    shop.run_sql(
        "insert into raw.order_lines values ('c001', 'later', '2999-01-01', 'p1', 1, 1)",
        "create table raw.fresh as select * replace (strftime(now(), '%d/%m/%Y') as ordered_at)"
        " from raw.order_lines limit 9",
    )

    def freshness(**dbt_vars: object) -> str:
        result = shop.dbt("source", "freshness", **dbt_vars)
        assert result.code == 0, result.output
        found = re.findall(r"(PASS|WARN|ERROR) freshness of shop\.(\w+)", result.output)
        assert [source for _, source in found] == ["order_lines"], result.output
        return found[0][0]

    assert freshness() == "WARN"
    assert freshness(stale_after_days=36500) == "PASS"
    # It follows the mapping.
    mapping = {"relation": "raw.fresh", "timestamp_format": "%d/%m/%Y"}
    assert freshness(order_lines=mapping) == "PASS"

    refused = shop.dbt("source", "freshness", stale_after_days="a week")
    assert refused.code == 1
    said = "vars: stale_after_days got 'a week'; accepted is a whole number from 0 to 99999"
    assert said in refused.output
    assert "Traceback" not in refused.output


def test_bounds_in_vars(small_shop: harness.Shop, tmp_path: Path) -> None:
    shop = small_shop.copy(tmp_path)
    names = {
        "each_known_customer_is_in_one_segment": "PASS",
        "each_buyer_is_in_one_rfm_segment": "PASS",
        "no_segment_is_too_small": "FAIL",
        "no_segment_has_too_small_or_large_a_share": "FAIL",
        "customer_features_have_not_drifted": "WARN",
    }

    kept = shop.dbt("test", "--select", *names)
    assert kept.code == 0, kept.output
    assert outcomes(kept) == dict.fromkeys(names, "PASS")

    crossed = shop.dbt(
        "test", "--select", *names,
        smallest_segment=1000, largest_segment_share=0.1, largest_drift=0,
    )  # fmt: skip
    assert crossed.code == 1
    assert outcomes(crossed) == names, crossed.output

    # A model that was fitted by an older version has no bins.
    shop.run_sql("drop table segql.feature_bins")
    old = shop.dbt("test", "--select", "customer_features_have_not_drifted")
    assert old.code == 1
    assert "refit it with --full-refresh" in old.output


@pytest.fixture(scope="module")
def artefacts(small_shop: harness.Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the manifest and the catalog."""
    shop = small_shop.copy(tmp_path_factory.mktemp("artefacts"))
    generated = shop.dbt("docs", "generate")
    assert generated.code == 0, generated.output
    return shop.database.parent / "target"


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("dbt-bouncer.yml", ["segment_summary", "m_score"]),
        ("dbt-bouncer-package.yml", ["drift", "predict"]),
    ],
)
def test_house_rules(config: str, named: list[str], artefacts: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    shutil.copytree(artefacts, target)
    rules = (harness.ROOT / config).read_text(encoding="utf-8")
    moved = rules.replace("dbt_artifacts_dir: .build/target", f"dbt_artifacts_dir: '{target}'")
    assert moved != rules
    (tmp_path / config).write_text(moved, encoding="utf-8")
    command = [str(BOUNCER), "run", "--config-file", str(tmp_path / config), "--show-all-failures"]

    kept = harness.run(command, tmp_path, COLUMNS="300")
    assert kept.code == 0, kept.output

    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    nodes, macros = manifest["nodes"], manifest["macros"]
    nodes["model.segql_reference.segment_summary"]["description"] = ""
    nodes["model.segql_reference.rfm_segments"]["columns"]["m_score"]["description"] = ""
    macros["macro.segql.drift"]["description"] = ""
    macros["macro.segql.predict"]["arguments"].pop()
    (target / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    broken = harness.run(command, tmp_path, COLUMNS="300")
    assert broken.code == 1
    assert all(name in broken.output for name in named), broken.output
