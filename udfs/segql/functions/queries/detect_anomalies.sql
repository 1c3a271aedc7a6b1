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
                    lambda _sq_one: case
                        when _sq_one.radius > 0
                            then list_distance(scored_rows._sq_point, _sq_one.centroid)
                                / _sq_one.radius
                        when list_distance(scored_rows._sq_point, _sq_one.centroid) > 0
                            then 'infinity'::double
                        else 0.0
                    end
                )
        end as _sq_distances
    from scored_rows
    cross join segments
),

nearest as (
    select
        *,
        list_min(_sq_distances) as _sq_normalized
    from distances
),

ranked as (
    select
        *,
        row_number() over (order by _sq_normalized desc nulls last, _sq_id)
            as _sq_rank,
        floor(contamination_share * count(_sq_normalized) over () + 1e-9) as _sq_anomalies
    from nearest
)

select
    columns(lambda c: not starts_with(c, '_sq_') and lower(c) not in (
        'segment_id', 'segment_key', 'distance', 'next_segment_id', 'confidence',
        'is_anomaly', 'normalized_distance', 'centroid_id'
    )),
    case
        when _sq_normalized is not null then _sq_rank <= _sq_anomalies
    end as is_anomaly,
    _sq_normalized as normalized_distance,
    case
        when _sq_normalized is not null
            then list_position(_sq_distances, _sq_normalized)::integer
    end as centroid_id
from ranked
