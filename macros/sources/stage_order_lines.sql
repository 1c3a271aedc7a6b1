{#- The body of stg_order_lines: the mapped order lines under their fixed names. -#}
{% macro stage_order_lines() -%}
    {%- if not execute -%}{{ return('select 1 as parsed') }}{%- endif -%}
    {%- set source = segql.source_mapping('order_lines') -%}
    {%- do segql.check_source(
        source,
        numbers=['quantity', 'price'],
        timestamps=['timestamp', 'loaded_at'],
        needs_rows=true
    ) -%}
    {%- set format = source.options.get('timestamp_format') -%}
    {%- set column = {} -%}
    {%- for key, name in source.names.items() -%}
        {%- do column.update({key: segql.quote_identifier(name)}) -%}
    {%- endfor -%}
select
    {{ segql.customer_id_expression(column.customer, source.types.customer) }} as customer_id,
    {{ segql.id_expression(column.order, source.types.order) }} as order_id,
    {{ segql.timestamp_expression(column.timestamp, source.types.timestamp, format) }} as ordered_at,
    {{ segql.id_expression(column.product, source.types.product) }} as product_id,
    {{ segql.number_expression(column.quantity, source.types.quantity) }} as quantity,
    {{ segql.number_expression(column.price, source.types.price) }} as unit_price,
    {% if 'loaded_at' in column -%}
    {{ segql.timestamp_expression(column.loaded_at, source.types.loaded_at, format) }}
    {%- else -%}
    cast(null as timestamp)
    {%- endif %} as loaded_at,
    {{ segql.row_hash(source.columns) }} as source_row_hash
from {{ source.from }}
{%- endmacro %}
