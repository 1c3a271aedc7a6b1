with

as_of as (

    select * from {{ ref('as_of') }}

),

order_lines as (

    select * from {{ ref('stg_order_lines') }}

),

bounds as (

    select
        min(cast(order_lines.ordered_at as date)) as first_day,
        max(as_of.as_of_date) as last_day
    from order_lines
    inner join as_of
        on cast(order_lines.ordered_at as date) <= as_of.as_of_date

)

select {{ segql.each_day('first_day', 'last_day') }} as date_day
from bounds
