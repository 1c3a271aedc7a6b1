{#-
    Where products are described, which segql.product_affinity and segql.recommendations accept
    besides the options of segql.order_line_options: the relation (none: the id is the name) and
    its columns of the id, the name and the category (none where there is none).
-#}
{% macro product_options() -%}
    {%- set options = segql.order_line_options() -%}
    {%- do options.update({
        'products': none,
        'product_key': 'product_id',
        'product_name': 'product_name',
        'category': 'category',
    }) -%}
    {{ return(options) }}
{%- endmacro %}
