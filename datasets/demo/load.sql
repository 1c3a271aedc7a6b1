-- A made-up shop of two years, 2024-01-01 to 2025-12-31, of any size. Nothing is random:
-- every choice is a hash of what it is about and the seed, so the same customers and seed
-- give the same shop on any machine. Customers belong to one of five planted groups (the
-- column planted_group, which no feature reads):
--   regular  orders every few weeks, middling baskets      bargain  often, small baskets
--   premium  often and lately, large baskets               lapsed   ordered in the first year
--   new      first order in the last weeks
create or replace temporary macro chance(a, b) as
    (hash(a, b, getvariable('seed')) % 1000003) / 1000003e0;

-- About normal: mean 0, deviation 1, within ±3.5.
create or replace temporary macro bell(a, b) as
    (chance(a, b || ' 1') + chance(a, b || ' 2') + chance(a, b || ' 3') + chance(a, b || ' 4') - 2)
    * 1.732e0;

create or replace temporary table planted_groups as
select *
from (
    values
    -- share of customers up to, name, orders, first and last order (days before the end),
    -- lines per order, price level, events per month, chance of a return
    (0.30e0, 'regular', 7e0, 560, 45, 2.0e0, 1.0e0, 1.2e0, 0.04e0),
    (0.48e0, 'bargain', 22e0, 640, 14, 1.3e0, 0.4e0, 2.5e0, 0.06e0),
    (0.62e0, 'premium', 26e0, 660, 7, 4.0e0, 1.9e0, 2.2e0, 0.03e0),
    (0.82e0, 'lapsed', 2.2e0, 620, 480, 2.2e0, 1.0e0, 0.2e0, 0.04e0),
    (1.00e0, 'new', 1.3e0, 32, 14, 1.8e0, 0.9e0, 3.0e0, 0.03e0)
) as planted_groups (
    up_to, name, orders, first_day, last_day, lines, price_level, events, return_chance
);

create or replace temporary table people as
with

numbered as (

    select
        number,
        chance(number, 'group') as group_chance,
        chance(number, 'buys') < 0.05 as is_prospect
    from range(getvariable('customers')) as numbers (number)

),

grouped as (

    select
        numbered.number,
        numbered.is_prospect,
        planted_groups.*,
        row_number() over (partition by numbered.number order by planted_groups.up_to) as place
    from numbered
    inner join planted_groups
        on numbered.group_chance < planted_groups.up_to

)

select
    number,
    'C' || lpad(cast(number + 1 as varchar), 8, '0') as customer_id,
    is_prospect,
    name as planted_group,
    lines,
    return_chance,
    price_level * exp(0.18 * bell(number, 'price')) as price_level,
    cast(greatest(1, round(orders * exp(0.22 * bell(number, 'orders')))) as integer) as orders,
    cast(round(first_day * exp(0.07 * bell(number, 'first'))) as integer) as first_day,
    cast(round(last_day * exp(0.18 * bell(number, 'last'))) as integer) as last_day,
    events * exp(0.3 * bell(number, 'events')) as events_per_month
from grouped
where place = 1;
