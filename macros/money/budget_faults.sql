{#- CTEs ending in checked, one row; fails the query on curves or bounds that cannot be meant. -#}
{% macro budget_faults(total) -%}
    {%- set macro = 'budget_allocation: ' -%}
sums as (

    select
        sum(cast(floor(round(floor * 100, 4)) / 100 as decimal(38, 2))) as floors,
        sum(
            cast(
                least(coalesce(ceil(round(cap * 100, 4)) / 100, {{ total }}), {{ total }})
                as decimal(38, 2)
            )
        ) as caps
    from asked
    where floor between 0 and 1e15 and coalesce(cap, 0) >= 0

),

faults as (

    select
        1 as place,
        'segment ' || segment_key || ' stands in ' || count(*) || ' rows; accepted is one' as fault
    from asked
    group by segment_key
    having count(*) > 1
    union all
    select
        2 as place,
        'segment ' || segment_key || ' has gain ' || coalesce(cast(gain as string), 'nothing')
        || ' and scale ' || coalesce(cast(scale as string), 'nothing')
        || '; accepted are a number and a number above 0' as fault
    from asked
    where
        not coalesce({{ segql.is_finite('gain') }}, false)
        or not coalesce({{ segql.is_finite('scale') }} and scale > 0, false)
    union all
    select
        3 as place,
        'segment ' || segment_key || ' has floor ' || floor || coalesce(' and cap ' || cap, '')
        || '; accepted are amounts from 0, the floor not above the cap' as fault
    from asked
    where not (floor >= 0 and floor <= coalesce(cap, floor) and {{ segql.is_finite('floor') }})
    union all
    select
        4 as place,
        'the floors sum to ' || floors || ', above the budget of ' || {{ total }} as fault
    from sums
    where floors > {{ total }}
    union all
    select
        5 as place,
        'the caps sum to ' || caps || ', below the budget of ' || {{ total }} as fault
    from sums
    where caps < {{ total }}

),

first_fault as (

    select
        fault,
        row_number() over (order by place, fault) as place
    from faults

),

checked as (

    select
        case
            when max(fault) is not null
                then {{ segql.raise_in_query("'" ~ macro ~ "' || max(fault)") }}
            else true
        end as is_fine
    from first_fault
    where place = 1

)
{%- endmacro %}
