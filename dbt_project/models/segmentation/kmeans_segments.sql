{{ config(
    materialized='segmentation',
    model='customers',
    refit=var('refit'),
    **segmentation_vars()
) }}

select * from {{ ref('customer_features') }}
