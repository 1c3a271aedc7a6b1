{{ config(post_hook='{{ segql.drop_stages() }}') }}

with

recommendations as (

    {{ segql.recommendations(
        ref('stg_order_lines'),
        ref('customer_segments'),
        ref('as_of'),
        per_customer=var('recommendations_per_customer'),
        owned=var('recommend_owned'),
        shrinkage=var('product_shrinkage'),
        products=ref('stg_products'),
        **order_line_vars()
    ) | indent(4) }}

)

select
    customer_id,
    rank,
    product_id,
    product_name,
    category,
    source,
    reason,
    score
from recommendations
order by customer_id, rank
