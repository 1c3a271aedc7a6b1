{#-
    Every customer we know of at the as-of date: registered (by then, where the customers have
    registered_at), or named on an order line dated up to then or without a date. Takes staged
    relations, and guests as segql.order_line_reasons does.
-#}
{% macro known_customers(customers, order_lines, as_of, guests='drop') -%}
    {%- set names = segql.relation_columns(customers) | map(attribute='name') | map('lower') -%}
    {%- set customer = segql.order_customer(
        'order_lines.customer_id',
        'coalesce(order_lines.order_id, cast(order_lines.ordered_at as string))',
        guests
    ) -%}
with

as_of as (

    {{ segql.as_of_row(as_of, none, none) | indent(4) }}

)

select customers.customer_id
from {{ customers }} as customers
{%- if 'registered_at' in names | list %}
cross join as_of
where
    customers.registered_at is null
    or cast(customers.registered_at as date) <= as_of.as_of_date
{%- endif %}
union
select {{ customer }} as customer_id
from {{ order_lines }} as order_lines
cross join as_of
where
    {{ customer }} is not null
    and (
        order_lines.ordered_at is null
        or cast(order_lines.ordered_at as date) <= as_of.as_of_date
    )
{%- endmacro %}
