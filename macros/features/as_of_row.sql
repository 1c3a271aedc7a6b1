{#-
    One row: as_of_date, and last_date, the last day whose rows count. as_of is a date such as
    '2025-12-31' or a relation with as_of_date; none takes the last date of the relation's rows.
    load_date (a date, or a relation with loaded_at) sets rows after it aside.
-#}
{% macro as_of_row(as_of, relation, timestamp, load_date=none) -%}
    {%- if as_of is none -%}
select
    max(cast({{ timestamp }} as date)) as as_of_date,
    max(cast({{ timestamp }} as date)) as last_date
from {{ relation }}
    {%- elif as_of is string and load_date is none -%}
    {%- set date = segql.date_literal('as_of', as_of) -%}
select
    {{ date }} as as_of_date,
    {{ date }} as last_date
    {%- elif as_of is string -%}
    {%- set date = segql.date_literal('as_of', as_of) -%}
select
    {{ date }} as as_of_date,
    least({{ date }}, cast(loaded_at as date)) as last_date
from {{ load_date }}
    {%- elif load_date is none -%}
select
    as_of_date,
    as_of_date as last_date
from {{ as_of }}
    {%- else -%}
select
    as_of_date,
    least(as_of_date, cast(loaded_at as date)) as last_date
from {{ load_date }}
    {%- endif -%}
{%- endmacro %}
