{#- Every customer we know of: registered, or named on an order line. -#}
{% macro known_customers(customers, order_lines) -%}
select customer_id from {{ customers }}
union
select customer_id from {{ order_lines }}
where customer_id is not null
{%- endmacro %}
