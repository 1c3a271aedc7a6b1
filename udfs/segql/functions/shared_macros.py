"""Persisted macros that serve every model: they dispatch by name, in plain SQL, when bound."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from segql import sql_text as sql
from segql.functions.trust_macro import trust_body, trust_columns

#: Changes with the shared macros and the registry tables.
SCHEMA_VERSION = 7

#: What the macros know of the models when a statement is bound: two enums, whose members are the
#: names, and ``'<version> <name>'``. A subquery would be looked at too late, or pruned away.
KNOWN_MODELS, KNOWN_VERSIONS = "segql.known_models", "segql.known_versions"

#: A macro whose value no other database has.
MARK = "use_the_database_first"
_NAMES = f"enum_range(null::{KNOWN_MODELS})::varchar[]"
_NUMBERED = f"enum_range(null::{KNOWN_VERSIONS})::varchar[]"
_QUOTED = """replace(model::varchar, '"', '""')"""
#: The argument ``relation`` of a macro, as the argument of the next one.
RELATION = """'(''' || replace(relation::varchar, '''', '''''') || ''')'"""


@dataclass(frozen=True)
class TableMacro:
    """A table macro of the ``segql`` schema.

    Attributes
    ----------
    name : str
    parameters : tuple of str
        As they are declared, defaults included.
    summary : str
        One sentence for the reference page.
    query : str
        SQL of the text that the macro runs, an expression over its parameters.
    example : str
        A statement that runs on the reference page's shop.
    """

    name: str
    parameters: tuple[str, ...]
    summary: str
    query: str
    example: str

    def statement(self, mark: str) -> str:
        """What creates the macro in the database with this mark."""
        listed = ", ".join(self.parameters)
        checked = _checked(self.query, needs_relation="relation" in self.parameters)
        checked = in_use(mark, checked)
        return (
            f"create or replace macro segql.{self.name}({listed}) as table "
            f"select * from query({checked})"
        )


def in_use(mark: str, query: str) -> str:
    """SQL of a query's text, an error when another database than the macro's own is in use.

    Names inside a macro are looked up in the current database: through ATTACH, ``a.segql.predict``
    would find the models of ``b``.
    """
    refused = sql.text(
        sql.string(
            "this macro is of an attached database, and another one is in use; accepted: USE it "
            "first"
        )
    )
    return f"case when segql.{MARK}() <> '{mark}' then error({refused}) else {query} end"


def mark_macro(mark: str) -> str:
    """Statement of the macro that tells which database is in use."""
    return f"create or replace macro segql.{MARK}() as '{mark}'"


def _checked(query: str, *, needs_relation: bool) -> str:
    """Fail when bound, not when run, naming the models or versions that there are."""
    missing = "'relation got NULL; accepted: the name of a table or view'"
    no_relation = f"when relation is null then error({missing})" if needs_relation else ""
    unknown = (
        "'unknown model ' || coalesce('''' || model::varchar || '''', 'NULL') || ' (known: ' "
        f"|| coalesce(nullif(array_to_string({_NAMES}, ', '), ''), 'none') || ')'"
    )
    # Taken apart, not put together: version '1 or x' of model 'y' is not version 1 of 'or x y'.
    numbers = (
        f"list_transform(list_filter({_NUMBERED}, "
        "lambda n: n[position(' ' in n) + 1:] = model::varchar), "
        "lambda n: n[:position(' ' in n) - 1])"
    )
    no_version = (
        "'model ''' || model::varchar || ''' has no version ' || version::varchar || ' (known: ' "
        f"|| array_to_string({numbers}, ', ') || ')'"
    )
    return (
        f"case when model is null or not list_contains({_NAMES}, model::varchar) "
        f"then error({unknown}) when version is not null and not "
        f"list_contains({numbers}, version::varchar) then error({no_version}) "
        f"{no_relation} else {query} end"
    )


