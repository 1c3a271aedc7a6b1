{#-
    CTEs ending in {name}: one row per segment with the amount that it takes when all are filled to
    the same level, so that the amounts sum to total. At a level a segment takes
    intercept + slope * level, not less than lowest and not more than highest; without an intercept
    it takes lowest. binding says which bound holds: floor, cap or none.

    All amounts together are piecewise linear in the level, so that the total is looked up between
    the levels at which somebody reaches a bound: exact, without iterating. Where the bounds allow
    less than total, all are at their highest.
-#}
{% macro filled_to_level(name, relation, total) -%}
    {#- Engines differ in what greatest and least do with NULL. -#}
    {%- set at = 'case when intercept is null then lowest'
        ~ ' else greatest(lowest, least(highest, intercept + slope * level)) end' -%}
{{ name }}_steps as (

    select (lowest - intercept) / slope as level
    from {{ relation }}
    where intercept is not null
    union
    select (highest - intercept) / slope as level
    from {{ relation }}
    where intercept is not null

),

{{ name }}_totals as (

    select
        {{ name }}_steps.level,
        sum(cast({{ at }} as decimal(38, 12))) as total
    from {{ name }}_steps
    cross join {{ relation }}
    group by {{ name }}_steps.level

),

{{ name }}_around as (

    select
        max(case when total <= {{ total }} then level end) as below,
        min(case when total > {{ total }} then level end) as above,
        cast(max(case when total <= {{ total }} then total end) as double) as total_below,
        cast(min(case when total > {{ total }} then total end) as double) as total_above
    from {{ name }}_totals

),

{{ name }}_level as (

    select
        case
            when above is null then below
            when below is null then above
            else
                below + ({{ total }} - total_below) * (above - below) / (total_above - total_below)
        end as level
    from {{ name }}_around

),

{{ name }}_first as (

    select
        segment_key,
        slope,
        lowest,
        highest,
        {{ at }} as amount,
        case
            when intercept is null or intercept + slope * level <= lowest then 'floor'
            when intercept + slope * level >= highest then 'cap'
            else 'none'
        end as binding,
        case when intercept is null then lowest else highest end as most
    from {{ relation }}
    cross join {{ name }}_level

),

-- What rounding has left goes to those at no bound, so that all stay at one level.
{{ name }}_weights as (

    select
        segment_key,
        case when binding = 'none' then slope / max(slope) over (partition by binding) else 0 end
            as weight
    from {{ name }}_first

),

{{ name }}_rest as (

    select
        least({{ total }}, sum(cast({{ name }}_first.most as decimal(38, 12))))
        - sum(cast({{ name }}_first.amount as decimal(38, 12))) as rest,
        nullif(cast(sum(cast({{ name }}_weights.weight as decimal(38, 18))) as double), 0) as weight
    from {{ name }}_first
    inner join {{ name }}_weights
        on {{ name }}_first.segment_key = {{ name }}_weights.segment_key

),

{{ name }} as (

    select
        {{ name }}_first.segment_key,
        {{ name }}_first.binding,
        greatest(
            {{ name }}_first.lowest,
            least(
                {{ name }}_first.highest,
                {{ name }}_first.amount
                + coalesce(
                    {{ name }}_weights.weight * {{ name }}_rest.rest / {{ name }}_rest.weight, 0
                )
            )
        ) as amount
    from {{ name }}_first
    inner join {{ name }}_weights
        on {{ name }}_first.segment_key = {{ name }}_weights.segment_key
    cross join {{ name }}_rest

)
{%- endmacro %}
