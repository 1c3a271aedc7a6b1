-- Each segment of the summary has one recommendation.
with

summary as (

    select segment_key from {{ ref('segment_summary') }}

),

recommendations as (

    select segment_key from {{ ref('segment_recommendations') }}

)

select coalesce(summary.segment_key, recommendations.segment_key) as segment_key
from summary
full outer join recommendations
    on summary.segment_key = recommendations.segment_key
where summary.segment_key is null or recommendations.segment_key is null