def _of_version(table: str, columns: str) -> str:
    """Text of a query on the rows of one version in a registry table."""
    select = sql.text(
        sql.string(
            f"select {columns} from segql.{table} as t inner join segql.models as m "
            "on t.model_name = m.model_name and t.model_version = m.model_version "
            "where m.model_name = '"
        )
    )
    which = (
        "case when version is null then 'm.is_current' "
        "else 'm.is_published and m.model_version = ' || version::varchar end"
    )
    return f"{select} || replace(model::varchar, '''', '''''') || ''' and ' || {which}"


def _scored(suffix: str) -> str:
    """Text of a call of a model's own macro."""
    numbered = "coalesce('_v' || version::varchar, '')"
    return f"""'segql."' || {_QUOTED} || '_{suffix}' || {numbered} || '\"' || {RELATION}"""


def _over_scored_rows(file: str, suffix: str = "scored") -> str:
    """Text of a query file over the scored rows and the geometry of the version."""
    text = (files(__package__) / "queries" / f"{file}.sql").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines() if not line.lstrip().startswith("--")]
    body = sql.text(sql.string(") select * from (" + " ".join(lines) + ")"))
    geometry = _of_version("geometry", "t.*")
    return (
        f"'with scored_rows as (from ' || {_scored(suffix)} || '), version_geometry as (' || "
        f"{geometry} || {body}"
    )


def _anomalies() -> str:
    """Text of the anomalies, their share checked and written in."""
    share = "try_cast(contamination::varchar as double)"
    query = _over_scored_rows("detect_anomalies", "identified")
    query = query.replace("contamination_share", f"' || {share} || '")
    wrong = (
        "'contamination got ' || coalesce(contamination::varchar, 'NULL') "
        "|| '; accepted: a share from 0 to 1'"
    )
    return (
        f"case when coalesce({share} between 0 and 1, false) then {query} else error({wrong}) end"
    )


def _trust() -> str:
    """Text of the verdicts on the segments of the version."""
    segments, body = (
        _of_version("segments", trust_columns()),
        sql.text(sql.string(") " + trust_body())),
    )
    return f"'with version_segments as (' || {segments} || {body}"


_FIGURES = (
    "t.n, t.inertia, t.silhouette, t.davies_bouldin, t.calinski_harabasz, "
    "t.mean_squared_distance, t.noise_share"
)
_ANY_RELATION = ("model", "relation", "version := null")

#: Long tables that have a macro of the same name, their rows for one model version.
LONG_TABLES: dict[str, str] = {
    "segments": "Size, share and quality of each segment.",
    "centroids": "Mean of each segment, a row per feature, in the column's own unit and scaled.",
    "feature_info": "Each column: used or why not, its figures, its steps and its relevance.",
    "feature_bins": "How each feature was distributed when the model was fitted.",
    "principal_components": "Loadings, a row per component and feature.",
    "principal_component_info": "Variance of each principal component.",
    "trials": "Each k that was tried: its figures, which one was chosen, and why.",
    "training_info": "Iterations of the chosen fit.",
    "rules": "Each segment as a plain rule, and how much of it the rule covers, how precisely.",
    "diagnostics": "Figures of the algorithm, each with what it says.",
    "dendrogram": "Merges of a hierarchical model, as scipy's linkage table.",
    "k_distances": "The curve whose knee is eps, of a density model.",
}

