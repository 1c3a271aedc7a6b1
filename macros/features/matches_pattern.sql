{#- True where a text column matches a regular expression; false for NULL or no pattern. -#}
{% macro matches_pattern(column, pattern, full=false) -%}
    {{ return(adapter.dispatch('matches_pattern', 'segql')(column, pattern, full)) }}
{%- endmacro %}

{% macro default__matches_pattern(column, pattern, full=false) -%}
    {%- if not pattern -%}
        {{ return('false') }}
    {%- endif -%}
    {%- set literal = segql.string_literal('^(?:' ~ pattern ~ ')$' if full else pattern) -%}
    coalesce(regexp_matches({{ column }}, {{ literal }}), false)
{%- endmacro %}

{% macro spark__matches_pattern(column, pattern, full=false) -%}
    {%- if not pattern -%}
        {{ return('false') }}
    {%- endif -%}
    {%- set literal = segql.string_literal('^(?:' ~ pattern ~ ')$' if full else pattern) -%}
    coalesce({{ column }} rlike {{ literal }}, false)
{%- endmacro %}
