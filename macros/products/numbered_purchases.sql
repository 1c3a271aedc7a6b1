{#-
    The CTEs members and purchases with numbers in place of ids, which joins and groups go by:
    customers, segments, products (with buyers), total, and owned. Numbers rise with the ids.
-#}
{% macro numbered_purchases(stages, with_orders=false) -%}
{% call segql.stage(stages, 'segments') %}
select
    segment_key,
    row_number() over (order by segment_key) as segment_number
from members
group by segment_key
{% endcall %},

{% call segql.stage(stages, 'customers') %}
select
    members.customer_id,
    members.segment_key,
    segments.segment_number,
    row_number() over (order by members.customer_id, members.segment_key) as customer_number
from members
inner join segments
    on members.segment_key = segments.segment_key
{% endcall %},

{% call segql.stage(stages, 'products') %}
select
    product_id,
    count(*) as buyers,
    count(case when orders > 1 then 1 end) as repeaters,
    row_number() over (order by product_id) as product_number
from purchases
group by product_id
{% endcall %},

{% call segql.stage(stages, 'owned') %}
select
    customers.customer_number,
    customers.segment_number,
    products.product_number,
    purchases.orders,
    purchases.last_ordered_on
    {%- if with_orders %},
    purchases.customer_orders
    {%- endif %}
from purchases
inner join customers
    on
        purchases.customer_id = customers.customer_id
        and purchases.segment_key = customers.segment_key
inner join products
    on purchases.product_id = products.product_id
{% endcall %},

{% call segql.stage(stages, 'buyers') %}
select
    customer_number,
    segment_number
from owned
group by customer_number, segment_number
{% endcall %},

{% call segql.stage(stages, 'segment_sizes') %}
select
    segment_number,
    count(*) as buyers
from buyers
group by segment_number
{% endcall %},

{% call segql.stage(stages, 'total') %}
select cast(sum(buyers) as bigint) as buyers
from segment_sizes
{% endcall %}
{%- endmacro %}
