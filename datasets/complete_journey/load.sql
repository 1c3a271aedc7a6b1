-- Complete Journey 2.0 (sample): a grocer's year 2017, with demographics of some households,
-- products and coupon redemptions. The price is what the shop got per unit.
create or replace table raw.order_lines as
select
    household_id as customer_id,
    basket_id as order_id,
    transaction_timestamp as ordered_at,
    product_id,
    quantity,
    sales_value / nullif(quantity, 0) as unit_price,
    store_id,
    sales_value,
    retail_disc,
    coupon_disc,
    coupon_match_disc,
    week
from read_parquet(getvariable('data') || '/transactions.parquet');

create or replace table raw.customers as
select
    household_id as customer_id,
    age,
    income,
    home_ownership,
    marital_status,
    household_size,
    household_comp,
    kids_count
from read_parquet(getvariable('data') || '/demographics.parquet');

create or replace table raw.products as
select
    product_id,
    product_type as product_name,
    product_category as category,
    department,
    brand,
    package_size
from read_parquet(getvariable('data') || '/products.parquet');

-- Redeemed coupons, and the campaigns that a household was part of on their first day.
create or replace table raw.events as
select
    household_id as customer_id,
    cast(redemption_date as timestamp) as occurred_at,
    'coupon redemption' as event_type
from read_parquet(getvariable('data') || '/coupon_redemptions.parquet')
union all
select
    campaigns.household_id,
    cast(descriptions.start_date as timestamp),
    'campaign'
from read_parquet(getvariable('data') || '/campaigns.parquet') as campaigns
inner join read_parquet(getvariable('data') || '/campaign_descriptions.parquet') as descriptions
    on campaigns.campaign_id = descriptions.campaign_id;
