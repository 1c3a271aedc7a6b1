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
