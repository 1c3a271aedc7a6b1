{#-
    Refuses columns of segments and products that are not there, and says once when the order
    lines have no product ids, so that there will be no rows.
-#}
{% macro check_products(macro, order_lines, segments, segment, id, options) -%}
    {%- do segql.check_columns(macro, segments, {'segment': segment, 'id': id}) -%}
    {%- if options.products is not none -%}
        {%- do segql.check_columns(macro, options.products, {
            'product_key': options.product_key, 'product_name': options.product_name,
            'category': options.category,
        }) -%}
    {%- endif -%}
    {%- do segql.check_columns(macro, order_lines, {'product': options.product}) -%}
    {%- if execute and options.product is none -%}
        {%- do log('segql: ' ~ macro ~ ' has no rows: the option product is none', info=true) -%}
    {%- elif flags.WHICH in ['run', 'build'] and segql.relation_columns(order_lines) -%}
        {%- set product = segql.quote_identifier(options.product) -%}
        {%- set found = run_query(
            'select 1 as one from ' ~ order_lines ~ ' as order_lines where ' ~ product
            ~ ' is not null limit 1'
        ) -%}
        {%- if found.rows | length == 0 -%}
            {%- do log(
                'segql: ' ~ macro ~ ' has no rows: no order line of ' ~ order_lines
                ~ ' has a product (' ~ options.product ~ ')',
                info=true
            ) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
