with

segment_summary as (

    select * from {{ ref('segment_summary') }}

),

named_segments as (

    select * from {{ ref('named_segments') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

segment_map as (

    {{ segql.rfm_map_query(rfm_map_var()) | indent(4) }}

),

learned as (

    select
        segment_summary.segment_key,
        segment_summary.segment_name,
        named_segments.archetype,
        segment_summary.customers,
        segment_summary.trust
    from segment_summary
    left join named_segments
        on segment_summary.segment_key = named_segments.segment_key

),

learned_timing as (

    {{ segql.segment_timing(
        ref('purchase_intervals'),
        ref('customer_segments'),
        ref('customer_features'),
        min_intervals=var('timing_min_intervals')
    ) | indent(4) }}

),

learned_actions as (

    {{ segql.segment_actions(
        'learned',
        'learned_timing',
        ref('playbook'),
        rfm_map_var()
    ) | indent(4) }}

),

-- A segment of the map that nobody is in tonight may have customers tomorrow.
rfm as (

    select
        segment_map.rfm_segment as segment_key,
        segment_map.rfm_segment as segment_name,
        segment_map.rfm_segment as archetype,
        count(rfm_segments.customer_id) as customers
    from segment_map
    left join rfm_segments
        on segment_map.rfm_code = rfm_segments.rfm_code
    group by segment_map.rfm_segment

),

rfm_timing as (

    {{ segql.segment_timing(
        ref('purchase_intervals'),
        ref('rfm_segments'),
        ref('customer_features'),
        segment='rfm_segment',
        min_intervals=var('timing_min_intervals')
    ) | indent(4) }}

),

rfm_actions as (

    {{ segql.segment_actions(
        'rfm',
        'rfm_timing',
        ref('playbook'),
        rfm_map_var(),
        segment_keys=ref('segment_summary')
    ) | indent(4) }}

),

combined as (

    select
        'customer_segments' as segmentation,
        learned_actions.*,
        learned.trust
    from learned_actions
    inner join learned
        on learned_actions.segment_key = learned.segment_key
    union all
    select
        'rfm_segments' as segmentation,
        rfm_actions.*,
        'not measured' as trust
    from rfm_actions

)

select
    segmentation,
    segment_key,
    segment_name,
    archetype,
    customers,
    action,
    offer_style,
    channel,
    timing,
    intervals,
    median_interval_days,
    contact_after_days,
    timing_basis,
    customers_due,
    measure,
    trust
from combined
order by
    segmentation asc,
    customers desc,
    segment_key asc
