{#-
    The columns of a relation, or of a query in parentheses, as {name, kind}, without those
    named in except; none before the relation is built, and none of a bare name, which is a
    CTE of the statement around.
-#}
{% macro relation_columns(relation, except=[]) -%}
    {%- set columns = [] -%}
    {%- if execute -%}
        {%- set found = [] -%}
        {%- if relation is string and not modules.re.match('^\w+$', relation) -%}
            {%- set found = segql.source_columns(relation) -%}
        {%- elif relation is not string -%}
            {%- for column in adapter.get_columns_in_relation(relation) -%}
                {%- do found.append({'name': column.name, 'type': column.dtype}) -%}
            {%- endfor -%}
        {%- endif -%}
        {%- for column in found if column.name | lower not in except -%}
            {%- do columns.append({
                'name': column.name,
                'kind': segql.column_kind(column.type),
            }) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(columns) }}
{%- endmacro %}
