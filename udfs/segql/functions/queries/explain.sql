-- Why each row of `scored_rows` is in its segment and not in the next one: what every feature adds
-- to the squared distance to the next centroid less that to the own one. The attributions of a row
-- add up to that difference; what is below zero pulls it to the next segment.
with attributed as (
    select
        scored_rows.*,
        __sq_own.features as __sq_features,
        __sq_own.last_inputs as __sq_last,
        list_transform(
            scored_rows.__sq_inputs,
            lambda __sq_input, __sq_at:
            (__sq_following.weights[__sq_at] - __sq_own.weights[__sq_at])
            * (
                __sq_input
                - (
                    __sq_following.input_center[__sq_at]
                    + __sq_own.input_center[__sq_at]
                ) / 2
            )
        ) as __sq_parts
    from scored_rows
    left join version_geometry as __sq_own
        on scored_rows.segment_id = __sq_own.segment_id
    left join version_geometry as __sq_following
        on scored_rows.next_segment_id = __sq_following.segment_id
),

summed as (
    select
        *,
        list_transform(
            __sq_features,
            lambda __sq_feature, __sq_at: {
                'attribution': list_sum(
                    __sq_parts[
                        coalesce(__sq_last[__sq_at - 1], 0) + 1:__sq_last[__sq_at]
                    ]
                ),
                'feature': __sq_feature
            }
        ) as __sq_unsorted
    from attributed
)

select
    columns(lambda c: not starts_with(c, '__sq_') and lower(c) not in (
        'distance', 'confidence', 'top_feature_attributions'
    )),
    case
        when next_segment_id is not null and segment_id > 0
            then list_transform(
                list_sort(__sq_unsorted, 'desc', 'nulls last'),
                lambda __sq_part: {
                    'feature': __sq_part.feature, 'attribution': __sq_part.attribution
                }
            )
    end as top_feature_attributions
from summed
