{#- A set-returning expression, for a select list: every date from the first to the last. -#}
{% macro each_day(first, last) -%}
    {{ return(adapter.dispatch('each_day', 'segql')(first, last)) }}
{%- endmacro %}

{% macro default__each_day(first, last) -%}
    cast(unnest(generate_series({{ first }}, {{ last }}, interval '1 day')) as date)
{%- endmacro %}

{% macro spark__each_day(first, last) -%}
    explode(sequence({{ first }}, {{ last }}, interval '1' day))
{%- endmacro %}
