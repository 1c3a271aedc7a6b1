with

learned as (

    {{ segql.segment_transitions(
        ref('segment_history'),
        from_date=var('transitions_from'),
        to_date=var('transitions_to')
    ) | indent(4) }}

),

rfm as (

    {{ segql.segment_transitions(
        ref('segment_history'),
        segment='rfm_segment',
        from_date=var('transitions_from'),
        to_date=var('transitions_to')
    ) | indent(4) }}

),

combined as (

    select
        'customer_segments' as segmentation,
        *
    from learned
    union all
    select
        'rfm_segments' as segmentation,
        *
    from rfm

)

select
    segmentation,
    from_date,
    to_date,
    from_segment,
    to_segment,
    customers,
    share,
    share_of_from_segment,
    revenue
from combined
order by
    segmentation asc,
    customers desc,
    from_segment asc,
    to_segment asc
