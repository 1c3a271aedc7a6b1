{{ config(
    materialized='segmentation',
    model='customers',
    refit=config_var('refit'),
    **segmentation_vars()
) }}

select * from {{ ref('customer_features') }}
