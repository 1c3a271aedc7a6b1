{{ config(
    materialized='incremental',
    incremental_strategy='append',
    schema='segql',
    full_refresh=false
) }}

{#- After the model, so that a refit that fails leaves the cuts as they are too. -#}
-- depends_on: {{ ref('kmeans_segments') }}
{{ segql.rfm_cuts(ref('customer_features')) }}
