{#-
    One row per segment: size, orders, revenue and their shares. segment is any column of
    segments; orders, revenue and recency are columns of features, a relation with the same id,
    or of segments itself when features is none; what is none is left out. Customers without
    features count with no order. name is a column that says the segment's name.
-#}
{% macro segment_summary(
    segments,
    features=none,
    id='customer_id',
    segment='segment_key',
    name=none,
    orders='frequency',
    revenue='monetary',
    recency='recency'
) -%}
    {{ return(adapter.dispatch('segment_summary', 'segql')(
        segments, features, id, segment, name, orders, revenue, recency)) }}
{%- endmacro %}

{% macro default__segment_summary(
    segments, features, id, segment, name, orders, revenue, recency
) -%}
    {%- set macro = 'segment_summary' -%}
    {%- do segql.check_columns(macro, segments, {'segment': segment, 'name': name}) -%}
    {%- do segql.check_columns(macro, segments if features is none else features, {
        'orders': orders, 'revenue': revenue, 'recency': recency,
        'id': none if features is none else id,
    }) -%}
    {%- set id = segql.quote_identifier(id) -%}
    {%- set measures = 'segments.' if features is none else 'features.' -%}
with

segments as (

    select * from {{ segments }}

),

{% if features is not none -%}
features as (

    select * from {{ features }}

),

{% endif -%}
grouped as (

    select
        {{ segql.segment_key('segments.' ~ segql.quote_identifier(segment)) }} as segment_key,
        {%- if name is not none %}
        segments.{{ segql.quote_identifier(name) }} as segment_name,
        {%- endif %}
        count(*) as customers
        {%- if orders is not none %},
        coalesce(sum({{ measures }}{{ segql.quote_identifier(orders) }}), 0) as orders
        {%- endif %}
        {%- if revenue is not none %},
        coalesce(sum({{ segql.exact_amount(measures ~ segql.quote_identifier(revenue)) }}), 0)
            as revenue
        {%- endif %}
        {%- if recency is not none %},
        sum({{ measures }}{{ segql.quote_identifier(recency) }}) as recency_days,
        count({{ measures }}{{ segql.quote_identifier(recency) }}) as buyers
        {%- endif %}
    from segments
    {%- if features is not none %}
    left join features
        on segments.{{ id }} = features.{{ id }}
    {%- endif %}
    group by
        {{ segql.segment_key('segments.' ~ segql.quote_identifier(segment)) }}
        {%- if name is not none %},
        segments.{{ segql.quote_identifier(name) }}
        {%- endif %}

),

totals as (

    select
        sum(customers) as customers
        {%- if revenue is not none %},
        sum(revenue) as revenue
        {%- endif %}
    from grouped

)

select
    grouped.segment_key,
    {%- if name is not none %}
    grouped.segment_name,
    {%- endif %}
    grouped.customers,
    cast(grouped.customers as double) / cast(totals.customers as double) as share
    {%- if orders is not none %},
    cast(grouped.orders as bigint) as orders
    {%- endif %}
    {%- if revenue is not none %},
    cast(grouped.revenue as double) as revenue,
    cast(grouped.revenue as double) / nullif(cast(totals.revenue as double), 0) as revenue_share
    {%- endif %}
    {%- if orders is not none and revenue is not none %},
    cast(grouped.revenue as double) / nullif(cast(grouped.orders as double), 0)
        as average_order_value
    {%- endif %}
    {%- if recency is not none %},
    cast(grouped.recency_days as double) / nullif(cast(grouped.buyers as double), 0)
        as days_since_last_order
    {%- endif %}
from grouped
cross join totals
{%- endmacro %}
