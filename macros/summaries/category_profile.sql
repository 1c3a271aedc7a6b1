{#-
    The mix of the columns of text by segment: one row per segment, column and level, with the
    share of the segment's customers in mean and everybody's in overall_mean. A column has at most
    `max_levels` levels, the most frequent; rarer ones, and those of fewer than `min_customers`
    customers, are "other": a mix must not show a single person. No value is "missing".
-#}
{% macro category_profile(
    features, segments, id, categories, segment_key, max_levels, min_customers
) -%}
with

assigned as (

    select
        {{ segment_key }} as segment_key
        {%- for column in categories %},
        coalesce(cast(features.{{ segql.quote_identifier(column.name) }} as string), 'missing')
            as level_{{ loop.index }}
        {%- endfor %}
    {{ segql.features_of_segments(features, segments, id) }}

),

sizes as (

    select
        segment_key,
        count(*) as customers
    from assigned
    group by segment_key

),

everybody as (

    select sum(customers) as customers
    from sizes

),

{% set rows = [] -%}
{%- for column in categories -%}
    {%- do rows.append({
        'feature_position': column.position, 'level': 'level_' ~ loop.index,
    }) -%}
{%- endfor -%}
leveled as (
    {{ segql.stacked_rows('assigned', ['segment_key'], rows) }}

),

found as (

    select
        segment_key,
        feature_position,
        level,
        count(*) as customers
    from leveled
    group by segment_key, feature_position, level

),

frequencies as (

    select
        feature_position,
        level,
        sum(customers) as customers
    from found
    group by feature_position, level

),

ranked as (

    select
        feature_position,
        level,
        customers,
        row_number() over (
            partition by feature_position
            order by customers desc, level
        ) as place
    from frequencies

),

shown as (

    select
        feature_position,
        level,
        case
            when place <= {{ max_levels }} and customers >= {{ min_customers }} then level
            else 'other'
        end as shown_level
    from ranked

),

levels as (

    select
        shown.feature_position,
        shown.shown_level as level,
        cast(sum(frequencies.customers) as double) / max(everybody.customers) as share
    from shown
    inner join frequencies
        on shown.feature_position = frequencies.feature_position and shown.level = frequencies.level
    cross join everybody
    group by shown.feature_position, shown.shown_level

),

members as (

    select
        found.segment_key,
        found.feature_position,
        shown.shown_level as level,
        sum(found.customers) as customers
    from found
    inner join shown
        on found.feature_position = shown.feature_position and found.level = shown.level
    group by found.segment_key, found.feature_position, shown.shown_level

)

select
    sizes.segment_key,
    case levels.feature_position
        {%- for column in categories %}
        when {{ column.position }} then {{ segql.string_literal(column.name) }}
        {%- endfor %}
    end as feature,
    levels.level,
    levels.feature_position,
    sizes.customers,
    coalesce(cast(members.customers as double) / sizes.customers, 0) as mean,
    levels.share as overall_mean,
    sqrt(levels.share * (1 - levels.share)) as overall_deviation
from sizes
cross join levels
left join members
    on
        sizes.segment_key = members.segment_key
        and levels.feature_position = members.feature_position
        and levels.level = members.level
{%- endmacro %}
