{#- The customers known at a date: a past one as text, or that of the model as_of. -#}
{% macro known_customers_as_of(as_of) -%}
    {{ return(segql.known_customers(
        ref('stg_customers'), ref('stg_order_lines'), as_of, guests=var('guests'))) }}
{%- endmacro %}
