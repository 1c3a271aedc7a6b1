with

segment_summary as (

    select * from {{ ref('segment_summary') }}

),

segment_assumptions as (

    select * from {{ ref('segment_assumptions') }}

),

past_as_of as (

    select * from {{ ref('past_as_of') }}

),

segment_values as (

    {{ segql.segment_value(ref('customer_values')) | indent(4) }}

),

joined as (

    select
        segment_summary.segment_key,
        segment_summary.segment_name,
        segment_summary.customers,
        past_as_of.horizon_days,
        segment_values.probability_to_buy,
        segment_values.expected_orders,
        segment_values.average_order_value,
        segment_assumptions.margin,
        segment_assumptions.margin_basis,
        segment_values.expected_revenue,
        segment_values.expected_revenue_low,
        segment_values.expected_revenue_high,
        segment_values.expected_revenue * segment_assumptions.margin as expected_profit,
        segment_values.expected_revenue_low * segment_assumptions.margin_low as expected_profit_low,
        segment_values.expected_revenue_high * segment_assumptions.margin_high
            as expected_profit_high,
        segment_values.past_customers,
        segment_values.basis,
        segment_summary.trust
    from segment_summary
    inner join segment_values
        on segment_summary.segment_key = segment_values.segment_key
    inner join segment_assumptions
        on segment_summary.segment_key = segment_assumptions.segment_key
    cross join past_as_of

)

select * from joined
order by expected_revenue desc nulls last, segment_key asc
