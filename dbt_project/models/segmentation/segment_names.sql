{{ segql.segment_names(
    ref('all_customer_segments'),
    ref('rfm_scores'),
    ref('segment_feature_profiles'),
    rfm_map_var(),
    low_score=var('name_low_score'),
    high_score=var('name_high_score'),
    one_time_orders=var('name_one_time_orders'),
    new_tenure_z_score=var('name_new_tenure_z_score')
) }}
