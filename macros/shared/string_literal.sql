{#- Any text as a SQL literal. -#}
{% macro string_literal(text) -%}
    {{ return("'" ~ text | string | replace("'", "''") ~ "'") }}
{%- endmacro %}
