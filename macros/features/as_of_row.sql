{#-
    One row: as_of_date, and last_date, the last day whose rows count. as_of is a date such as
    '2025-12-31' or a relation with as_of_date; none takes the last date of the relation's rows.
    load_date, a relation with loaded_at, sets rows after it aside.
-#}
{% macro as_of_row(as_of, relation, timestamp, load_date=none) -%}
    {%- set loaded_on = none if load_date is none
        else '(select max(cast(loaded_at as date)) from ' ~ load_date ~ ')' -%}
    {%- if as_of is none -%}
select
    max(cast({{ timestamp }} as date)) as as_of_date,
    max(cast({{ timestamp }} as date)) as last_date
from {{ relation }}
        {%- if loaded_on is not none %}
where cast({{ timestamp }} as date) <= {{ loaded_on }}
        {%- endif -%}
    {%- else -%}
    {%- set date = segql.date_literal('as_of', as_of) if as_of is string else 'as_of_date' -%}
select
    {{ date }} as as_of_date,
    {{ date if loaded_on is none else 'least(' ~ date ~ ', ' ~ loaded_on ~ ')' }} as last_date
    {%- if as_of is not string %}
from {{ as_of }}
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}
