{#- Refuses what is no mapping of names to segment columns. -#}
{% macro check_segmentations(macro, segmentations) -%}
    {%- if segmentations is not mapping or not segmentations -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ": segmentations got '" ~ segmentations ~ "'; accepted is a mapping of names to"
            ~ " segment columns, such as {'ours': 'segment_key'}"
        ) -%}
    {%- endif -%}
{%- endmacro %}
