{#-
  Scores with the frozen model. dbt-spark runs no Python in its session: what is learned, segql
  fit-dbt learns between two selections, and the run says when that is due.
#}
{% materialization segmentation, adapter='spark' %}
  {%- set options = segql.segmentation_options() -%}
  {%- set name = options['name'] -%}
  {%- set what = 'segmentation ' ~ this.identifier -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set current = segql.current_model(name) -%}
  {%- set command = 'segql fit-dbt ' ~ name ~ ' --target ' ~ target.name -%}

  {% if current is none and options['when_too_few'] != 'empty' %}
    {% do exceptions.raise_compiler_error(
      what ~ ": there is no model '" ~ name ~ "' on Spark yet; run " ~ command
      ~ ' when its input is built, and then this again'
    ) %}
  {% elif current is none %}
    {{ log(
      'segql: ' ~ name ~ ' is not fitted, its relation is empty; ' ~ command ~ ' fits it',
      info=True
    ) }}
  {% else %}
    {% do segql.check_features(name, current['model_version'], sql, options['id'], what) %}
    {% do segql.log_changed_options(options, current['options']) %}
    {%- set reason = segql.fit_reason(options, current, sql) -%}
    {% if reason is not none %}
      {{ log(
        'segql: ' ~ name ~ ': a refit is due (' ~ reason ~ '): ' ~ command ~ ' --refit; version '
        ~ current['model_version'] ~ ' scores',
        info=True
      ) }}
    {% endif %}
  {% endif %}

  {{ run_hooks(pre_hooks) }}
  {% if existing_relation is not none %}
    {{ adapter.drop_relation(existing_relation) }}
  {% endif %}
  {% call statement('main') %}
    {{ create_table_as(
      False,
      target_relation,
      segql.empty_segmentation('(' ~ sql ~ ')', options['id']) if current is none
      else segql.scored_query(
        sql,
        current['score_sql'],
        current['model_version'],
        options['id'],
        segql.source_columns('(' ~ sql ~ ')') | map(attribute='name') | list
      )
    ) }}
  {% endcall %}
  {% do persist_docs(target_relation, model) %}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
