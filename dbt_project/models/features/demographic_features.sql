{{ segql.demographic_features(ref('known_customers'), ref('stg_customers'), ref('as_of')) }}
