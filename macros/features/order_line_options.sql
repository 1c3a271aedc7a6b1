{#-
    What segql.order_line_reasons and segql.rfm_features accept, with the defaults: column names
    (none where there is none: the order is then the timestamp, the quantity 1), and what counts.
-#}
{% macro order_line_options() -%}
    {{ return({
        'customer': 'customer_id',
        'order': 'order_id',
        'timestamp': 'ordered_at',
        'product': 'product_id',
        'quantity': 'quantity',
        'price': 'unit_price',
        'row_hash': none,
        'load_date': none,
        'guests': 'drop',
        'returns': 'subtract',
        'return_pattern': '',
        'non_product_pattern': '',
        'drop_non_product_lines': false,
        'drop_duplicate_lines': false,
    }) }}
{%- endmacro %}
