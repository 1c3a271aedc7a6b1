{#- Any name as an identifier: quoted, quotes inside doubled. -#}
{% macro quote_identifier(name) -%}
    {{ return(adapter.dispatch('quote_identifier', 'segql')(name | string)) }}
{%- endmacro %}

{% macro default__quote_identifier(name) -%}
    {{ return(adapter.quote(name | replace('"', '""'))) }}
{%- endmacro %}

{% macro spark__quote_identifier(name) -%}
    {{ return(adapter.quote(name | replace('`', '``'))) }}
{%- endmacro %}
