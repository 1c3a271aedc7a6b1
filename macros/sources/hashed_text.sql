{#- The SHA-256 of a text, as 64 hexadecimal digits; NULL of NULL. -#}
{% macro hashed_text(text) -%}
    {{ return(adapter.dispatch('hashed_text', 'segql')(text)) }}
{%- endmacro %}

{% macro default__hashed_text(text) -%}
    sha2({{ text }}, 256)
{%- endmacro %}

{% macro duckdb__hashed_text(text) -%}
    sha256({{ text }})
{%- endmacro %}
