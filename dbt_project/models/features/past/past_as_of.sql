{%- if execute -%}
    {%- do segql.number_option(
        'past_as_of', 'horizon_days', var('horizon_days'), lowest=1, highest=36525) -%}
{%- endif -%}
with

as_of as (

    select * from {{ ref('as_of') }}

),

customer_features as (

    select * from {{ ref('customer_features') }}

),

horizon as (

    select cast({{ var('horizon_days') }} as integer) as horizon_days

),

first_order as (

    select max(tenure) as history_days
    from customer_features

)

select
    {{ segql.days_after(
        'as_of.as_of_date', '-least(horizon.horizon_days, first_order.history_days)'
    ) }} as as_of_date,
    as_of.loaded_at,
    as_of.as_of_date as next_until,
    horizon.horizon_days,
    cast(
        greatest(first_order.history_days - horizon.horizon_days, 0) as integer
    ) as past_days,
    first_order.history_days + 1 >= 2 * horizon.horizon_days as has_history
from as_of
cross join first_order
cross join horizon
