{#- Any text as a SQL literal. -#}
{% macro string_literal(text) -%}
    {{ return(adapter.dispatch('string_literal', 'segql')(text | string)) }}
{%- endmacro %}

{% macro default__string_literal(text) -%}
    {{ return("'" ~ text | replace("'", "''") ~ "'") }}
{%- endmacro %}

{#- Spark reads a backslash in a literal as an escape. -#}
{% macro spark__string_literal(text) -%}
    {{ return("'" ~ text | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") }}
{%- endmacro %}
