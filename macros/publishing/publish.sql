{#-
  For on-run-end: publish after a whole build without a failure. Anything else leaves the served
  file as it was. Returns SQL for the hook: none, or what fails with the reason.
-#}
{% macro publish(results, to=none, parquet=none, schema='marts', keep=[], leave_out=[]) -%}
    {%- if not execute or to is none or flags.WHICH in ['test', 'compile', 'docs'] -%}
        {{ return('') }}
    {%- endif -%}
    {%- if target.type == 'spark' -%}
        {%- do exceptions.raise_compiler_error(
            "publish: to got '" ~ to ~ "', but the target is spark; accepted there is none:"
            ~ ' BI reads the tables themselves'
        ) -%}
    {%- endif -%}
    {%- set reason = segql.unpublished_reason(results, schema) -%}
    {%- if reason is not none -%}
        {{ log("segql: '" ~ to ~ "' stays as it was: " ~ reason, info=True) }}
        {{ return('') }}
    {%- endif -%}
    {#- The plugin works on the process's own connection, which keep_open: false has closed. -#}
    {%- do run_query('select 1') -%}
    {%- set relation = api.Relation.create(
        database=target.database, schema=schema, identifier='publication'
    ) -%}
    {%- set request = {
        'parquet': parquet, 'schema': schema, 'keep': keep, 'leave_out': leave_out
    } -%}
    {%- do adapter.store_relation('segql', relation, [], to | string, 'publish', request) -%}
    {%- if request.get('failure') -%}
        {{ return('select ' ~ segql.raise_in_query(segql.string_literal(request['failure']))) }}
    {%- endif -%}
    {{ log('segql: ' ~ request['published'], info=True) }}
    {{ return('') }}
{%- endmacro %}
