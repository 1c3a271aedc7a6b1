{#-
    The cut points of one version: given in vars, or learned as the 20, 40, 60 and 80 % quantiles.
    Where many customers share one frequency, its quantiles coincide and the cuts 1, 2, 3, 5 (one,
    two, three, 4-5, 6+) are taken.
-#}
{% macro learned_rfm_cuts(features, version=1) -%}
    {{ return(adapter.dispatch('learned_rfm_cuts', 'segql')(features, version)) }}
{%- endmacro %}

{% macro default__learned_rfm_cuts(features, version) -%}
    {%- set names = segql.relation_columns(features) | map(attribute='name') | map('lower') | list -%}
    {%- set dated = not names or 'as_of_date' in names -%}
    {%- do segql.check_columns('rfm_cuts', features, {
        'recency': 'recency', 'frequency': 'frequency', 'monetary': 'monetary'
    }) -%}
    {%- set given_cuts = segql.given_cuts() -%}
with

features as (

    select * from {{ features }}

)

{%- for dimension in ['recency', 'frequency', 'monetary'] -%}
{%- set given = given_cuts[dimension] %},

{{ dimension }}_quantiles as (

    select
        '{{ dimension }}' as dimension,
        {%- for share in [0.2, 0.4, 0.6, 0.8] %}
        cast({{ segql.quantile_cut(dimension, share) }} as double) as quantile_{{ loop.index }},
        {%- endfor %}
        min({{ dimension }}) as lowest,
        {{ 'max(as_of_date)' if dated else 'cast(null as date)' }} as as_of_date,
        count(*) as customers
    from features

),

{{ dimension }}_cuts as (

    select
        dimension,
        {%- if given %}
        {%- for cut in given %}
        cast({{ cut }} as double) as cut_{{ loop.index }},
        {%- endfor %}
        'given in vars' as method,
        {%- elif dimension == 'frequency' %}
        {%- set usable -%}
            quantile_1 > lowest and quantile_2 > quantile_1
            and quantile_3 > quantile_2 and quantile_4 > quantile_3
        {%- endset %}
        {%- for cut in [1, 2, 3, 5] %}
        case when {{ usable }} then quantile_{{ loop.index }} else {{ cut }} end
            as cut_{{ loop.index }},
        {%- endfor %}
        case when {{ usable }} then 'quantiles' else 'fixed: 1, 2, 3, 4-5, 6+' end as method,
        {%- else %}
        {%- for number in [1, 2, 3, 4] %}
        quantile_{{ number }} as cut_{{ number }},
        {%- endfor %}
        'quantiles' as method,
        {%- endif %}
        as_of_date,
        customers
    from {{ dimension }}_quantiles

)
{%- endfor %},

combined as (

    select * from recency_cuts
    union all
    select * from frequency_cuts
    union all
    select * from monetary_cuts

)

select
    cast({{ version }} as integer) as version,
    cast(dimension as string) as dimension,
    cast(cut_1 as double) as cut_1,
    cast(cut_2 as double) as cut_2,
    cast(cut_3 as double) as cut_3,
    cast(cut_4 as double) as cut_4,
    cast(method as string) as method,
    cast(as_of_date as date) as as_of_date,
    cast(customers as bigint) as customers
from combined
{%- endmacro %}
