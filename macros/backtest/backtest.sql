{#-
    How much segments of a past date say about the spend of the period after it. One row for each
    entry of `segmentations`, a mapping of names to segment columns of `outcomes`, a relation of one
    row per customer with what they spent before (`past_revenue`) and after (`revenue`):
    segmentation, place (its place in the mapping), customers, segments, next_revenue, and
    eta_squared          share of the variance of next-period revenue that lies between segments
    eta_squared_log      the same of ln(1 + revenue), which the largest customers decide less
    top_revenue_share    share of next-period revenue of the customers in the best segments, a fifth
                         of all (`top_share`); the best are those with the highest mean past revenue,
                         and the segment at the border counts in proportion
    lift                 that share over top_share; 1 is what blind segments give
    gini                 Gini coefficient of next-period revenue when each customer has the mean of
                         their segment: at most customer_gini, that of the customers themselves
    Revenue below 0 (returns) counts as 0 in eta_squared_log and the two Gini coefficients.

    {{ segql.backtest(ref('outcomes'), {'ours': 'segment_key', 'rfm': 'rfm_segment'}) }}
-#}
{% macro backtest(
    outcomes,
    segmentations={'segments': 'segment_key'},
    revenue='next_revenue',
    past_revenue='monetary',
    top_share=0.2
) -%}
    {%- set macro = 'backtest' -%}
    {%- do segql.check_segmentations(macro, segmentations) -%}
    {%- do segql.number_option(macro, 'top_share', top_share, whole=false, highest=1) -%}
    {%- do segql.check_columns(
        macro, outcomes, {'revenue': revenue, 'past_revenue': past_revenue},
        kinds={'revenue': 'number', 'past_revenue': 'number'}
    ) -%}
    {%- do segql.check_columns(macro, outcomes, segmentations) -%}
    {{ return(adapter.dispatch('backtest', 'segql')(
        outcomes, segmentations, revenue, past_revenue, top_share)) }}
{%- endmacro %}

{% macro default__backtest(outcomes, segmentations, revenue, past_revenue, top_share) -%}
{%- set running = 'rows between unbounded preceding and 1 preceding' -%}
with

outcomes as (

    select
        {%- for column in segmentations.values() %}
        {{ segql.segment_key(segql.quote_identifier(column)) }} as segment_{{ loop.index }},
        {%- endfor %}
        coalesce({{ segql.exact_amount(segql.quote_identifier(past_revenue)) }}, 0) as past_revenue,
        coalesce({{ segql.exact_amount(segql.quote_identifier(revenue)) }}, 0) as revenue,
        greatest(coalesce({{ segql.exact_amount(segql.quote_identifier(revenue)) }}, 0), 0) as spent
    from {{ outcomes }}

),

logged as (

    select
        *,
        ln(1 + cast(spent as double)) as log_spent,
        row_number() over (order by spent) as spent_place
    from outcomes

),

bounds as (

    select
        max(log_spent) as log_spent,
        max(cast(spent as double)) * count(*) as weighed_spent
    from logged

),

totals as (

    select
        count(*) as customers,
        cast(sum(logged.revenue) as double) as revenue,
        cast(sum(logged.spent) as double) as spent,
        {{ segql.exact_sum('logged.log_spent', 'bounds.log_spent') }} as log_spent,
        {{ segql.exact_sum(
            '(2 * logged.spent_place - 1) * cast(logged.spent as double)', '2 * bounds.weighed_spent'
        ) }} as weighed_spent
    from logged
    cross join bounds

),

-- Deviations from the mean are squared, not the amounts: no digits are lost.
centred as (

    select
        logged.*,
        power(cast(logged.revenue as double) - totals.revenue / totals.customers, 2) as square,
        power(logged.log_spent - totals.log_spent / totals.customers, 2) as log_square
    from logged
    cross join totals

),

square_bounds as (

    select
        max(square) as square,
        max(log_square) as log_square
    from centred

),

squares as (

    select
        {{ segql.exact_sum('centred.square', 'square_bounds.square') }} as square,
        {{ segql.exact_sum('centred.log_square', 'square_bounds.log_square') }} as log_square
    from centred
    cross join square_bounds

),

grouped as (
    {% for name in segmentations %}
    select
        {{ segql.string_literal(name) }} as segmentation,
        logged.segment_{{ loop.index }} as segment_key,
        count(*) as customers,
        cast(sum(logged.past_revenue) as double) / count(*) as past_mean,
        cast(sum(logged.revenue) as double) as revenue,
        cast(sum(logged.spent) as double) as spent,
        {{ segql.exact_sum('logged.log_spent', 'bounds.log_spent') }} as log_spent
    from logged
    cross join bounds
    group by logged.segment_{{ loop.index }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

ranked as (

    select
        grouped.*,
        grouped.customers
        * power(grouped.revenue / grouped.customers - totals.revenue / totals.customers, 2)
            as square,
        grouped.customers
        * power(grouped.log_spent / grouped.customers - totals.log_spent / totals.customers, 2)
            as log_square,
        least(
            greatest(
                {{ top_share }} * totals.customers - coalesce(sum(grouped.customers) over (
                    partition by grouped.segmentation
                    order by grouped.past_mean desc, grouped.segment_key
                    {{ running }}
                ), 0),
                0
            ) / grouped.customers,
            1
        ) * grouped.revenue as top_revenue,
        grouped.customers * (
            2 * coalesce(sum(grouped.spent) over (
                partition by grouped.segmentation
                order by grouped.spent / grouped.customers, grouped.segment_key
                {{ running }}
            ), 0) + grouped.spent
        ) as area
    from grouped
    cross join totals

),

bounded as (

    select
        *,
        max(square) over (partition by segmentation) as square_bound,
        max(log_square) over (partition by segmentation) as log_square_bound,
        max(abs(top_revenue)) over (partition by segmentation) as top_bound,
        max(area) over (partition by segmentation) as area_bound
    from ranked

),

measured as (

    select
        segmentation,
        count(*) as segments,
        {{ segql.exact_sum('square', 'square_bound') }} as square,
        {{ segql.exact_sum('log_square', 'log_square_bound') }} as log_square,
        {{ segql.exact_sum('top_revenue', 'top_bound') }} as top_revenue,
        {{ segql.exact_sum('area', 'area_bound') }} as area
    from bounded
    group by segmentation

),

names as (
    {% for name in segmentations %}
    select
        {{ segql.string_literal(name) }} as segmentation,
        {{ loop.index }} as place
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    names.segmentation,
    names.place,
    cast(totals.customers as bigint) as customers,
    cast(measured.segments as integer) as segments,
    totals.revenue as next_revenue,
    round(measured.square / nullif(squares.square, 0), 9) as eta_squared,
    round(measured.log_square / nullif(squares.log_square, 0), 9) as eta_squared_log,
    case when totals.revenue > 0 then round(measured.top_revenue / totals.revenue, 9) end
        as top_revenue_share,
    case
        when totals.revenue > 0
            then round(measured.top_revenue / totals.revenue / nullif({{ top_share }}, 0), 9)
    end as lift,
    case
        when totals.spent > 0
            then abs(round(1 - measured.area / (totals.customers * totals.spent), 9))
    end as gini,
    round(totals.weighed_spent / nullif(totals.customers * totals.spent, 0) - 1, 9)
        as customer_gini
from names
cross join totals
cross join squares
left join measured
    on names.segmentation = measured.segmentation
{%- endmacro %}
