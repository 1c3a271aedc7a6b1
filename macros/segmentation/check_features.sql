{% macro check_features(name, model_version, input_sql) %}
  {#- Refuse to score rows that lack a feature of the frozen model, by name. -#}
  {%- set columns = adapter.get_column_schema_from_query(input_sql) | map(attribute='name') | list -%}
  {%- set lowered = columns | map('lower') | list -%}
  {%- set features = run_query(
    "select input from segql.feature_info where used and model_version = " ~ model_version
    ~ " and model_name = " ~ segql.string_literal(name)
  ).columns[0].values() -%}
  {%- for feature in features if feature | lower not in lowered -%}
    {{ exceptions.raise_compiler_error(
      "segmentation " ~ this.identifier ~ ": the query lacks column '" ~ feature
      ~ "', a feature of model '" ~ name ~ "' version " ~ model_version ~ " (there are: "
      ~ columns | join(', ') ~ "); add it, or refit with --full-refresh"
    ) }}
  {%- endfor -%}
{% endmacro %}
