-- Each customer of the features is in rfm_segments exactly once.
with

expected as (

    select customer_id from {{ ref('customer_features') }}

),

found as (

    select customer_id from {{ ref('rfm_segments') }}

)

select coalesce(expected.customer_id, found.customer_id) as customer_id
from expected
full outer join found
    on expected.customer_id = found.customer_id
group by 1
having count(expected.customer_id) <> 1 or count(found.customer_id) <> 1
