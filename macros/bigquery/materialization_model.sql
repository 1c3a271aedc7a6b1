{#
  A BigQuery ML model as dbt_ml describes it, learned by segql: the options are config ml_config or
  meta.ml_config, the query is in BigQuery's SQL. The model is <schema>.<name> in the registry; no
  relation of that name is made.
#}
{% materialization model, adapter='duckdb' %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set asked = {
    'name': this.schema ~ '.' ~ this.identifier,
    'ml_config': segql.ml_config(),
    'sql': sql
  } -%}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}
  {#- The plugin reads on a connection of its own: what hooks have written must be committed. -#}
  {% call statement('before') %} select 1 {% endcall %}
  {% do adapter.commit() %}
  {% do adapter.store_relation('segql', target_relation, [], '', 'model', asked) %}
  {% call statement('main') %}
    select reason from segql.models
    where is_current and model_name = {{ segql.string_literal(asked['name']) }}
  {% endcall %}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {% do adapter.commit() %}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': []}) }}
{% endmaterialization %}
