{#-
    Splits a budget between segments so that the last unit of money brings the same everywhere:
    one row per segment with spend (to the cent, summing to the budget), optimal_spend (before
    cents), floor, cap, binding, marginal_return (gross margin of the next unit of money at the
    optimal spend) and uniform_spend (the same for each segment, as far as the bounds allow).

    Spending x on a segment brings gain * (1 - exp(-x / scale)), columns of segments; the split
    maximises the sum of it under the floors and caps, columns too (none: 0 and the budget; an
    empty value likewise; floors are rounded down and caps up to the cent). The gain is concave, so
    at the optimum the marginal return gain / scale * exp(-x / scale) is one number lambda for all
    who are at no bound, and x = scale * (ln(gain / scale) - ln(lambda)) is piecewise linear in
    ln(lambda): segql.filled_to_level solves it exactly.

    binding is floor, cap, none, or forced: a segment that can gain nothing gets its floor only,
    unless the caps of all others leave money over, which is then divided as the uniform split
    would.

    {{ segql.budget_allocation(ref('my_curves'), 10000, floor='at_least', cap='at_most') }}
-#}
{% macro budget_allocation(
    segments,
    budget,
    segment='segment_key',
    gain='attainable_gain',
    scale='response_scale',
    floor=none,
    cap=none
) -%}
    {%- set macro = 'budget_allocation' -%}
    {%- if execute -%}
        {%- do segql.number_option(
            macro, 'budget', budget, lowest=0.01, whole=false, highest=1000000000000) -%}
    {%- endif -%}
    {%- do segql.check_columns(macro, segments, {
        'segment': segment, 'gain': gain, 'scale': scale, 'floor': floor, 'cap': cap,
    }, {'gain': 'number', 'scale': 'number', 'floor': 'number', 'cap': 'number'}) -%}
    {{ return(adapter.dispatch('budget_allocation', 'segql')(
        segments, budget, segment, gain, scale, floor, cap)) }}
{%- endmacro %}

{% macro default__budget_allocation(segments, budget, segment, gain, scale, floor, cap) -%}
    {%- set total = 'cast(' ~ budget ~ ' as decimal(18, 2))' -%}
    {%- set floor = '0' if floor is none else 'coalesce(' ~ segql.quote_identifier(floor) ~ ', 0)' -%}
    {%- set cap = 'null' if cap is none else segql.quote_identifier(cap) -%}
with

asked as (

    select
        {{ segql.segment_key(segql.quote_identifier(segment)) }} as segment_key,
        cast({{ segql.quote_identifier(gain) }} as double) as gain,
        cast({{ segql.quote_identifier(scale) }} as double) as scale,
        cast({{ floor }} as double) as floor,
        cast({{ cap }} as double) as cap
    from {{ segments }}

),

{{ segql.budget_faults(total) }},

bounded as (

    select
        asked.segment_key,
        asked.gain,
        asked.scale,
        floor(round(asked.floor * 100, 4)) / 100 as lowest,
        least(coalesce(ceil(round(asked.cap * 100, 4)) / 100, {{ total }}), {{ total }}) as highest
    from asked
    cross join checked
    where checked.is_fine

),

returns as (

    select
        *,
        case when gain > 0 then ln(gain) - ln(scale) end as log_return
    from bounded

),

curves as (

    select
        segment_key,
        scale as slope,
        lowest,
        highest,
        -- Counted from the best first return: levels then stay small.
        scale * (log_return - max(log_return) over ()) as intercept
    from returns

),

even as (

    select
        segment_key,
        1e0 as slope,
        lowest,
        highest,
        0e0 as intercept
    from bounded

),

{{ segql.filled_to_level('best', 'curves', total) }},

{{ segql.filled_to_level('uniform', 'even', total) }},

-- What is left when all who can gain are at their caps.
left_over as (

    select
        {{ total }} - sum(cast(case when gain > 0 then highest else lowest end as decimal(38, 2)))
            as amount
    from bounded

),

rooms as (

    select
        bounded.segment_key,
        uniform.amount - bounded.lowest as room,
        cast(sum(cast(uniform.amount - bounded.lowest as decimal(38, 12))) over () as double)
            as all_rooms
    from bounded
    inner join uniform
        on bounded.segment_key = uniform.segment_key
    where bounded.gain <= 0

),

chosen as (

    select
        returns.segment_key,
        returns.gain,
        returns.scale,
        returns.lowest,
        returns.highest,
        returns.log_return,
        uniform.amount as uniform_spend,
        case
            when rooms.room > 0 and left_over.amount > 0 then 'forced'
            else best.binding
        end as binding,
        case
            when rooms.room > 0 and left_over.amount > 0
                then
                    least(
                        returns.highest,
                        returns.lowest + rooms.room * left_over.amount / rooms.all_rooms
                    )
            else best.amount
        end as optimal_spend
    from returns
    inner join best
        on returns.segment_key = best.segment_key
    inner join uniform
        on returns.segment_key = uniform.segment_key
    left join rooms
        on returns.segment_key = rooms.segment_key
    cross join left_over

),

-- Cents by largest remainder: what is left of them goes to those that lost most.
whole_cents as (

    select
        *,
        cast(floor(round(optimal_spend * 100, 4)) as bigint) as cents,
        optimal_spend * 100 - floor(round(optimal_spend * 100, 4)) as remainder
    from chosen

),

placed as (

    select
        *,
        cast({{ total }} * 100 as bigint) - sum(cents) over () as cents_left,
        row_number() over (order by round(remainder, 4) desc, segment_key) as place
    from whole_cents

)

select
    segment_key,
    cast(
        (cents + case when place <= cents_left then 1 else 0 end) / cast(100 as decimal(18, 2))
        as decimal(18, 2)
    ) as spend,
    optimal_spend,
    lowest as floor,
    highest as cap,
    binding,
    case
        when gain > 0 then exp(log_return - optimal_spend / scale)
        else gain / scale * exp(-optimal_spend / scale)
    end as marginal_return,
    uniform_spend
from placed
{%- endmacro %}
