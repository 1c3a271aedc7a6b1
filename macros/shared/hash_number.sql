{#-
    A number from 0 to below 2^60 out of a text, the same on every run and engine, to draw by: the
    first fifteen digits of its md5.
-#}
{% macro hash_number(text) -%}
    {{ return(adapter.dispatch('hash_number', 'segql')(text)) }}
{%- endmacro %}

{% macro default__hash_number(text) -%}
    cast('0x' || substr(md5({{ text }}), 1, 15) as bigint)
{%- endmacro %}

{% macro spark__hash_number(text) -%}
    cast(conv(substr(md5({{ text }}), 1, 15), 16, 10) as bigint)
{%- endmacro %}
