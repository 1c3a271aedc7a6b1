-- depends_on: {{ ref('kmeans_segments') }}
{{ segql.model_checks(
    'customers', ref('customer_features'), largest_drift=var('largest_drift')
) }}
