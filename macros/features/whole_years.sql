{#- Completed years between two dates, as an age is counted. -#}
{% macro whole_years(first, last) -%}
    {{ return(adapter.dispatch('whole_years', 'segql')(first, last)) }}
{%- endmacro %}

{% macro default__whole_years(first, last) -%}
    cast(floor(({{ datediff(first, last, 'day') }}) / 365.25) as integer)
{%- endmacro %}

{% macro duckdb__whole_years(first, last) -%}
    date_sub('year', cast({{ first }} as date), {{ last }})
{%- endmacro %}

{#- Born on 29 February: a year is completed on the 28th where there is no 29th. -#}
{% macro spark__whole_years(first, last) -%}
    cast(floor(months_between({{ last }}, cast({{ first }} as date)) / 12) as bigint)
{%- endmacro %}
