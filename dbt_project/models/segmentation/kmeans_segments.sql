{{ config(
    materialized='segmentation',
    id='customer_id',
    model='customers',
    algorithm='kmeans',
    k=var('k'),
    pca=var('pca'),
    features=var('segmentation_features'),
    refit=var('refit')
) }}

select * from {{ ref('customer_features') }}
