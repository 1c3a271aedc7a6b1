-- Each segment of the summary and each RFM segment has one recommendation.
with

segments as (

    select
        'customer_segments' as segmentation,
        segment_key
    from {{ ref('segment_summary') }}
    union
    select
        'rfm_segments' as segmentation,
        rfm_segment as segment_key
    from {{ ref('rfm_segments') }}

),

recommendations as (

    select
        segmentation,
        segment_key
    from {{ ref('segment_recommendations') }}
    where customers > 0

)

select
    coalesce(segments.segmentation, recommendations.segmentation) as segmentation,
    coalesce(segments.segment_key, recommendations.segment_key) as segment_key
from segments
full outer join recommendations
    on
        segments.segmentation = recommendations.segmentation
        and segments.segment_key = recommendations.segment_key
where segments.segment_key is null or recommendations.segment_key is null
