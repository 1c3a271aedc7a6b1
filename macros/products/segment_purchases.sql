{#-
    What each member of a segment bought: one row per customer and product with the distinct
    orders and the date of the last one, from the used order lines up to the as-of date. Lines
    without a product and non-product codes say nothing of products and are left out. with_orders adds
    customer_orders, all distinct orders of the customer.
-#}
{% macro segment_purchases(
    order_lines, segments, as_of, segment, id, options, with_orders=false
) -%}
with

order_line_reasons as (

    {{ segql.default__order_line_reasons(
        order_lines, as_of, options, flag_duplicates=options.drop_duplicate_lines
    ) | indent(4) }}

),

members as (

    {{ segql.segment_members(segments, segment, id) | indent(4) }}

),

order_products as (

    select
        customer_id,
        product_id,
        order_id,
        max(ordered_on) as ordered_on
    from order_line_reasons
    where
        reason = 'used'
        and product_id is not null
        and not is_non_product
    group by customer_id, product_id, order_id

)
{%- if with_orders %},

orders as (

    select
        customer_id,
        order_id
    from order_products
    group by customer_id, order_id

),

order_counts as (

    select
        customer_id,
        count(*) as orders
    from orders
    group by customer_id

)
{%- endif %}

select
    order_products.customer_id,
    members.segment_key,
    order_products.product_id,
    count(*) as orders,
    max(order_products.ordered_on) as last_ordered_on
    {%- if with_orders %},
    max(order_counts.orders) as customer_orders
    {%- endif %}
from order_products
inner join members
    on order_products.customer_id = members.customer_id
{%- if with_orders %}
inner join order_counts
    on order_products.customer_id = order_counts.customer_id
{%- endif %}
group by order_products.customer_id, members.segment_key, order_products.product_id
{%- endmacro %}
