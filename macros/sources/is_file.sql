{#- True for a mapped relation that names a file. -#}
{% macro is_file(text) -%}
    {{ return(modules.re.search('\\.(parquet|csv|tsv)(\\.gz|\\.zst)?$', text | lower) is not none) }}
{%- endmacro %}
