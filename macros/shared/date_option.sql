{#- The date that a var holds, as a SQL literal; none when it is not set. -#}
{% macro date_option(name) -%}
    {%- set value = var(name, none) -%}
    {%- if value is none or value | string | trim == '' -%}{{ return(none) }}{%- endif -%}
    {{ return(segql.date_literal(name, value)) }}
{%- endmacro %}
