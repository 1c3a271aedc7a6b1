{#- Aggregates the texts of a column into one, in an order; separator is a SQL literal. -#}
{% macro joined_texts(column, separator, order_by) -%}
    {{ return(adapter.dispatch('joined_texts', 'segql')(column, separator, order_by)) }}
{%- endmacro %}

{% macro default__joined_texts(column, separator, order_by) -%}
    {{ dbt.listagg(column, separator, 'order by ' ~ order_by) }}
{%- endmacro %}

{#- dbt-spark's listagg has no order. -#}
{% macro spark__joined_texts(column, separator, order_by) -%}
    listagg({{ column }}, {{ separator }}) within group (order by {{ order_by }})
{%- endmacro %}
