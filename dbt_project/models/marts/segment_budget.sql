{%- if execute -%}
    {%- do segql.number_option(
        'segment_budget', 'marketing_budget', var('marketing_budget'),
        lowest=0.01, whole=false, highest=1000000000000) -%}
{%- endif -%}
with

segment_value as (

    select * from {{ ref('segment_value') }}

),

segment_inputs as (

    {{ segql.budget_inputs(
        ref('segment_value'),
        ref('segment_summary'),
        ref('segment_assumptions'),
        ref('campaign_uplift'),
        var('marketing_budget')
    ) | indent(4) }}

),

response_curves as (

    {{ segql.response_curves('segment_inputs') | indent(4) }}

),

bounded_curves as (

    select
        response_curves.*,
        segment_inputs.floor_spend,
        segment_inputs.cap_spend
    from response_curves
    inner join segment_inputs
        on response_curves.segment_key = segment_inputs.segment_key

),

allocation as (

    {{ segql.budget_allocation(
        'bounded_curves',
        var('marketing_budget'),
        floor='floor_spend',
        cap='cap_spend'
    ) | indent(4) }}

),

profits as (

    {{ segql.budget_profits('allocation', 'response_curves') | indent(4) }}

)

select
    segment_value.segment_key,
    segment_value.segment_name,
    segment_value.customers,
    segment_inputs.probability_to_buy,
    segment_inputs.average_order_value,
    segment_inputs.margin,
    segment_inputs.uplift,
    segment_inputs.uplift_basis,
    segment_inputs.value_basis,
    profits.break_even_uplift,
    profits.spend,
    profits.optimal_spend,
    profits.floor,
    profits.cap,
    profits.binding,
    profits.marginal_return,
    profits.worthwhile_spend,
    profits.incremental_profit_low,
    profits.incremental_profit,
    profits.incremental_profit_high,
    profits.roi,
    profits.uniform_spend,
    profits.uniform_profit,
    segment_value.trust
from segment_value
inner join segment_inputs
    on segment_value.segment_key = segment_inputs.segment_key
inner join profits
    on segment_value.segment_key = profits.segment_key
order by profits.spend desc, segment_value.segment_key asc
