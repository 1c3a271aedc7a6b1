with

all_customer_segments as (

    select * from {{ ref('all_customer_segments') }}

),

segment_names as (

    select * from {{ ref('segment_names') }}

),

joined as (

    select
        all_customer_segments.customer_id,
        all_customer_segments.segment_id,
        all_customer_segments.segment_key,
        segment_names.segment_name,
        all_customer_segments.distance,
        all_customer_segments.next_segment_id,
        all_customer_segments.confidence,
        all_customer_segments.model_version,
        all_customer_segments.as_of_date
    from all_customer_segments
    left join segment_names
        on all_customer_segments.segment_key = segment_names.segment_key

)

select * from joined
order by customer_id
