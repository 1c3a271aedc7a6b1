{% macro has_registry() %}
  {#- Whether any model was ever fitted in this database. -#}
  {{ return(run_query(
    "select 1 from duckdb_tables() where database_name = current_database() "
    ~ "and schema_name = 'segql' and table_name = 'models'"
  ).rows | length > 0) }}
{% endmacro %}
