{{ segql.customer_features(
    ref('rfm_features'),
    ref('demographic_features'),
    ref('behavior_features')
) }}
