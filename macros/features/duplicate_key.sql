{#- What two order lines share when one repeats the other: the row's hash, else all its columns. -#}
{% macro duplicate_key(column) -%}
    {%- if 'row_hash' in column -%}
        {{ return(column.row_hash ~ ', ' ~ column.timestamp) }}
    {%- endif -%}
    {{ return(column.values() | join(', ')) }}
{%- endmacro %}
