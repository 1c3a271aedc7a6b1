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
        case
            when scored_rows.segment_id is not null
                then list_transform(
                    segments.every_segment,
                    lambda __sq_one: case
                        when __sq_one.radius > 0
                            then list_distance(scored_rows.__sq_point, __sq_one.centroid)
                                / __sq_one.radius
                        when list_distance(scored_rows.__sq_point, __sq_one.centroid) > 0
                            then 'infinity'::double
                        else 0.0
                    end
                )
        end as __sq_distances
    from scored_rows
    cross join segments
),

nearest as (
    select
        *,
        list_min(__sq_distances) as __sq_normalized
    from distances
),

ranked as (
    select
        *,
        row_number() over (order by __sq_normalized desc nulls last, __sq_id)
            as __sq_rank,
        floor(contamination_share * count(__sq_normalized) over () + 1e-9) as __sq_anomalies
    from nearest
)

select
    columns(lambda c: not starts_with(c, '__sq_') and lower(c) not in (
        'segment_id', 'segment_key', 'distance', 'next_segment_id', 'confidence',
        'is_anomaly', 'normalized_distance', 'centroid_id'
    )),
    case
        when __sq_normalized is not null then __sq_rank <= __sq_anomalies
    end as is_anomaly,
    __sq_normalized as normalized_distance,
    case
        when __sq_normalized is not null
            then list_position(__sq_distances, __sq_normalized)::integer
    end as centroid_id
from ranked
