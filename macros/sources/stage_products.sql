{#- The body of stg_products: one row per product; of repeated ids the first name is kept. -#}
{% macro stage_products() -%}
    {%- if not execute -%}{{ return('select 1 as parsed') }}{%- endif -%}
    {%- set source = segql.source_mapping('products') -%}
    {%- if source is none -%}
select
    cast(null as string) as product_id,
    cast(null as string) as product_name,
    cast(null as string) as category
where false
    {%- else -%}
    {%- set names = source.names -%}
    {%- set name = segql.quote_identifier(names.name) if 'name' in names else 'null' -%}
    {%- do segql.log_repeated_products(source) -%}
    {%- set category = segql.quote_identifier(names.category) if 'category' in names else 'null' -%}
with

named as (

    select
        {{ segql.id_expression(
            segql.quote_identifier(names.product), source.types.product) }} as product_id,
        cast({{ name }} as string) as product_name,
        cast({{ category }} as string) as category
    from {{ source.from }}

),

numbered as (

    select
        *,
        row_number() over (
            partition by product_id
            order by product_name nulls last, category nulls last
        ) as place
    from named
    where product_id is not null

)

select product_id, product_name, category
from numbered
where place = 1
    {%- endif -%}
{%- endmacro %}
