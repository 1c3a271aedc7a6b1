{#- One number for a whole row, equal for equal rows. -#}
{% macro row_hash(columns) -%}
    {{ return(adapter.dispatch('row_hash', 'segql')(columns)) }}
{%- endmacro %}

{% macro default__row_hash(columns) -%}
    hash(
        {%- for column in columns %}
        {{ segql.quote_identifier(column.name) }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- xxhash64 passes over NULL, so that it would not tell in which column one stands. -#}
{% macro spark__row_hash(columns) -%}
    xxhash64(
        {%- for column in columns %}
        {%- set name = segql.quote_identifier(column.name) %}
        {{ name }}, {{ name }} is null{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
