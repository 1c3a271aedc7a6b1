{#-
    The means of numeric columns by segment, and of all customers with their standard deviation;
    one row per segment and column. Booleans count as 0 and 1.
-#}
{% macro numeric_profile(features, segments, id, numeric, segment_key) -%}
with

assigned as (

    select
        {{ segment_key }} as segment_key
        {%- for column in numeric -%}
        {%- set value = 'features.' ~ segql.quote_identifier(column.name) -%}
        {%- if column.kind == 'boolean' -%}
            {%- set value = 'cast(' ~ value ~ ' as integer)' -%}
        {%- endif %},
        case when {{ segql.is_finite(value) }} then cast({{ value }} as double) end
            as value_{{ loop.index }}
        {%- endfor %}
    {{ segql.features_of_segments(features, segments, id) }}

),

largest as (

    select
        {%- for column in numeric %}
        max(abs(value_{{ loop.index }})) as largest_{{ loop.index }}{{ ',' if not loop.last }}
        {%- endfor %}
    from assigned

),

overall as (

    select
        {%- for column in numeric %}
        {%- set number = loop.index %}
        {{ segql.exact_sum('value_' ~ number, 'largest_' ~ number) }}
        / nullif(count(value_{{ number }}), 0) as mean_{{ number }},
        count(value_{{ number }}) as customers_{{ number }}{{ ',' if not loop.last }}
        {%- endfor %}
    from assigned
    cross join largest

),

deviations as (

    select
        {%- for column in numeric %}
        max(abs(assigned.value_{{ loop.index }} - overall.mean_{{ loop.index }}))
            as largest_{{ loop.index }}{{ ',' if not loop.last }}
        {%- endfor %}
    from assigned
    cross join overall

),

spread as (

    select
        {%- for column in numeric %}
        {%- set number = loop.index %}
        {%- set deviation -%}
            (assigned.value_{{ number }} - overall.mean_{{ number }})
        {%- endset %}
        sqrt(
            {{ segql.exact_sum(
                deviation ~ ' * ' ~ deviation,
                '(deviations.largest_' ~ number ~ ' * deviations.largest_' ~ number ~ ')'
            ) }} / nullif(count(assigned.value_{{ number }}), 0)
        ) as deviation_{{ number }}{{ ',' if not loop.last }}
        {%- endfor %}
    from assigned
    cross join overall
    cross join deviations

),

by_segment as (

    select
        assigned.segment_key
        {%- for column in numeric %}
        {%- set number = loop.index %},
        {{ segql.exact_sum(
            'assigned.value_' ~ number, 'largest.largest_' ~ number
        ) }} / nullif(count(assigned.value_{{ number }}), 0) as mean_{{ number }},
        count(assigned.value_{{ number }}) as customers_{{ number }}
        {%- endfor %}
    from assigned
    cross join largest
    group by assigned.segment_key

),

-- One row a segment, which the next CTE turns into one a column.
measured as (

    select
        by_segment.segment_key
        {%- for column in numeric %},
        by_segment.customers_{{ loop.index }},
        by_segment.mean_{{ loop.index }},
        overall.mean_{{ loop.index }} as overall_mean_{{ loop.index }},
        spread.deviation_{{ loop.index }}
        {%- endfor %}
    from by_segment
    cross join overall
    cross join spread

),

{% set rows = [] -%}
{%- for column in numeric -%}
    {%- do rows.append({
        'feature': segql.string_literal(column.name),
        'feature_position': column.position,
        'customers': 'customers_' ~ loop.index,
        'mean': 'mean_' ~ loop.index,
        'overall_mean': 'overall_mean_' ~ loop.index,
        'overall_deviation': 'deviation_' ~ loop.index,
    }) -%}
{%- endfor -%}
profiled as (
    {{ segql.stacked_rows('measured', ['segment_key'], rows) }}

)

select
    segment_key,
    feature,
    cast(null as string) as level,
    feature_position,
    customers,
    mean,
    overall_mean,
    overall_deviation
from profiled
{%- endmacro %}
