{#- Reads a file; ids of text files stay text, so that 00012 does not become 12. -#}
{% macro file_scan(located, names, ids) -%}
    {%- if located.from.startswith('read_parquet') -%}
        {{ return(located.from) }}
    {%- endif -%}
    {%- set types = [] -%}
    {%- for key in ids if key in names -%}
        {%- do types.append(segql.string_literal(names[key]) ~ ": 'VARCHAR'") -%}
    {%- endfor -%}
    {{ return(
        'read_csv(' ~ located.path ~ ', sample_size=-1, types={' ~ types | unique | join(', ') ~ '})'
    ) }}
{%- endmacro %}
