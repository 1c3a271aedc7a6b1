{{ config(
    materialized='segmentation',
    id='customer_id',
    model='customers',
    algorithm='kmeans',
    k=var('k'),
    features=var('segmentation_features')
) }}

select * from {{ ref('customer_features') }}
