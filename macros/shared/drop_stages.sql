{#- For a post-hook of a model that segql.stage has written tables for: drops them. -#}
{% macro drop_stages() -%}
    {{ return(adapter.dispatch('drop_stages', 'segql')()) }}
{%- endmacro %}

{% macro default__drop_stages() -%}
{%- endmacro %}

{% macro spark__drop_stages() -%}
    {%- if execute -%}
        {%- set schema = segql.quote_identifier(this.schema) -%}
        {%- set tables = schema ~ " like '" ~ segql.stage_prefix() ~ "*'" -%}
        {%- for table in run_query('show tables in ' ~ tables) -%}
            {%- do run_query('drop table if exists ' ~ schema ~ '.' ~ table[1]) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
