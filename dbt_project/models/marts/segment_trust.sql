with

trust_by_segment as (

    select * from {{ ref('trust_by_segment') }}

),

customer_segments as (

    select * from {{ ref('customer_segments') }}

),

named_segments as (

    select * from {{ ref('named_segments') }}

),

counted as (

    select
        segment_key,
        count(*) as customers
    from customer_segments
    where segment_id is not null
    group by segment_key

),

compared as (

    select
        trust_by_segment.segment_id,
        trust_by_segment.segment_key,
        trust_by_segment.jaccard,
        trust_by_segment.verdict,
        trust_by_segment.is_trusted,
        trust_by_segment.silhouette,
        trust_by_segment.reason,
        trust_by_segment.model_version,
        trust_by_segment.prefers_one,
        trust_by_segment.noise_share,
        trust_by_segment.previous_version,
        trust_by_segment.ari_to_previous,
        trust_by_segment.refit_moved,
        trust_by_segment.bootstraps,
        trust_by_segment.bootstrap_rows,
        trust_by_segment.sample_rows,
        trust_by_segment.input_rows,
        trust_by_segment.caps,
        named_segments.segment_name,
        trust_by_segment.share as fitted_share,
        coalesce(counted.customers, 0) as customers,
        sum(coalesce(counted.customers, 0)) over () as all_customers,
        0.5e0 * count(*) over () as smoothing
    from trust_by_segment
    left join counted
        on trust_by_segment.segment_key = counted.segment_key
    left join named_segments
        on trust_by_segment.segment_key = named_segments.segment_key

),

smoothed as (

    select
        *,
        (fitted_share * input_rows + 0.5e0) / (input_rows + smoothing) as expected_share,
        (customers + 0.5e0) / (all_customers + smoothing) as actual_share
    from compared

)

select
    segment_key,
    coalesce(segment_name, segment_key) as segment_name,
    cast(customers as bigint) as customers,
    cast(customers as double) / nullif(cast(all_customers as double), 0) as share,  -- noqa: RF04
    fitted_share,
    round((actual_share - expected_share) * ln(actual_share / expected_share), 6) as share_drift,
    jaccard,
    verdict,
    is_trusted,
    silhouette,
    reason,
    model_version,
    prefers_one,
    noise_share,
    previous_version,
    ari_to_previous,
    refit_moved,
    bootstraps,
    bootstrap_rows,
    sample_rows,
    input_rows,
    caps
from smoothed
order by segment_id
