{#-
    A query in BigQuery's SQL, ML functions included, as DuckDB reads it. Other adapters get the
    query as it is.
-#}
{% macro bigquery_sql(query) -%}
    {{ return(adapter.dispatch('bigquery_sql', 'segql')(query)) }}
{%- endmacro %}

{% macro default__bigquery_sql(query) -%}
    {{ return(query) }}
{%- endmacro %}

{% macro duckdb__bigquery_sql(query) -%}
    {%- if not execute -%}
        {{ return(query) }}
    {%- endif -%}
    {%- set asked = {'sql': query} -%}
    {%- do adapter.store_relation('segql', this, [], '', 'translate', asked) -%}
    {{ return(asked['translated']) }}
{%- endmacro %}
