with

past_as_of as (

    select * from {{ ref('past_as_of') }}

),

rfm_segments as (

    {{ segql.rfm_segment(ref('rfm_scores'), rfm_map_var()) | indent(4) }}

),

customers as (

    select
        segments.customer_id,
        segments.segment_key,
        coalesce(rfm_segments.rfm_segment, 'prospect') as rfm_segment
    from {{ ref('all_customer_segments') }} as segments
    left join rfm_segments
        on segments.customer_id = rfm_segments.customer_id

),

past_customers as (

    select
        customer_id,
        segment_key,
        rfm_segment
    from {{ ref('past_customer_segments') }}
    where
        has_history
        -- Without a registration date, who came later and bought looks like a prospect of then.
        and (segment_key <> 'prospect' or {{ segql.has_source('customers', 'registered') | lower }})

),

expected as (

    {{ segql.customer_values(
        'customers',
        'past_customers',
        ref('next_period'),
        shrinkage=var('value_shrinkage')
    ) | indent(4) }}

)

select
    expected.customer_id,
    expected.segment_key,
    expected.rfm_segment,
    expected.expected_orders,
    expected.probability_to_buy,
    expected.expected_revenue,
    expected.revenue_error,
    expected.past_customers,
    expected.basis,
    past_as_of.horizon_days
from expected
cross join past_as_of
