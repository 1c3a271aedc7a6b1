{#- The columns of anything that can stand after FROM: a list of {name, type}. -#}
{% macro source_columns(from) -%}
    {{ return(adapter.dispatch('source_columns', 'segql')(from)) }}
{%- endmacro %}

{% macro default__source_columns(from) -%}
    {%- set columns = [] -%}
    {%- for column in adapter.get_column_schema_from_query('select * from ' ~ from ~ ' limit 0') -%}
        {%- do columns.append({'name': column.name, 'type': column.data_type | upper}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{% macro duckdb__source_columns(from) -%}
    {%- set columns = [] -%}
    {%- for row in run_query('describe select * from ' ~ from).rows -%}
        {%- do columns.append({'name': row[0], 'type': row[1]}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
