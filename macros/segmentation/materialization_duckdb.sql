{#
  First run, --full-refresh and the refit policy: fit a new version, then score. Every other run:
  score with the frozen model. The relation, the current version and the macros change in one
  transaction. With when_too_few='empty' rows that are too few to fit leave an empty relation.
#}
{% materialization segmentation, adapter='duckdb' %}
  {%- set options = segql.segmentation_options() -%}
  {%- set name = options['name'] -%}
  {%- set what = 'segmentation ' ~ this.identifier -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
  {%- set training_relation = make_intermediate_relation(target_relation, '__segql_input') -%}
  {%- set backup_relation = make_backup_relation(
    target_relation, existing_relation.type if existing_relation is not none else 'table'
  ) -%}

  {{ drop_relation_if_exists(load_cached_relation(intermediate_relation)) }}
  {{ drop_relation_if_exists(load_cached_relation(training_relation)) }}
  {{ drop_relation_if_exists(load_cached_relation(backup_relation)) }}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}

  {%- set current = segql.current_model(name) -%}
  {%- set reason = segql.fit_reason(options, current, sql) -%}
  {%- set publish = [] -%}
  {%- set frozen = {} -%}
  {% if reason is not none %}
    {%- do options.update({'requested_by': reason}) -%}
    {#- The plugin reads on a connection of its own: the rows must be committed. -#}
    {% call statement('training_rows') %}
      {{ create_table_as(False, training_relation, sql) }}
    {% endcall %}
    {% do adapter.commit() %}
    {% do adapter.store_relation('segql', training_relation, [], '', '', options) %}
    {%- set scored_sql = 'select * from ' ~ training_relation -%}
    {% if options.get('too_few') %}
      {{ log('segql: ' ~ name ~ ' is not fitted: ' ~ options['too_few'], info=True) }}
    {% else %}
      {%- set fitted = segql.fitted_model(name) -%}
      {%- do publish.extend(fitted['publish_sql']) -%}
      {%- do frozen.update(fitted) -%}
      {{ log(
        'segql: ' ~ name ~ ' version ' ~ fitted['model_version'] ~ ' (' ~ reason ~ '): '
        ~ fitted['reason'],
        info=True
      ) }}
    {% endif %}
  {% else %}
    {%- do frozen.update(current) -%}
    {%- set scored_sql = sql -%}
    {% do segql.check_features(name, current['model_version'], sql, options['id'], what) %}
    {% do segql.log_changed_options(options, current['options']) %}
  {% endif %}

  {{ run_hooks(pre_hooks, inside_transaction=True) }}
  {% call statement('main') %}
    {{ create_table_as(
      False,
      intermediate_relation,
      segql.empty_segmentation(training_relation, options['id']) if not frozen
      else segql.scored_query(
        scored_sql,
        frozen['score_sql'],
        frozen['model_version'],
        options['id'],
        adapter.get_column_schema_from_query(scored_sql) | map(attribute='name') | list
      )
    ) }}
  {% endcall %}
  {% if existing_relation is not none %}
    {{ adapter.rename_relation(existing_relation, backup_relation) }}
  {% endif %}
  {{ adapter.rename_relation(intermediate_relation, target_relation) }}
  {% for publish_statement in publish %}
    {% do run_query(publish_statement) %}
  {% endfor %}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {% do persist_docs(target_relation, model) %}
  {% do adapter.commit() %}

  {{ drop_relation_if_exists(backup_relation) }}
  {{ drop_relation_if_exists(training_relation) }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
