{#- The key of a segment as text, with a word for customers that the model could not score. -#}
{% macro segment_key(column) -%}
    coalesce(cast({{ column }} as string), 'unscored')
{%- endmacro %}
