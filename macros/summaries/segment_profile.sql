{#-
    What sets each segment apart: one row per segment and numeric column of the features, with
    the mean, the index (100 = all customers) and the z-score of the segment. segment is any
    column of segments, a relation with the same id, or of the features when segments is none.
-#}
{% macro segment_profile(
    features, segments=none, id='customer_id', columns=none, segment='segment_key'
) -%}
    {{ return(adapter.dispatch('segment_profile', 'segql')(
        features, segments, id, columns, segment)) }}
{%- endmacro %}

{% macro default__segment_profile(features, segments, id, columns, segment) -%}
    {%- set macro = 'segment_profile' -%}
    {%- do segql.check_columns(macro, features, {'id': none if segments is none else id}) -%}
    {%- for column in columns or [] -%}
        {%- do segql.check_columns(macro, features, {'columns': column}) -%}
    {%- endfor -%}
    {%- do segql.check_columns(
        macro, features if segments is none else segments, {'segment': segment}) -%}
    {%- set wanted = (columns or []) | map('lower') | list -%}
    {%- set numeric = [] -%}
    {%- for column in segql.relation_columns(features, except=[id | lower, segment | lower]) -%}
        {%- if column.kind in ['number', 'boolean']
            and (not wanted or column.name | lower in wanted) -%}
            {%- do numeric.append(column) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set place = 'features' if segments is none else 'segments' -%}
    {%- set key = place ~ '.' ~ segql.quote_identifier(segment) -%}
    {%- if not numeric -%}
        {{ return(segql.empty_profile()) }}
    {%- endif -%}
with

assigned as (

    select
        {{ segql.segment_key(key) }} as segment_key
        {%- for column in numeric -%}
        {%- set value = 'features.' ~ segql.quote_identifier(column.name) -%}
        {%- if column.kind == 'boolean' -%}
            {%- set value = 'cast(' ~ value ~ ' as integer)' -%}
        {%- endif %},
        case when {{ segql.is_finite(value) }} then cast({{ value }} as double) end
            as value_{{ loop.index }}
        {%- endfor %}
    from {{ features }} as features
    {%- if segments is not none %}
    inner join {{ segments }} as segments
        on features.{{ segql.quote_identifier(id) }} = segments.{{ segql.quote_identifier(id) }}
    {%- endif %}

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

profiled as (
    {% for column in numeric %}
    {%- set number = loop.index %}
    select
        by_segment.segment_key,
        {{ segql.string_literal(column.name) }} as feature,
        {{ number }} as feature_position,
        by_segment.customers_{{ number }} as customers,
        by_segment.mean_{{ number }} as mean,
        overall.mean_{{ number }} as overall_mean,
        spread.deviation_{{ number }} as overall_deviation
    from by_segment
    cross join overall
    cross join spread
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    segment_key,
    feature,
    feature_position,
    customers,
    mean,
    overall_mean,
    case when overall_mean > 0 then 100 * mean / overall_mean end as index_100,
    (mean - overall_mean) / nullif(overall_deviation, 0) as z_score
from profiled
{%- endmacro %}
