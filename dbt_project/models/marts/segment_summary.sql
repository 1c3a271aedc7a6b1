with

summary as (

    {{ segql.segment_summary(
        ref('customer_segments'),
        ref('customer_features'),
        name='segment_name'
    ) | indent(4) }}

)

select
    segment_key,
    segment_name,
    customers,
    share,
    orders,
    revenue,
    revenue_share,
    average_order_value,
    days_since_last_order
from summary
order by customers desc, segment_key asc
