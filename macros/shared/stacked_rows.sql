{#-
    Several rows out of each row of a relation, as a query: keys are columns that each of them
    keeps, and rows a list of mappings of names to expressions, all of the same names.
-#}
{% macro stacked_rows(relation, keys, rows) -%}
    {{ return(adapter.dispatch('stacked_rows', 'segql')(relation, keys, rows)) }}
{%- endmacro %}

{% macro default__stacked_rows(relation, keys, rows) -%}
    {%- for row in rows %}
    select
        {{ keys | join(', ') }}
        {%- for name, expression in row.items() %},
        {{ expression }} as {{ name }}
        {%- endfor %}
    from {{ relation }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Spark writes a CTE out at each place that reads it: a union would compute the relation for each row. -#}
{% macro spark__stacked_rows(relation, keys, rows) -%}
    select
        {{ keys | join(', ') }},
        inline(array(
            {%- for row in rows %}
            named_struct(
                {%- for name, expression in row.items() %}
                '{{ name }}', {{ expression }}{{ ',' if not loop.last }}
                {%- endfor %}
            ){{ ',' if not loop.last }}
            {%- endfor %}
        ))
    from {{ relation }}
{%- endmacro %}
