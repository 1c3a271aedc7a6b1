{#-
    Recency, frequency, monetary and their companions, one row per customer with at least
    one used order line. Takes the relations of segql.order_line_reasons and segql.as_of.
-#}
{% macro rfm_features(order_line_reasons, as_of) -%}
with

order_lines as (

    select * from {{ order_line_reasons }}
    where customer_id is not null

),

as_of as (

    select * from {{ as_of }}

),

purchases as (

    select
        customer_id,
        min(ordered_on) as first_order_on,
        max(ordered_on) as last_order_on,
        count(distinct order_id) as frequency,
        count(distinct product_id) as distinct_products,
        sum(gross_amount) as gross_amount
    from order_lines
    where reason = 'used'
    group by customer_id

),

balances as (

    select
        customer_id,
        sum(net_amount) as net_amount
    from order_lines
    where net_amount <> 0
    group by customer_id

),

featured as (

    select
        purchases.customer_id,
        as_of.as_of_date,
        {{ segql.days_between('purchases.last_order_on', 'as_of.as_of_date') }} as recency,
        purchases.frequency,
        cast(coalesce(balances.net_amount, 0) as double) as monetary,
        cast(purchases.gross_amount as double) / purchases.frequency as average_order_value,
        {{ segql.days_between('purchases.first_order_on', 'as_of.as_of_date') }} as tenure,
        case
            when purchases.frequency > 1
                then
                    cast(
                        {{ segql.days_between(
                            'purchases.first_order_on', 'purchases.last_order_on') }} as double
                    )
                    / (purchases.frequency - 1)
        end as inter_purchase_interval,
        purchases.distinct_products
    from purchases
    cross join as_of
    left join balances
        on purchases.customer_id = balances.customer_id

),

counted as (

    select count(*) as customers from featured

)

select featured.*
from counted
left join featured
    on true
where
    case
        when counted.customers = 0
            then {{ segql.raise_in_query(
                "'no order line can be used (no purchase with customer, date, quantity and price"
                ~ " up to as_of_date); data_quality counts the reasons'") }}
        else true
    end
{%- endmacro %}
