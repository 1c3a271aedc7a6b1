{#- Fails for each combination of columns that stands in more than one row. -#}
{% test unique_combination(model, columns) -%}
    {%- set quoted = [] -%}
    {%- for column in columns -%}
        {%- do quoted.append(segql.quote_identifier(column)) -%}
    {%- endfor -%}
select
    {{ quoted | join(', ') }},
    count(*) as combination_rows
from {{ model }}
group by {{ quoted | join(', ') }}
having count(*) > 1
{%- endtest %}
