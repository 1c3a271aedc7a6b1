-- Why each row of `scored_rows` is in its segment and not in the next one: what every feature adds
-- to the squared distance to the next centroid less that to the own one. The attributions of a row
-- add up to that difference; what is below zero pulls it to the next segment.
with attributed as (
    select
        scored_rows.*,
        __segql_own.features as __segql_features,
        __segql_own.last_inputs as __segql_last,
        list_transform(
            scored_rows.__segql_inputs,
            lambda __segql_input, __segql_at:
            (__segql_following.weights[__segql_at] - __segql_own.weights[__segql_at])
            * (
                __segql_input
                - (
                    __segql_following.input_center[__segql_at]
                    + __segql_own.input_center[__segql_at]
                ) / 2
            )
        ) as __segql_parts
    from scored_rows
    left join version_geometry as __segql_own
        on scored_rows.segment_id = __segql_own.segment_id
    left join version_geometry as __segql_following
        on scored_rows.next_segment_id = __segql_following.segment_id
),

summed as (
    select
        *,
        list_transform(
            __segql_features,
            lambda __segql_feature, __segql_at: {
                'attribution': list_sum(
                    __segql_parts[
                        coalesce(__segql_last[__segql_at - 1], 0) + 1:__segql_last[__segql_at]
                    ]
                ),
                'feature': __segql_feature
            }
        ) as __segql_unsorted
    from attributed
)

select
    columns(lambda c: not starts_with(c, '__segql_') and lower(c) not in (
        'distance', 'confidence', 'top_feature_attributions'
    )),
    case
        when next_segment_id is not null and segment_id > 0
            then list_transform(
                list_sort(__segql_unsorted, 'desc', 'nulls last'),
                lambda __segql_part: {
                    'feature': __segql_part.feature, 'attribution': __segql_part.attribution
                }
            )
    end as top_feature_attributions
from summed
