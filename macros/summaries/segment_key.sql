{#- The key of a segment, with a word for customers that the model could not score. -#}
{% macro segment_key(column) -%}
    coalesce({{ column }}, 'unscored')
{%- endmacro %}
