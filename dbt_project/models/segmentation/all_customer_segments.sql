with

kmeans_segments as (

    select * from {{ ref('kmeans_segments') }}

),

prospects as (

    select * from {{ ref('prospects') }}

),

scored as (

    select
        customer_id,
        segment_id,
        {{ segql.segment_key('segment_key') }} as segment_key,
        distance,
        next_segment_id,
        confidence,
        model_version,
        as_of_date
    from kmeans_segments

),

unfitted as (

    select
        customer_id,
        cast(null as integer) as segment_id,
        'prospect' as segment_key,
        cast(null as double) as distance,
        cast(null as integer) as next_segment_id,
        cast(null as double) as confidence,
        cast(null as integer) as model_version,
        as_of_date
    from prospects

)

select * from scored
union all
select * from unfitted
