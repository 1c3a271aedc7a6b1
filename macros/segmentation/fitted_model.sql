{% macro fitted_model(name) %}
  {#- The version that the plugin has just written and nobody has published. -#}
  {%- set rows = run_query(
    "select model_version, score_sql, reason, to_json(publish_sql) from segql.models "
    ~ "where not is_published and model_name = " ~ segql.string_literal(name)
    ~ " order by model_version desc limit 1"
  ).rows -%}
  {{ return({
    'model_version': rows[0][0] | int,
    'score_sql': rows[0][1],
    'reason': rows[0][2],
    'publish_sql': fromjson(rows[0][3])
  }) }}
{% endmacro %}
