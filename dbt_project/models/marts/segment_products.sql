with

affinity as (

    {{ segql.product_affinity(
        ref('stg_order_lines'),
        ref('customer_segments'),
        ref('as_of'),
        min_buyers=var('product_min_buyers'),
        shrinkage=var('product_shrinkage'),
        fdr=var('product_fdr'),
        products=ref('stg_products'),
        **order_line_vars()
    ) | indent(4) }}

),

segment_summary as (

    select * from {{ ref('segment_summary') }}

),

top_products as (

    {{ segql.top_products(
        'affinity',
        ref('segment_summary'),
        per_segment=var('products_per_segment')
    ) | indent(4) }}

)

select
    top_products.segment_key,
    segment_summary.segment_name,
    top_products.rank,
    top_products.note,
    top_products.product_id,
    top_products.product_name,
    top_products.category,
    top_products.buyers,
    top_products.segment_buyers,
    top_products.share,
    top_products.overall_share,
    top_products.index_100,
    top_products.p_value,
    top_products.q_value,
    top_products.is_distinctive,
    segment_summary.trust
from top_products
inner join segment_summary
    on top_products.segment_key = segment_summary.segment_key
order by top_products.segment_key, top_products.rank
