{#- Whether the registry has a table, and in it a column: an older segql has left fewer. -#}
{% macro registry_has(table, column=none) -%}
    {{ return(adapter.dispatch('registry_has', 'segql')(table, column)) }}
{%- endmacro %}

{% macro default__registry_has(table, column) -%}
    {{ return(run_query(
        'select 1 from duckdb_columns() where database_name = current_database()'
        ~ " and schema_name = 'segql' and table_name = " ~ segql.string_literal(table)
        ~ (' and column_name = ' ~ segql.string_literal(column) if column is not none else '')
        ~ ' limit 1'
    ).rows | length > 0) }}
{%- endmacro %}

{#- There it is a copy, which segql fit-dbt has written whole. -#}
{% macro spark__registry_has(table, column) -%}
    {{ return(adapter.get_relation(database=none, schema='segql', identifier=table) is not none) }}
{%- endmacro %}
