{#-
    What a frozen model and today's rows say about trust, one row a check: kind (model or drift),
    name, value, bound, is_met (empty where there is no bound), reason. Drift is that of
    segql.drift; a model without stored bins has no rows of it.

    {{ segql.model_checks('customers', ref('customer_features')) }}
-#}
{% macro model_checks(
    model, features, id='customer_id',
    largest_missing_share=0.2, largest_noise_share=0.5, least_ari=0.8, largest_drift=0.25
) -%}
    {{ return(adapter.dispatch('model_checks', 'segql')(
        model, features, id, largest_missing_share, largest_noise_share, least_ari, largest_drift
    )) }}
{%- endmacro %}

{% macro default__model_checks(
    model, features, id, largest_missing_share, largest_noise_share, least_ari, largest_drift
) -%}
    {%- if not execute -%}{{ return('select 1 as parsed') }}{%- endif -%}
    {%- set current = segql.current_model(model) -%}
    {%- if current is none -%}
        {%- do exceptions.raise_compiler_error(
            "model_checks: there is no fitted model '" ~ model ~ "'"
        ) -%}
    {%- endif -%}
    {%- set version = current['model_version'] -%}
with

trust as (

    {{ segql.segment_trust(model) | indent(4) }}

),

fitted as (

    select
        max(noise_share) as noise_share,
        max(ari_to_previous) as ari_to_previous,
        bool_or(prefers_one) as prefers_one,
        max(sample_rows) as sample_rows,
        max(input_rows) as input_rows,
        max(bootstrap_rows) as bootstrap_rows,
        max(bootstraps) as bootstraps,
        count(case when not is_trusted then 1 end) as untrusted,
        count(is_trusted) as judged,
        max(caps) as caps
    from trust

),

missing as (

    select max(cast(infos.null_count as double) / nullif(fitted.input_rows, 0)) as missing_share
    from segql.feature_info as infos
    cross join fitted
    where
        infos.model_name = {{ segql.string_literal(model) }}
        and infos.model_version = {{ version }}
        and infos.used

),

checks as (

    {{ segql.readiness_row(
        'model', 'segments not to trust', 'untrusted', 0,
        'case when judged > 0 then untrusted = 0 end',
        'Segments whose verdict is do not trust or dissolved.', 'fitted') }}
    union all
    {{ segql.readiness_row(
        'model', 'the gap statistic prefers one segment', 'cast(prefers_one as integer)', 0,
        'not prefers_one',
        'One (1) segment is as good as any number tried: no verdict is then trusted.', 'fitted') }}
    union all
    {{ segql.readiness_row(
        'model', 'agreement with the previous version', 'ari_to_previous', least_ari,
        'ari_to_previous >= ' ~ least_ari,
        'Adjusted Rand index of old and refitted labels; below the bound the refit moved.',
        'fitted') }}
    union all
    {{ segql.readiness_row(
        'model', 'noise share', 'noise_share', largest_noise_share,
        'noise_share <= ' ~ largest_noise_share,
        'Share of the customers that belonged to no segment at the fit.', 'fitted') }}
    union all
    {{ segql.readiness_row(
        'model', 'missing share', 'missing_share', largest_missing_share,
        'missing_share <= ' ~ largest_missing_share,
        'Missing values of the feature that has most of them, at the fit.', 'missing') }}
    union all
    {{ segql.readiness_row(
        'model', 'rows', 'input_rows', 'null', 'cast(null as boolean)',
        'Customers that the model was fitted on.', 'fitted') }}
    union all
    {{ segql.readiness_row(
        'model', 'sample rows', 'sample_rows', 'null', 'cast(null as boolean)',
        'Customers among whom the clusters were looked for.', 'fitted') }}
    union all
    {{ segql.readiness_row(
        'model', 'bootstrap rows', 'bootstrap_rows', 'null', 'cast(null as boolean)',
        'Customers that each bootstrap drew from.', 'fitted') }}
    union all
    {{ segql.readiness_row(
        'model', 'bootstraps', 'bootstraps', 'null', 'cast(null as boolean)',
        'How often customers were drawn and clustered anew.', 'fitted') }}
    union all
    select
        'model' as kind,
        'caps applied' as name,
        cast(null as double) as value,
        cast(null as double) as bound,
        cast(null as boolean) as is_met,
        coalesce(nullif(caps, ''), 'None: all rows, values and categories were used.') as reason
    from fitted
    {%- if segql.feature_bins(model, version) %}
    union all
    select
        'drift' as kind,
        'psi of ' || name as name,
        round(psi, 6) as value,
        cast({{ largest_drift }} as double) as bound,
        psi < {{ largest_drift }} as is_met,
        'Population stability index against the customers of the fit.' as reason
    from (
        {{ segql.drift(model, features, id) | indent(8) }}
    ) as drifted
    {%- endif %}

)

select * from checks
{%- endmacro %}
