{#-
    The stored cut points as people read them: one row per version, dimension and score, with the
    values above which (from_value) and up to which (to_value) the score is given.
-#}
{% macro rfm_cut_points(cuts) -%}
with

cuts as (

    select * from {{ cuts }}

),

newest as (

    select max(version) as version from cuts

),

ranges as (
    {% for group in range(1, 6) %}
    select
        version,
        dimension,
        case when dimension = 'recency' then {{ 6 - group }} else {{ group }} end as score,
        {{ 'cast(null as double)' if group == 1 else 'cut_' ~ (group - 1) }} as from_value,
        {{ 'cast(null as double)' if group == 5 else 'cut_' ~ group }} as to_value,
        method,
        as_of_date,
        customers
    from cuts
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    ranges.version,
    ranges.version = newest.version as is_current,
    ranges.dimension,
    cast(ranges.score as integer) as score,
    ranges.from_value,
    ranges.to_value,
    ranges.method,
    ranges.as_of_date,
    ranges.customers
from ranges
cross join newest
{%- endmacro %}
