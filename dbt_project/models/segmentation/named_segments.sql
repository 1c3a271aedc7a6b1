with

generated as (

    select * from {{ ref('generated_segment_names') }}

),

given as (

    select
        segment_key,
        name
    from {{ ref('segment_names') }}

),

named as (

    select
        generated.segment_key,
        case
            when given.name is not null then given.name
            when generated.segment_name in (select given.name from given)
                then generated.segment_name || ' (' || generated.segment_key || ')'
            else generated.segment_name
        end as segment_name,
        given.name is not null as is_given,
        generated.archetype
    from generated
    left join given
        on generated.segment_key = given.segment_key

)

select * from named
