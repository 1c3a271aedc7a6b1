{{ segql.demographic_features(
    ref('stg_customers'),
    ref('past_as_of'),
    known_customers=ref('past_known_customers'),
    columns='all'
) }}
