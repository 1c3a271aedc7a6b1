-- depends_on: {{ ref('kmeans_segments') }}
with

named_segments as (

    select * from {{ ref('named_segments') }}

),

trust_by_segment as (

    select * from {{ ref('trust_by_segment') }}

),

known_keys as (

    {{ segql.known_segment_keys('customers') | indent(4) }}

),

measured as (

    {{ segql.campaign_uplift(ref('campaign_results'), 'known_keys') | indent(4) }}

)

select
    measured.segment_key,
    coalesce(named_segments.segment_name, measured.segment_key) as segment_name,
    measured.campaigns,
    measured.last_ends_on,
    measured.treated,
    measured.treated_buyers,
    measured.treated_rate,
    measured.holdout,
    measured.holdout_buyers,
    measured.holdout_rate,
    measured.uplift,
    measured.uplift_low,
    measured.uplift_high,
    coalesce(trust_by_segment.verdict, 'not measured') as trust
from measured
left join named_segments
    on measured.segment_key = named_segments.segment_key
left join trust_by_segment
    on measured.segment_key = trust_by_segment.segment_key
order by measured.segment_key
