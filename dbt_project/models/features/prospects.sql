with

known_customers as (

    select * from {{ ref('known_customers') }}

),

customer_features as (

    select * from {{ ref('customer_features') }}

),

as_of as (

    select * from {{ ref('as_of') }}

),

never_bought as (

    select
        known_customers.customer_id,
        as_of.as_of_date
    from known_customers
    cross join as_of
    left join customer_features
        on known_customers.customer_id = customer_features.customer_id
    where customer_features.customer_id is null

)

select * from never_bought
order by customer_id
