{#-
    How far rows have moved from those that a frozen model learned: the population stability index
    of each feature over the bins stored at the fit, and of the shares of the segments. Below 0.1
    is little, above 0.25 much, as a rule of thumb. Empty cells are smoothed by half a row.

    One row per feature, and one for the segment shares: model_name, model_version, kind (feature
    or segments), name, psi.
-#}
{% macro drift(model, relation, id='customer_id') -%}
    {{ return(adapter.dispatch('drift', 'segql')(model, relation, id)) }}
{%- endmacro %}

{% macro default__drift(model, relation, id) -%}
    {%- if not execute -%}{{ return('select 1 as parsed') }}{%- endif -%}
    {%- set current = segql.current_model(model) -%}
    {%- if current is none -%}
        {%- do exceptions.raise_compiler_error("drift: there is no fitted model '" ~ model ~ "'") -%}
    {%- endif -%}
    {%- set version = current['model_version'] -%}
    {%- set bins = segql.feature_bins(model, version) -%}
    {%- if not bins -%}
        {%- do exceptions.raise_compiler_error(
            "drift: version " ~ version ~ " of model '" ~ model ~ "' was fitted before its bins"
            ~ ' were stored; refit it with --full-refresh'
        ) -%}
    {%- endif -%}
with

input_rows as (

    select * from {{ relation }} as segql_rows

),

counted as (

    select
        count(*) as input_rows
        {%- for bin in bins %},
        count(case when {{ segql.bin_condition(bin) }} then 1 end) as bin_{{ loop.index }}
        {%- endfor %}
    from input_rows

),

scored as (

    {{ segql.predict(model, relation, id) | indent(4) }}

),

compared as (
    {% for bin in bins %}
    select
        'feature' as kind,
        {{ segql.string_literal(bin.feature) }} as name,
        cast({{ bin.share }} as double) as expected,
        cast(bin_{{ loop.index }} as double) as actual
    from counted
    union all
    {%- endfor %}
    select
        'segments' as kind,
        'segment shares' as name,
        expected_segments.share as expected,
        cast(count(scored.segment_id) as double) as actual
    from segql.segments as expected_segments
    left join scored
        on expected_segments.segment_id = scored.segment_id
    where
        expected_segments.model_name = {{ segql.string_literal(model) }}
        and expected_segments.model_version = {{ version }}
    group by expected_segments.segment_id, expected_segments.share

),

smoothed as (

    select
        compared.kind,
        compared.name,
        (compared.expected * models.row_count + 0.5e0)
        / (models.row_count + 0.5e0 * count(*) over cells) as expected,
        (compared.actual + 0.5e0)
        / (sum(compared.actual) over cells + 0.5e0 * count(*) over cells) as actual
    from compared
    inner join segql.models as models
        on
            models.model_name = {{ segql.string_literal(model) }}
            and models.model_version = {{ version }}
    window cells as (partition by compared.kind, compared.name)

)

select
    {{ segql.string_literal(model) }} as model_name,
    {{ version }} as model_version,
    kind,
    name,
    sum((actual - expected) * ln(actual / expected)) as psi
from smoothed
group by kind, name
{%- endmacro %}
