{#- What the names of the tables begin with that segql.stage writes for this model. -#}
{% macro stage_prefix() -%}
    {{ return('segql_stage_' ~ local_md5(this | string)[:8] ~ '_') }}
{%- endmacro %}
