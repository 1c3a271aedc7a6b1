{#- True when an optional source is there. -#}
{% macro has_source(name) -%}
    {{ return(execute and segql.source_mapping(name, quiet=true) is not none) }}
{%- endmacro %}
