{#- The date that lies so many days after another; a negative number lies before. -#}
{% macro days_after(date, days) -%}
    {{ return(adapter.dispatch('days_after', 'segql')(date, days)) }}
{%- endmacro %}

{% macro default__days_after(date, days) -%}
    cast(
        {{ dateadd('day', days, date) }} as date
    )
{%- endmacro %}

{#- dbt-spark adds days as seconds, in the session's zone. -#}
{% macro spark__days_after(date, days) -%}
    date_add({{ date }}, cast({{ days }} as integer))
{%- endmacro %}
