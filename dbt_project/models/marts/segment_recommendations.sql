with

segment_summary as (

    select * from {{ ref('segment_summary') }}

),

named_segments as (

    select * from {{ ref('named_segments') }}

),

playbook as (

    select * from {{ ref('playbook') }}

),

joined as (

    select
        segment_summary.segment_key,
        segment_summary.segment_name,
        named_segments.archetype,
        segment_summary.customers,
        playbook.action,
        playbook.offer_style,
        playbook.channel,
        playbook.measure,
        segment_summary.trust
    from segment_summary
    left join named_segments
        on segment_summary.segment_key = named_segments.segment_key
    left join playbook
        on named_segments.archetype = playbook.archetype

)

select * from joined
order by customers desc, segment_key asc
