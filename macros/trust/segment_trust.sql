{#-
    How far each segment of a frozen model can be trusted, as segql.trust says it: a row per
    segment with the bootstrap Jaccard, the verdict and the reason, and what is said of the whole
    model. A model of an older segql is not measured: a refit measures it.

    {{ segql.segment_trust('customers') }}
-#}
{% macro segment_trust(model) -%}
    {{ return(adapter.dispatch('segment_trust', 'segql')(model)) }}
{%- endmacro %}

{% macro default__segment_trust(model) -%}
    {%- if not execute -%}{{ return('select 1 as parsed') }}{%- endif -%}
    {%- set current = segql.current_model(model) -%}
    {%- if current is none -%}
        {%- do exceptions.raise_compiler_error(
            "segment_trust: there is no fitted model '" ~ model ~ "'"
        ) -%}
    {%- endif -%}
    {%- set measured = run_query(
        'select 1 from duckdb_functions() where database_name = current_database()'
        ~ " and schema_name = 'segql' and function_name = 'trust'"
    ).rows | length > 0 -%}
    {%- if measured -%}
select
    cast({{ current['model_version'] }} as integer) as model_version,
    judged.* exclude (caps),
    array_to_string(judged.caps, ' ') as caps
from segql.trust({{ segql.string_literal(model) }}) as judged
    {%- else -%}
select
    segments.model_version,
    segments.segment_id,
    segments.segment_key,
    segments.customers,
    segments.share,
    cast(null as double) as jaccard,
    'not measured' as verdict,
    cast(null as boolean) as is_trusted,
    segments.silhouette,
    'The model was fitted before stability was measured; a refit measures it.' as reason,
    models.prefers_one,
    models.noise_share,
    cast(null as integer) as previous_version,
    cast(null as double) as ari_to_previous,
    cast(null as boolean) as refit_moved,
    cast(null as integer) as bootstraps,
    cast(null as bigint) as bootstrap_rows,
    models.coreset_rows as sample_rows,
    models.row_count as input_rows,
    cast(null as string) as caps
from segql.segments as segments
inner join segql.models as models
    on
        segments.model_name = models.model_name
        and segments.model_version = models.model_version
where
    models.is_current
    and models.model_name = {{ segql.string_literal(model) }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__segment_trust(model) -%}
    {%- if not execute -%}{{ return('select 1 as parsed') }}{%- endif -%}
    {%- set current = segql.current_model(model) -%}
    {%- if current is none -%}
        {%- do exceptions.raise_compiler_error(
            "segment_trust: there is no fitted model '" ~ model ~ "'"
        ) -%}
    {%- endif -%}
select
    cast({{ current['model_version'] }} as integer) as model_version,
    segment_id,
    segment_key,
    customers,
    share,
    jaccard,
    verdict,
    is_trusted,
    silhouette,
    reason,
    prefers_one,
    noise_share,
    previous_version,
    ari_to_previous,
    refit_moved,
    bootstraps,
    bootstrap_rows,
    sample_rows,
    input_rows,
    caps
from segql.trust
where model_name = {{ segql.string_literal(model) }}
{%- endmacro %}
