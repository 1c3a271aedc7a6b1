-- Each customer of the features, and each prospect, is in customer_segments exactly once.
with

expected as (

    select customer_id from {{ ref('customer_features') }}
    union all
    select customer_id from {{ ref('prospects') }}

),

found as (

    select customer_id from {{ ref('customer_segments') }}

)

select
    coalesce(expected.customer_id, found.customer_id) as customer_id,
    count(expected.customer_id) as expected_rows,
    count(found.customer_id) as found_rows
from expected
full outer join found
    on expected.customer_id = found.customer_id
group by 1
having count(expected.customer_id) <> 1 or count(found.customer_id) <> 1
