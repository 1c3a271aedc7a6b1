with

order_line_reasons as (

    select * from {{ ref('order_line_reasons') }}

),

past_as_of as (

    select * from {{ ref('past_as_of') }}

),

purchases as (

    select
        order_line_reasons.customer_id,
        count(
            distinct case
                when order_line_reasons.reason = 'used' then order_line_reasons.order_id
            end
        ) as orders,
        sum(order_line_reasons.gross_amount) as gross_revenue,
        sum(order_line_reasons.net_amount) as revenue
    from order_line_reasons
    inner join past_as_of
        on
            order_line_reasons.ordered_on > past_as_of.as_of_date
            and order_line_reasons.ordered_on <= past_as_of.next_until
    where
        order_line_reasons.customer_id is not null
        and (order_line_reasons.reason = 'used' or order_line_reasons.net_amount <> 0)
    group by order_line_reasons.customer_id

)

select
    customer_id,
    orders,
    cast(gross_revenue as double) as gross_revenue,
    cast(revenue as double) as revenue
from purchases
