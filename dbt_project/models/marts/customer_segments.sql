with

all_customer_segments as (

    select * from {{ ref('all_customer_segments') }}

),

named_segments as (

    select * from {{ ref('named_segments') }}

),

joined as (

    select
        all_customer_segments.customer_id,
        all_customer_segments.segment_id,
        all_customer_segments.segment_key,
        named_segments.segment_name,
        all_customer_segments.distance,
        all_customer_segments.next_segment_id,
        all_customer_segments.confidence,
        all_customer_segments.model_version,
        all_customer_segments.as_of_date
    from all_customer_segments
    left join named_segments
        on all_customer_segments.segment_key = named_segments.segment_key

)

select * from joined
order by customer_id
