{#-
    What segql.response_curves needs of each segment, from the mart segment_value, the order values
    of segment_summary, the relation of segql.segment_assumptions and that of
    segql.campaign_uplift; with floor_spend and cap_spend in money. A measured uplift replaces an
    assumed one. Where the past says nothing, the probability to buy is the assumed one and the
    order value that of the segment so far, or of all; value_basis says so.
-#}
{% macro budget_inputs(values, summary, assumptions, uplifts, budget) -%}
with

totals as (

    select
        cast(sum({{ segql.exact_amount('revenue') }}) as double) / nullif(sum(orders), 0)
            as average_order_value
    from {{ summary }}

)

select
    value.segment_key,
    value.customers,
    coalesce(value.probability_to_buy, assumed.probability_to_buy) as probability_to_buy,
    coalesce(
        value.average_order_value, summary.average_order_value, totals.average_order_value, 0
    ) as average_order_value,
    case
        when value.probability_to_buy is null then assumed.probability_to_buy_basis
        else value.basis
    end as value_basis,
    assumed.saturation,
    {%- for suffix in ['', '_low', '_high'] %}
    assumed.margin{{ suffix }},
    assumed.contact_cost{{ suffix }},
    assumed.offer_cost{{ suffix }},
    coalesce(measured.uplift{{ suffix }}, assumed.uplift{{ suffix }}) as uplift{{ suffix }},
    {%- endfor %}
    case
        when measured.segment_key is null then assumed.uplift_basis
        else 'measured'
    end as uplift_basis,
    assumed.floor_share * {{ budget }} as floor_spend,
    least(
        assumed.cap_share * {{ budget }},
        coalesce(assumed.cap_per_customer * value.customers, {{ budget }})
    ) as cap_spend
from {{ values }} as value
inner join {{ summary }} as summary
    on value.segment_key = summary.segment_key
inner join {{ assumptions }} as assumed
    on value.segment_key = assumed.segment_key
left join {{ uplifts }} as measured
    on value.segment_key = measured.segment_key
cross join totals
{%- endmacro %}
