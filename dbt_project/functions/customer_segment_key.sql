{#- After the model: its expression is read from the registry. -#}
-- depends_on: {{ ref('kmeans_segments') }}
{{ segql.segment_expression('customers') }}
