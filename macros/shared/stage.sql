{#-
    A CTE as a call block, for queries of many that read one another: Spark writes a CTE out wherever
    it is read, and does not finish planning them. In a run there its rows become a table of their
    own, and what is written is a CTE that reads it; segql.drop_stages() in a post-hook of the model
    drops these tables. Elsewhere it is a plain CTE. stages is a list that is empty at first: what
    came before, for later stages to read. A stage reads nothing else of the query around it.

    with {% call segql.stage(stages, 'bought') %} select … {% endcall %}, others as (…)
-#}
{% macro stage(stages, name) -%}
    {{ return(adapter.dispatch('stage', 'segql')(stages, name, caller() | trim)) }}
{%- endmacro %}

{% macro default__stage(stages, name, query) -%}
{{ name }} as (

    {{ query | indent(4) }}

)
{%- endmacro %}

{% macro spark__stage(stages, name, query) -%}
    {%- if not execute or flags.WHICH not in ('build', 'run', 'retry') -%}
{{ segql.default__stage(stages, name, query) }}
    {%- else -%}
    {#- A later one hides an earlier one of the same name, as in SQL. -#}
    {%- set known, earlier = {}, [] -%}
    {%- for stage in stages -%}
        {%- do known.update({stage.name: stage.stored}) -%}
    {%- endfor -%}
    {%- for other, rows in known.items() -%}
        {%- do earlier.append(other ~ ' as (select * from ' ~ rows ~ ')') -%}
    {%- endfor -%}
    {%- set before = 'with ' ~ earlier | join(', ') ~ ' ' if earlier else '' -%}
    {%- set stored = segql.quote_identifier(this.schema) ~ '.' ~ segql.stage_prefix()
        ~ local_md5(before ~ query)[:8] ~ '_' ~ name -%}
    {%- do run_query('drop table if exists ' ~ stored) -%}
    {%- do run_query(
        'create table ' ~ stored ~ ' using ' ~ config.get('file_format', default='parquet')
        ~ ' as ' ~ before ~ 'select * from (' ~ query ~ ')'
    ) -%}
    {%- do stages.append({'name': name, 'stored': stored}) -%}
{{ name }} as (

    select * from {{ stored }}

)
    {%- endif -%}
{%- endmacro %}
