{#-
    One row per segment: size, orders, revenue and their shares. Takes every customer with
    segment_key and segment_name; customers without features count with no order.
-#}
{% macro segment_summary(segments, features, id='customer_id') -%}
    {%- set id = segql.quote_identifier(id) -%}
with

segments as (

    select * from {{ segments }}

),

features as (

    select * from {{ features }}

),

grouped as (

    select
        segments.segment_key,
        segments.segment_name,
        count(*) as customers,
        coalesce(sum(features.frequency), 0) as orders,
        coalesce(sum({{ segql.exact_amount('features.monetary') }}), 0) as revenue,
        sum(features.recency) as recency_days,
        count(features.recency) as buyers
    from segments
    left join features
        on segments.{{ id }} = features.{{ id }}
    group by segments.segment_key, segments.segment_name

),

totals as (

    select
        sum(customers) as customers,
        sum(revenue) as revenue
    from grouped

)

select
    grouped.segment_key,
    grouped.segment_name,
    grouped.customers,
    cast(grouped.customers as double) / cast(totals.customers as double) as share,
    grouped.orders,
    cast(grouped.revenue as double) as revenue,
    cast(grouped.revenue as double) / nullif(cast(totals.revenue as double), 0) as revenue_share,
    cast(grouped.revenue as double) / nullif(cast(grouped.orders as double), 0)
        as average_order_value,
    cast(grouped.recency_days as double) / nullif(cast(grouped.buyers as double), 0)
        as days_since_last_order
from grouped
cross join totals
{%- endmacro %}
