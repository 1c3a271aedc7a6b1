-- Why each row of `scored_rows` is in its segment and not in the next one: what every feature adds
-- to the squared distance to the next centroid less that to the own one. The attributions of a row
-- add up to that difference; what is below zero pulls it to the next segment.
with attributed as (
    select
        scored_rows.*,
        _sq_own.features as _sq_features,
        _sq_own.last_inputs as _sq_last,
        list_transform(
            scored_rows._sq_inputs,
            lambda _sq_input, _sq_at:
            (_sq_following.weights[_sq_at] - _sq_own.weights[_sq_at])
            * (
                _sq_input
                - (
                    _sq_following.input_center[_sq_at]
                    + _sq_own.input_center[_sq_at]
                ) / 2
            )
        ) as _sq_parts
    from scored_rows
    left join version_geometry as _sq_own
        on scored_rows.segment_id = _sq_own.segment_id
    left join version_geometry as _sq_following
        on scored_rows.next_segment_id = _sq_following.segment_id
),

summed as (
    select
        *,
        list_transform(
            _sq_features,
            lambda _sq_feature, _sq_at: {
                'attribution': list_sum(
                    _sq_parts[
                        coalesce(_sq_last[_sq_at - 1], 0) + 1:_sq_last[_sq_at]
                    ]
                ),
                'feature': _sq_feature
            }
        ) as _sq_unsorted
    from attributed
)

select
    columns(lambda c: not starts_with(c, '_sq_') and lower(c) not in (
        'distance', 'confidence', 'top_feature_attributions'
    )),
    case
        when next_segment_id is not null and segment_id > 0
            then list_transform(
                list_sort(_sq_unsorted, 'desc', 'nulls last'),
                lambda _sq_part: {
                    'feature': _sq_part.feature, 'attribution': _sq_part.attribution
                }
            )
    end as top_feature_attributions
from summed
