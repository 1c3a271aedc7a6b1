{#- An event type as part of a column name: lower case, other signs become underscores. -#}
{% macro event_slug(expression) -%}
    {{ return(adapter.dispatch('event_slug', 'segql')(expression)) }}
{%- endmacro %}

{% macro default__event_slug(expression) -%}
    trim(regexp_replace(lower({{ expression }}), '[^\p{L}\p{N}]+', '_', 'g'), '_')
{%- endmacro %}

{% macro spark__event_slug(expression) -%}
    trim('_' from regexp_replace(lower({{ expression }}), '[^\\p{L}\\p{N}]+', '_'))
{%- endmacro %}
