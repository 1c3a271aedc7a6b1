{#- The map that the var rfm_map names: one of the package's, or a seed. -#}
{% macro rfm_map_var() -%}
    {%- set name = var('rfm_map') -%}
    {{ return(name if name in ['segments', 'grid'] else ref(name)) }}
{%- endmacro %}
