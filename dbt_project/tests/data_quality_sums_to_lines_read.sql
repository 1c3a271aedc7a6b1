-- The exclusive reasons of data_quality sum to the order lines that were read.
with

reasons as (

    select sum(order_lines) as order_lines
    from {{ ref('data_quality') }}
    where not is_flag

),

lines_read as (

    select count(*) as order_lines
    from {{ ref('stg_order_lines') }}

)

select
    reasons.order_lines as reported,
    lines_read.order_lines as lines_read
from reasons
cross join lines_read
where reasons.order_lines is distinct from lines_read.order_lines
