{#- The vars that say which order lines count, as options of segql.rfm_features. -#}
{% macro order_line_vars() -%}
    {{ return({
        'load_date': ref('as_of'),
        'row_hash': 'source_row_hash',
        'guests': var('guests'),
        'returns': var('returns'),
        'return_pattern': var('return_pattern'),
        'non_product_pattern': var('non_product_pattern'),
        'drop_duplicate_lines': var('drop_duplicate_lines'),
        'drop_non_product_lines': var('drop_non_product_lines'),
    }) }}
{%- endmacro %}
