{#- Whole days from one date to a later one. -#}
{% macro days_between(first, last) -%}
    {{ return(adapter.dispatch('days_between', 'segql')(first, last)) }}
{%- endmacro %}

{% macro default__days_between(first, last) -%}
    {{ datediff(first, last, 'day') }}
{%- endmacro %}

{% macro duckdb__days_between(first, last) -%}
    date_diff('day', {{ first }}, {{ last }})
{%- endmacro %}

{% macro spark__days_between(first, last) -%}
    cast(date_diff({{ last }}, {{ first }}) as bigint)
{%- endmacro %}
