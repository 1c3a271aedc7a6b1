with

segment_summary as (

    select * from {{ ref('segment_summary') }}

),

segment_names as (

    select * from {{ ref('segment_names') }}

),

playbook as (

    select * from {{ ref('playbook') }}

),

joined as (

    select
        segment_summary.segment_key,
        segment_summary.segment_name,
        segment_names.archetype,
        segment_summary.customers,
        playbook.action,
        playbook.offer_style,
        playbook.channel,
        playbook.measure,
        segment_summary.trust
    from segment_summary
    left join segment_names
        on segment_summary.segment_key = segment_names.segment_key
    left join playbook
        on segment_names.archetype = playbook.archetype

)

select * from joined
order by customers desc, segment_key asc