#: What the reference page shows of each long table.
EXAMPLES: dict[str, str] = {
    "segments": "select segment_id, segment_key, customers, round(share, 2) as share "
    "from segql.segments('customers')",
    "centroids": "select centroid_id, feature, round(numerical_value, 3) as numerical_value, "
    "round(standardized_value, 2) as standardized_value from segql.centroids('customers')",
    "feature_info": "select input, used, round(mean, 2) as mean, round(relevance, 2) as relevance, "
    "reason from segql.feature_info('customers')",
    "feature_bins": "select feature, bin, kind, lower, upper, round(share, 2) as share "
    "from segql.feature_bins('customers') limit 3",
    "principal_components": "select principal_component_id, feature, "
    "round(numerical_value, 3) as numerical_value from segql.principal_components('projected')",
    "principal_component_info": "select principal_component_id, "
    "round(explained_variance_ratio, 2) as explained_variance_ratio "
    "from segql.principal_component_info('projected')",
    "trials": "select k, round(silhouette, 2) as silhouette, round(stability, 2) as stability, "
    "chosen from segql.trials('customers')",
    "training_info": "select phase, iteration, round(loss, 2) as loss "
    "from segql.training_info('customers') limit 3",
    "rules": "select segment_key, rule, round(coverage, 2) as coverage, "
    'round("precision", 2) as "precision" from segql.rules(\'customers\')',
    "diagnostics": "select diagnostic, round(numerical_value, 3) as numerical_value "
    "from segql.diagnostics('tree')",
    "dendrogram": 'select merge, "left", "right", round(height, 2) as height, size '
    "from segql.dendrogram('tree') limit 3",
    "k_distances": "select position, share, round(distance, 2) as distance "
    "from segql.k_distances('dense') limit 3",
}

TABLE_MACROS: tuple[TableMacro, ...] = (
    TableMacro(
        "predict",
        _ANY_RELATION,
        "All columns of a relation, and the prediction columns.",
        f"'select columns(lambda c: not starts_with(c, ''{sql.SCRATCH}'')) from ' "
        f"|| {_scored('scored')}",
        "select customer_id, segment_id, segment_key, round(distance, 2) as distance, "
        "next_segment_id, round(confidence, 2) as confidence "
        "from segql.predict('customers', 'new_customers')",
    ),
    TableMacro(
        "evaluate",
        ("model", "relation := null", "version := null"),
        "Figures of the segmentation on a relation, or without one those of the training.",
        f"case when relation is null then {_of_version('models', _FIGURES)} "
        f"else {_over_scored_rows('evaluate')} end",
        "select n, round(inertia, 2) as inertia, round(silhouette, 3) as silhouette, "
        "round(davies_bouldin, 3) as davies_bouldin "
        "from segql.evaluate('customers', 'customer_features')",
    ),
    TableMacro(
        "detect_anomalies",
        ("model", "relation", "contamination", "version := null"),
        "The rows that are farthest from all segments, a share of them marked.",
        _anomalies(),
        "select customer_id, is_anomaly, round(normalized_distance, 2) as normalized_distance, "
        "centroid_id from segql.detect_anomalies('customers', 'customer_features', 0.1) "
        "where is_anomaly",
    ),
    TableMacro(
        "explain",
        _ANY_RELATION,
        "Which features pull each row to its segment and away from the next one.",
        _over_scored_rows("explain"),
        "select customer_id, segment_key, list_transform(top_feature_attributions, "
        "lambda a: a.feature || ' ' || round(a.attribution, 2)) as pulled_by "
        "from segql.explain('customers', 'new_customers')",
    ),
    TableMacro(
        "trust",
        ("model", "version := null"),
        "How far each segment can be trusted: bootstrap Jaccard, the verdict, and why.",
        _trust(),
        "select segment_key, customers, round(jaccard, 2) as jaccard, verdict, is_trusted, reason "
        "from segql.trust('customers')",
    ),
    *(
        TableMacro(
            name,
            ("model", "version := null"),
            summary,
            _of_version(name, "t.* exclude (model_name, model_version)"),
            EXAMPLES[name],
        )
        for name, summary in LONG_TABLES.items()
    ),
)


def shared_macros(mark: str) -> list[str]:
    """Statements that create the macros of every model."""
    return [mark_macro(mark), *(macro.statement(mark) for macro in TABLE_MACROS)]


def known_types() -> list[str]:
    """Statements that tell the macros which models and versions there are."""
    return [
        f"create or replace type {KNOWN_MODELS} as enum "
        "(select distinct model_name from segql.models order by 1)",
        f"create or replace type {KNOWN_VERSIONS} as enum "
        "(select model_version || ' ' || model_name from segql.models order by 1)",
    ]
