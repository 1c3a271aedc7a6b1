"""materialized='segmentation': atomic, parallel, refitted by policy, with keys that last."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import harness
import pytest
from test_dbt_consumer import LOCAL, Consumer, consumer

SEGMENTS = "select customer_id, segment_id, segment_key from customer_segments order by all"
#: Everything that a refit may change, as one comparable value.
STATE = (
    "from customer_segments order by all",
    "select model_name, model_version, is_current, is_published from segql.models order by all",
    "select function_name, macro_definition from duckdb_functions()"
    " where schema_name = 'segql' order by all",
)
#: The customers of five planted groups, whose features can be moved by a var.
FEATURES = """
select
    number as customer_id,
    date '2025-01-31' + {{ var('days', 0) }} as as_of_date,
    (10 * (number % 5) + hash(number, 1) % 100 / 50.0 + {{ var('moved', 0) }}) as recency,
    (7 * ((number % 5) * 2 % 5) + hash(number, 2) % 100 / 60.0) as frequency,
    ['north', 'south'][1 + number % 2] as region
from range({{ var('customers', 500) }}) as numbers (number)
"""
CONFIG = "{{{{ config(materialized='segmentation', id='customer_id'{}) }}}}"


def planted(folder: Path, config: str = ", k=5, features=['recency', 'frequency']") -> Consumer:
    project = consumer(folder, LOCAL)
    project.write(
        **{
            "models/customer_features.sql": FEATURES,
            "models/customer_segments.sql": CONFIG.format(config)
            + " select * from {{ ref('customer_features') }}",
        }
    )
    (folder / "models/segment_summary.sql").unlink()
    return project


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Consumer:
    project = planted(tmp_path_factory.mktemp("planted"))
    project.run("run")
    return project


@pytest.fixture
def project(fitted: Consumer, tmp_path: Path) -> Consumer:
    ignored = shutil.ignore_patterns("target", "logs")
    shutil.copytree(fitted.folder, tmp_path / "copy", symlinks=True, ignore=ignored)
    return Consumer(tmp_path / "copy")


def state(project: Consumer) -> list[list[tuple]]:
    return [project.shop.rows(query) for query in STATE]


OTHERS = {
    "tree": ", algorithm='hierarchical', linkage='average', k={'height': 1.5}",
    "dense": ", algorithm='dbscan', eps=0.15, min_samples=5",
    "densest": ", algorithm='hdbscan', min_samples=20",
}


def test_every_algorithm_in_config(tmp_path: Path) -> None:
    project = planted(tmp_path)
    for name, options in OTHERS.items():
        config = options + ", features=['recency', 'frequency']"
        query = CONFIG.format(config) + " select * from {{ ref('customer_features') }}"
        project.write(**{f"models/{name}.sql": query})
    project.write(
        **{
            "models/inlined.sql": "select * from ({{ segql.predict("
            "'dense', ref('customer_features')) }}) -- {{ ref('dense') }}"
        }
    )
    project.run("run", "--exclude", "inlined")
    project.run("run")
    for name, options in OTHERS.items():
        known = "select segment_key, count(*) from {} group by all order by all"
        found = dict(project.shop.rows(known.format(name)))
        assert sum(found.values()) == 500
        assert len(set(found) - {"noise"}) == 5, name
        [(algorithm, version)] = project.shop.rows(
            f"select algorithm, model_version from segql.models where model_name = '{name}'"
        )
        assert version == 1
        assert f"algorithm='{algorithm}'" in options
    assert project.shop.rows(
        "select count(*) from dense join inlined using (customer_id)"
        " where dense.segment_key = inlined.segment_key"
    ) == [(500,)]
    project.run("run", "--full-refresh", "--select", "tree", "dense", "densest")
    assert (
        dict(project.shop.rows("select segment_key, count(*) from densest group by all")) == found
    )


# -- atomic ----------------------------------------------------------------------------------


def broken_scoring(project: Consumer) -> None:
    """The scoring statement reads a row that only it cannot cast."""
    project.write(
        **{
            "macros/scored_query.sql": "{% macro default__scored_query(input_sql, score_sql,"
            " model_version, id, columns) %}"
            "select error('the scoring statement fails') as customer_id {% endmacro %}",
        }
    )
    (project.folder / "dbt_project.yml").write_text(
        (project.folder / "dbt_project.yml").read_text()
        + "dispatch: [{macro_namespace: segql, search_order: [my_shop, segql]}]\n"
    )


def broken_hook(project: Consumer) -> None:
    """What runs last in the transaction fails: all before it has to go back."""
    model = project.folder / "models/customer_segments.sql"
    model.write_text(
        model.read_text().replace(
            "id='customer_id'", "id='customer_id', post_hook=\"select error('the hook fails')\""
        )
    )


@pytest.mark.parametrize("breaking", [broken_scoring, broken_hook])
def test_all_or_nothing(breaking: object, project: Consumer) -> None:
    before = state(project)
    whole = [(p, (project.folder / p).read_text()) for p in
             ("dbt_project.yml", "models/customer_segments.sql")]  # fmt: skip
    breaking(project)  # type: ignore[operator]

    result = project.dbt("run", "--full-refresh")

    assert result.code != 0
    assert "fails" in result.output
    published, macros = state(project)[1], state(project)[2]
    assert [row for row in published if row[3]] == before[1]
    assert state(project)[0] == before[0]
    assert macros == before[2]

    shutil.rmtree(project.folder / "macros", ignore_errors=True)
    for path, text in whole:
        (project.folder / path).write_text(text)
    project.run("run", "--full-refresh")
    assert project.shop.rows(
        "select model_version, is_current, is_published, requested_by from segql.models order by 1"
    ) == [(1, False, True, "first run"), (2, True, True, "full refresh")]
    assert project.shop.rows("select distinct model_version from customer_segments") == [(2,)]
    assert (
        project.shop.rows("select table_name from duckdb_tables() where table_name like '%segql%'")
        == []
    )


def test_failed_fit_leaves_nothing(project: Consumer) -> None:
    before = state(project)
    project.write(
        **{
            "models/customer_segments.sql": CONFIG.format(", k=9999")
            + " select * from {{ ref('customer_features') }}"
        }
    )

    result = project.dbt("run", "--full-refresh")

    assert result.code != 0
    assert "9999" in result.output
    assert state(project) == before
    assert (
        project.shop.rows("select table_name from duckdb_tables() where table_name like '%segql%'")
        == []
    )


# -- parallel --------------------------------------------------------------------------------


def test_several_models_fit_in_parallel(tmp_path: Path) -> None:
    project = planted(tmp_path)
    names = [f"segments_{number}" for number in range(6)]
    for number, name in enumerate(names):
        project.write(
            **{
                f"models/{name}.sql": CONFIG.format(f", k={2 + number}")
                + " select * from {{ ref('customer_features') }}"
            }
        )

    for _ in range(2):
        project.run("run", "--threads", "4", "--full-refresh")

    assert project.shop.rows(
        "select model_name, model_version, k from segql.models where is_current"
        " and model_name like 'segments_%' order by all"
    ) == [(name, 2, 2 + number) for number, name in enumerate(names)]
    for number, name in enumerate(names):
        assert project.shop.value(f"select count(distinct segment_key) from {name}") == 2 + number
        assert project.shop.rows(
            f"select count(*) from segql.predict('{name}', 'customer_features') as p"
            f" join {name} as s using (customer_id) where p.segment_key <> s.segment_key"
        ) == [(0,)]


# -- refit policy ----------------------------------------------------------------------------


def with_policy(project: Consumer, policy: str) -> None:
    project.write(
        **{
            "models/customer_segments.sql": CONFIG.format(
                f", k=5, features=['recency', 'frequency'], refit={policy}"
            )
            + " select * from {{ ref('customer_features') }}"
        }
    )


def test_refit_by_age(project: Consumer) -> None:
    with_policy(project, "{'max_age_days': 90}")

    project.run("run", "--vars", "{days: 90}")
    assert project.shop.value("select count(*) from segql.models") == 1
    project.run("run", "--vars", "{days: 91}")

    assert project.shop.rows(
        "select requested_by, as_of_date::varchar from segql.models where is_current"
    ) == [("policy: 91 days old, max_age_days is 90", "2025-05-02")]


def test_refit_by_drift(project: Consumer) -> None:
    with_policy(project, "{'drift': 0.25}")

    project.run("run")
    assert project.shop.value("select count(*) from segql.models") == 1
    project.run("run", "--vars", "{moved: 3}")

    rows = project.shop.rows("select requested_by from segql.models where is_current")
    assert rows[0][0].startswith("policy: psi ")
    assert " of recency, drift is 0.25" in rows[0][0]


def test_drift_is_the_population_stability_index(project: Consumer) -> None:
    """Against the formula on counts, bins as stored, half a row in each cell."""
    project.write(**{"models/drifted.sql": "{{ segql.drift('customer_segments',"
                     " ref('customer_features')) }}"})  # fmt: skip
    project.run("run", "--select", "customer_features", "drifted", "--vars", "{moved: 3}")

    found = dict(project.shop.rows("select name, psi from drifted where kind = 'feature'"))
    expected = dict(
        project.shop.rows(
            """
            with bins as (
                select feature, bin, kind, share, coalesce(lower, '-infinity'::double) as lower,
                    coalesce(upper, 'infinity'::double) as upper
                from segql.feature_bins where model_version = 1
            ),
            cells as (
                select b.feature, b.bin, any_value(b.share) * 500 + 0.5 as fitted,
                    count(f.customer_id) + 0.5 as found
                from bins as b left join customer_features as f
                    on b.kind = 'number' and case b.feature when 'recency' then f.recency
                        else f.frequency end > b.lower
                    and case b.feature when 'recency' then f.recency else f.frequency end <= b.upper
                group by b.feature, b.bin
            ),
            shares as (
                select feature, fitted / sum(fitted) over w as e, found / sum(found) over w as a
                from cells window w as (partition by feature)
            )
            select feature, sum((a - e) * ln(a / e)) from shares group by feature
            """
        )
    )
    assert found.keys() == {"recency", "frequency"}
    assert found == pytest.approx(expected, rel=1e-9)
    assert found["recency"] > 0.25
    assert found["frequency"] < 0.01


# -- keys ------------------------------------------------------------------------------------


def test_keys_survive_a_bootstrap(project: Consumer) -> None:
    """Refit on customers drawn with replacement: each planted group keeps its key."""
    before = dict(project.shop.rows("select customer_id, segment_key from customer_segments"))
    project.write(
        **{
            "models/customer_segments.sql": CONFIG.format(
                ", k=5, features=['recency', 'frequency'], seed=7"
            )
            + " select * replace (copy * 1000 + customer_id as customer_id) from"
            " (select *, unnest(range(copies)) as copy from (select f.*, count(*) as copies"
            " from {{ ref('customer_features') }} as f join range(500) as drawn (draw)"
            " on hash(draw, 99) % 500 = f.customer_id group by all))"
        }
    )

    project.run("run", "--full-refresh")

    after = project.shop.rows("select customer_id % 1000, segment_key from customer_segments")
    assert 250 < len({customer for customer, _ in after}) < 400
    assert all(before[customer] == key for customer, key in after)
    assert project.shop.rows("select distinct model_version from customer_segments") == [(2,)]


def test_audit_row(project: Consumer) -> None:
    [row] = project.shop.rows(
        "select requested_by, row_count, k, options::json->>'k', input_hash, silhouette, inertia,"
        " segql_version, duckdb_version, seconds, relation, as_of_date::varchar from segql.models"
    )
    assert row[:4] == ("first run", 500, 5, "5")
    assert all(value is not None for value in row)
    assert row[8] == duckdb.__version__
    assert row[11] == "2025-01-31"


def test_options_in_yaml(tmp_path: Path) -> None:
    """config.meta.segql takes the same options."""
    project = planted(tmp_path)
    project.write(
        **{
            "models/customer_segments.sql": "{{ config(materialized='segmentation') }}"
            " select * from {{ ref('customer_features') }}",
            "models/models.yml": "models:\n  - name: customer_segments\n    config:\n"
            "      meta: {segql: {id: customer_id, k: 4, features: [recency, frequency]}}\n",
        }
    )

    project.run("run")

    assert project.shop.value("select count(distinct segment_key) from customer_segments") == 4


def test_other_adapters_are_told(tmp_path: Path) -> None:
    """Without the implementation for the adapter, the default says it in one sentence."""
    package = tmp_path / "package"
    shutil.copytree(harness.ROOT / "macros", package)
    (package / "segmentation" / "materialization_duckdb.sql").unlink()
    project = consumer(tmp_path / "shop", f"packages:\n  - local: {package}\n")

    result = project.dbt("run")

    assert result.code != 0
    assert (
        "materialized='segmentation' is not implemented for adapter duckdb: fit on duckdb and"
        " score the exported SQL here" in result.output
    )
