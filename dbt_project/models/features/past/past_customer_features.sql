{{ segql.customer_features(
    ref('past_rfm_features'),
    ref('past_demographic_features'),
    ref('past_behavior_features')
) }}
