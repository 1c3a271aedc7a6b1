{#- Says how many products are described more than once. -#}
{% macro log_repeated_products(source) -%}
    {%- set id = segql.id_expression(
        segql.quote_identifier(source.names.product), source.types.product) -%}
    {%- set repeated = run_query(
        'select count(' ~ id ~ ') - count(distinct ' ~ id ~ ') from ' ~ source.from
    ).rows[0][0] | int -%}
    {%- if repeated > 0 -%}
        {%- do log(
            'segql: ' ~ repeated ~ ' rows of ' ~ source.text
            ~ ' repeat a product id; of each, the first name is kept',
            info=true
        ) -%}
    {%- endif -%}
{%- endmacro %}
