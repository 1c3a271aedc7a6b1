{#-
    Recency, frequency, monetary and their companions, one row per customer with at least one
    used order line up to the as-of date. as_of is a date, a relation with as_of_date, or none
    for the last order date; the options are those of segql.order_line_options.

    {{ segql.rfm_features(ref('invoices'), as_of='2025-12-31', customer='client_no') }}
-#}
{% macro rfm_features(order_lines, as_of=none) -%}
    {%- set options = segql.macro_options('rfm_features', segql.order_line_options(), kwargs) -%}
    {{ return(adapter.dispatch('rfm_features', 'segql')(order_lines, as_of, options)) }}
{%- endmacro %}

{% macro default__rfm_features(order_lines, as_of, options) -%}
with

order_line_reasons as (

    {{ segql.default__order_line_reasons(
        order_lines, as_of, options, flag_duplicates=options.drop_duplicate_lines
    ) | indent(4) }}

),

as_of as (

    {{ segql.as_of_row(
        as_of, order_lines, segql.quote_identifier(options.timestamp), options.load_date
    ) | indent(4) }}

),

orders as (

    select
        customer_id,
        order_id,
        min(case when reason = 'used' then ordered_on end) as first_order_on,
        max(case when reason = 'used' then ordered_on end) as last_order_on,
        sum(gross_amount) as gross_amount,
        sum(net_amount) as net_amount
    from order_line_reasons
    where customer_id is not null and (reason = 'used' or net_amount <> 0)
    group by customer_id, order_id

),

purchases as (

    select
        customer_id,
        min(first_order_on) as first_order_on,
        max(last_order_on) as last_order_on,
        count(first_order_on) as frequency,
        sum(gross_amount) as gross_amount,
        sum(net_amount) as net_amount
    from orders
    group by customer_id

),

{% if options.product is not none -%}
products as (

    select
        customer_id,
        product_id
    from order_line_reasons
    where reason = 'used'
    group by customer_id, product_id

),

ranges as (

    select
        customer_id,
        count(product_id) as distinct_products
    from products
    group by customer_id

),

{% endif -%}
featured as (

    select
        purchases.customer_id,
        as_of.as_of_date,
        {{ segql.days_between('purchases.last_order_on', 'as_of.as_of_date') }} as recency,
        purchases.frequency,
        cast(purchases.net_amount as double) as monetary,
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
        end as inter_purchase_interval
        {%- if options.product is not none %},
        ranges.distinct_products
        {%- endif %}
    from purchases
    cross join as_of
    {%- if options.product is not none %}
    inner join ranges
        on purchases.customer_id = ranges.customer_id
    {%- endif %}
    where purchases.frequency > 0

),

counted as (

    select count(*) as customers from featured

)

select featured.*
from counted
cross join as_of
left join featured
    on true
where
    case
        when counted.customers = 0
            then {{ segql.raise_in_query(
                "'no order line can be used (no purchase with customer, date, quantity and price"
                ~ " up to ' || as_of.as_of_date || '); data_quality counts the reasons'") }}
        else true
    end
{%- endmacro %}
