-- depends_on: {{ ref('kmeans_segments') }}
{{ segql.segment_trust('customers') }}
