{% macro current_model(name) %}
  {#- Version and scoring query of the frozen model; none before the first fit. -#}
  {%- if not segql.has_registry() -%}
    {{ return(none) }}
  {%- endif -%}
  {%- set rows = run_query(
    "select model_version, score_sql, options from segql.models where is_current and model_name = "
    ~ segql.string_literal(name)
  ).rows -%}
  {%- if rows | length == 0 -%}
    {{ return(none) }}
  {%- endif -%}
  {{ return({'model_version': rows[0][0] | int, 'score_sql': rows[0][1], 'options': fromjson(rows[0][2])}) }}
{% endmacro %}
