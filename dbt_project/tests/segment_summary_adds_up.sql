-- The segments' customers and revenue are those of all customers, and shares sum to 1.
with

summary as (

    select
        sum(customers) as customers,
        sum(share) as total_share,
        sum(revenue) as revenue
    from {{ ref('segment_summary') }}

),

customers as (

    select count(*) as customers
    from {{ ref('customer_segments') }}

),

spending as (

    select sum(monetary) as revenue
    from {{ ref('customer_features') }}

)

select
    summary.customers,
    summary.total_share,
    summary.revenue,
    customers.customers as expected_customers,
    spending.revenue as expected_revenue
from summary
cross join customers
cross join spending
where
    summary.customers <> customers.customers
    or abs(summary.total_share - 1) > 1e-9
    or abs(summary.revenue - spending.revenue) > 0.01 + 1e-9 * abs(spending.revenue)
