{#-
    Any text as a SQL literal. Dispatched by another name: dbt has a string_literal of its own, which
    expects quotes doubled, and a project that lets this package override dbt's would take this one.
-#}
{% macro string_literal(text) -%}
    {{ return(adapter.dispatch('text_literal', 'segql')(text | string)) }}
{%- endmacro %}

{% macro default__text_literal(text) -%}
    {{ return("'" ~ text | replace("'", "''") ~ "'") }}
{%- endmacro %}

{#- Spark reads a backslash in a literal as an escape. -#}
{% macro spark__text_literal(text) -%}
    {{ return("'" ~ text | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") }}
{%- endmacro %}
