{{ segql.behavior_features(
    ref('known_customers'),
    ref('stg_events'),
    ref('as_of'),
    recent_days=var('recent_event_days'),
    max_event_types=var('max_event_types'),
    has_events=segql.has_source('events')
) }}
