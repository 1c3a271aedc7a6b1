-- UCI Online Retail: the order lines of a UK gift wholesaler, 2010-12-01 to 2011-12-09.
create or replace table raw.order_lines as
select
    invoiceno as order_id,
    stockcode as product_id,
    description,
    quantity,
    invoicedate as ordered_at,
    unitprice as unit_price,
    customerid as customer_id,
    country
from read_parquet(getvariable('data') || '/online_retail.parquet');

-- The country of a customer's last line.
create or replace table raw.customers as
select
    customer_id,
    arg_max(country, (ordered_at, order_id, country)) as country
from raw.order_lines
where customer_id is not null
group by customer_id
order by customer_id;

-- Descriptions vary by line: the commonest in capitals is the name, remarks are not.
create or replace table raw.products as
with

described as (

    select
        product_id,
        trim(description) as product_name,
        count(*) as order_lines
    from raw.order_lines
    where description = upper(description)
    group by all

)

select
    product_id,
    arg_max(product_name, (order_lines, product_name)) as product_name
from described
group by product_id
order by product_id;
