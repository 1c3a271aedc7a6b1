{#- Why a run's marts are not published: none after a whole build in which nothing has failed. -#}
{% macro unpublished_reason(results, schema) -%}
    {%- if flags.WHICH != 'build' -%}
        {{ return('dbt ' ~ flags.WHICH ~ ' is no dbt build') }}
    {%- endif -%}
    {%- set failed = [] -%}
    {%- set built = [] -%}
    {%- for result in results -%}
        {%- if result.status | string in ['success', 'pass', 'warn', 'no-op'] -%}
            {%- do built.append(result.node.unique_id) -%}
        {%- else -%}
            {%- do failed.append(result.node.name ~ ' (' ~ result.status ~ ')') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if failed -%}
        {%- set more = failed | length - 3 -%}
        {{ return(
            'the build has failed: ' ~ failed[:3] | join(', ')
            ~ (' and ' ~ more ~ ' more' if more > 0 else '')
        ) }}
    {%- endif -%}
    {%- set missing = [] -%}
    {%- for node in graph.nodes.values() -%}
        {%- if node.resource_type in ['model', 'seed', 'snapshot'] and node.schema == schema
            and node.config.materialized != 'ephemeral' and node.unique_id not in built -%}
            {%- do missing.append(node.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if missing -%}
        {{ return(
            'this build is a part, without ' ~ missing[:3] | sort | join(', ')
            ~ (' and ' ~ (missing | length - 3) ~ ' more' if missing | length > 3 else '')
        ) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}
