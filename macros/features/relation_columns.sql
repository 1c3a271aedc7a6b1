{#- The columns of a built relation as {name, kind}, without those named in except. -#}
{% macro relation_columns(relation, except=[]) -%}
    {%- set columns = [] -%}
    {%- if execute -%}
        {%- for column in adapter.get_columns_in_relation(relation)
            if column.name | lower not in except -%}
            {%- do columns.append({
                'name': column.name,
                'kind': segql.column_kind(column.dtype),
            }) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(columns) }}
{%- endmacro %}
