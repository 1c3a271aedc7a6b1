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

ranked as (

    select
        *,
        coalesce(distinctive_rank <= {{ var('products_per_segment') }}, false) as is_listed
    from affinity

),

-- The distinctive ones, then the most bought of the others.
parts as (

    select
        *,
        case when is_listed then 1 else 3 end as part,
        row_number() over (
            partition by segment_key, is_listed
            order by case when is_listed then distinctive_rank else popularity_rank end
        ) as part_rank
    from ranked

),

listed as (

    select
        segment_key,
        product_id,
        product_name,
        category,
        buyers,
        segment_buyers,
        share,
        overall_share,
        index_100,
        p_value,
        q_value,
        is_distinctive,
        case when is_listed then 'distinctive' else 'popular' end as note,
        part,
        part_rank
    from parts
    where part_rank <= {{ var('products_per_segment') }}

),

-- No distinctive product is an answer, and has a row of its own.
answered as (

    select * from listed
    union all
    select
        segment_key,
        null as product_id,
        null as product_name,
        null as category,
        null as buyers,
        null as segment_buyers,
        null as share,
        null as overall_share,
        null as index_100,
        null as p_value,
        null as q_value,
        false as is_distinctive,
        'no distinctive product' as note,
        2 as part,
        1 as part_rank
    from segment_summary
    where segment_key not in (select segment_key from listed where is_distinctive)

)

select
    answered.segment_key,
    segment_summary.segment_name,
    cast(
        row_number() over (
            partition by answered.segment_key
            order by answered.part, answered.part_rank
        ) as integer
    ) as rank,
    answered.note,
    answered.product_id,
    answered.product_name,
    answered.category,
    answered.buyers,
    answered.segment_buyers,
    answered.share,
    answered.overall_share,
    answered.index_100,
    answered.p_value,
    answered.q_value,
    answered.is_distinctive
from answered
inner join segment_summary
    on answered.segment_key = segment_summary.segment_key
order by answered.segment_key, rank
