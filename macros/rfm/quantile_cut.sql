{#- A quantile that is a value of the column itself. -#}
{% macro quantile_cut(column, share) -%}
    {{ return(adapter.dispatch('quantile_cut', 'segql')(column, share)) }}
{%- endmacro %}

{% macro default__quantile_cut(column, share) -%}
    percentile_disc({{ share }}) within group (order by {{ column }})
{%- endmacro %}

{% macro duckdb__quantile_cut(column, share) -%}
    quantile_disc({{ column }}, {{ share }})
{%- endmacro %}
