{#- An expression that fails the query with a message when it is reached. -#}
{% macro raise_in_query(message) -%}
    {{ return(adapter.dispatch('raise_in_query', 'segql')(message)) }}
{%- endmacro %}

{% macro default__raise_in_query(message) -%}
    null
{%- endmacro %}

{% macro duckdb__raise_in_query(message) -%}
    error({{ message }})
{%- endmacro %}

{% macro spark__raise_in_query(message) -%}
    raise_error({{ message }})
{%- endmacro %}
