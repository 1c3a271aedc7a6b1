{#-
    The rows of segql.budget_allocation with what they bring on the curves of
    segql.response_curves: incremental profit at the optimal and the uniform spend, return on
    investment, and worthwhile_spend, at which the last unit of money just comes back.
-#}
{% macro budget_profits(allocation, curves) -%}
select
    allocation.*,
    curves.break_even_uplift,
    greatest(
        allocation.floor,
        least(
            allocation.cap,
            case
                when curves.attainable_gain > curves.response_scale
                    then
                        curves.response_scale
                        * ln(curves.attainable_gain / curves.response_scale)
                else 0
            end
        )
    ) as worthwhile_spend,
    {%- for suffix in ['_low', '', '_high'] %}
    {{ segql.response_profit(
        'curves.attainable_gain' ~ suffix, 'curves.response_scale' ~ suffix,
        'allocation.optimal_spend') }} as incremental_profit{{ suffix }},
    {%- endfor %}
    ({{ segql.response_profit(
        'curves.attainable_gain', 'curves.response_scale', 'allocation.optimal_spend') }})
    / nullif(allocation.optimal_spend, 0) as roi,
    {{ segql.response_profit(
        'curves.attainable_gain', 'curves.response_scale', 'allocation.uniform_spend') }}
        as uniform_profit
from {{ allocation }} as allocation
inner join {{ curves }} as curves
    on allocation.segment_key = curves.segment_key
{%- endmacro %}
