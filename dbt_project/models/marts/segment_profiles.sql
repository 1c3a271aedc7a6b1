with

segment_feature_profiles as (

    select * from {{ ref('segment_feature_profiles') }}

),

named_segments as (

    select * from {{ ref('named_segments') }}

),

trust_by_segment as (

    select * from {{ ref('trust_by_segment') }}

),

clustered_columns as (

    select * from {{ ref('clustered_columns') }}

),

joined as (

    select
        segment_feature_profiles.segment_key,
        named_segments.segment_name,
        segment_feature_profiles.feature,
        segment_feature_profiles.level,
        segment_feature_profiles.customers,
        segment_feature_profiles.mean,
        segment_feature_profiles.overall_mean,
        segment_feature_profiles.index_100,
        segment_feature_profiles.z_score,
        segment_feature_profiles.place,
        clustered_columns.feature is not null as is_clustered_on,
        clustered_columns.relevance,
        segment_feature_profiles.eta_squared,
        segment_feature_profiles.feature_rank,
        coalesce(trust_by_segment.verdict, 'not measured') as trust
    from segment_feature_profiles
    left join named_segments
        on segment_feature_profiles.segment_key = named_segments.segment_key
    left join clustered_columns
        on segment_feature_profiles.feature = clustered_columns.feature
    left join trust_by_segment
        on segment_feature_profiles.segment_key = trust_by_segment.segment_key
    order by
        segment_feature_profiles.segment_key,
        segment_feature_profiles.feature_position,
        segment_feature_profiles.level

)

select * from joined
