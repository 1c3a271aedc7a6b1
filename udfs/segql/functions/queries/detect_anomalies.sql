-- The rows of `scored_rows` that are farthest from all segments: distances are in units of each
-- segment's radius. Of n rows that can be scored, floor(contamination * n) are anomalies.
with segments as (
    select
        list({'segment_id': segment_id, 'centroid': centroid, 'radius': radius} order by segment_id)
            as every_segment
    from version_geometry
),

distances as (
    select
        scored_rows.*,
        list_transform(
            segments.every_segment,
            lambda __segql_one: case
                when __segql_one.radius > 0
                    then list_distance(scored_rows.__segql_point, __segql_one.centroid)
                        / __segql_one.radius
                when list_distance(scored_rows.__segql_point, __segql_one.centroid) > 0
                    then 'infinity'::double
                else 0.0
            end
        ) as __segql_distances
    from scored_rows
    cross join segments
),

nearest as (
    select
        *,
        case when segment_id is not null then list_min(__segql_distances) end
            as __segql_normalized
    from distances
),

ranked as (
    select
        *,
        row_number() over (order by __segql_normalized desc nulls last, __segql_id)
            as __segql_rank,
        floor(contamination_share * count(__segql_normalized) over () + 1e-9) as __segql_anomalies
    from nearest
)

select
    columns(lambda c: not starts_with(c, '__segql_') and lower(c) not in (
        'segment_id', 'segment_key', 'distance', 'next_segment_id', 'confidence',
        'is_anomaly', 'normalized_distance', 'centroid_id'
    )),
    case
        when __segql_normalized is not null then __segql_rank <= __segql_anomalies
    end as is_anomaly,
    __segql_normalized as normalized_distance,
    case
        when __segql_normalized is not null
            then list_position(__segql_distances, __segql_normalized)::integer
    end as centroid_id
from ranked
