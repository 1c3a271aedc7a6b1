{{ segql.demographic_features(
    ref('stg_customers'),
    ref('as_of'),
    known_customers=ref('known_customers'),
    columns='all'
) }}
