{#- Any name as an identifier: quoted, quotes inside doubled. -#}
{% macro quote_identifier(name) -%}
    {{ return(adapter.quote(name | string | replace('"', '""'))) }}
{%- endmacro %}
