{{ config(
    materialized='segmentation',
    model='customers_backtest',
    refit={'min_age_days': 0, 'max_age_days': var('horizon_days')},
    when_too_few='empty',
    **segmentation_vars()
) }}

select past_customer_features.*
from {{ ref('past_customer_features') }} as past_customer_features
inner join {{ ref('past_as_of') }} as past_as_of
    on past_customer_features.as_of_date = past_as_of.as_of_date
where past_as_of.has_history
