{#- True when an optional source is there, and has the column mapped under a key. -#}
{% macro has_source(name, key=none) -%}
    {%- if not execute -%}{{ return(false) }}{%- endif -%}
    {%- set source = segql.source_mapping(name, quiet=true) -%}
    {{ return(source is not none and (key is none or key in source.names)) }}
{%- endmacro %}
