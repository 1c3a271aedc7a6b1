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
