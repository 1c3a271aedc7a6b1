{#- The customer of an order line; guests='per_order' makes each guest order a customer. -#}
{% macro order_customer(customer, order_id, guests) -%}
    {%- if guests == 'per_order' -%}
        {{ return('coalesce(cast(' ~ customer ~ " as string), 'guest-' || " ~ order_id ~ ')') }}
    {%- endif -%}
    {{ return(customer) }}
{%- endmacro %}
