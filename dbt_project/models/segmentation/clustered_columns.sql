-- depends_on: {{ ref('kmeans_segments') }}
{{ segql.clustered_columns('customers') }}
