-- A made-up shop of two years, 2024-01-01 to 2025-12-31, of any size. Each choice is a hash of what
-- it is about and of the seed: the same customers and seed give the same shop on any machine. Each
-- buyer belongs to one of five planted groups (the column planted_group, which no feature reads):
--   regular   orders every few months, middling baskets
--   bargain   orders often, one or two cheap things
--   premium   orders often, large and dear baskets
--   lapsed    ordered once or twice in the first months, long silent
--   new       first ordered in the last weeks
create or replace temporary macro chance(subject, choice) as
(hash(subject, choice, cast(getvariable('seed') as bigint)) % 1000003) / 1000003e0;

-- About normal: mean 0, deviation 1, never beyond 3.5.
create or replace temporary macro bell(subject, choice) as
1.732e0 * (
    chance(subject, choice || ' a') + chance(subject, choice || ' b')
    + chance(subject, choice || ' c') + chance(subject, choice || ' d') - 2
);

-- The day that lies so many days before the last day of the shop.
create or replace temporary macro days_before_end(days) as
date '2025-12-31' - cast(greatest(0, least(729, days)) as integer);

create or replace temporary macro at_shop_hours(day, subject) as
cast(day as timestamp)
+ to_seconds(28800 + cast(floor(43200 * chance(subject, 'hour')) as integer));

create or replace temporary table planted_groups as
select *
from (
    values
    (0.00e0, 0.30e0, 'regular', 6.0e0, 520, 60, 2.0e0, 'standard', 10e0, 0.04e0, 38),
    (0.30e0, 0.48e0, 'bargain', 14.0e0, 640, 14, 1.3e0, 'basic', 17e0, 0.06e0, 29),
    (0.48e0, 0.62e0, 'premium', 18.0e0, 660, 7, 3.2e0, 'select', 15e0, 0.03e0, 52),
    (0.62e0, 0.82e0, 'lapsed', 1.8e0, 640, 470, 2.0e0, 'standard', 4e0, 0.04e0, 45),
    (0.82e0, 1.00e0, 'new', 1.3e0, 40, 18, 1.6e0, 'standard', 6e0, 0.03e0, 33)
) as planted_groups (
    share_from, share_to, planted_group, orders, first_day, last_day, lines, tier, events,
    return_share, age
);

create or replace temporary table people as
with

numbered as (

    select
        number,
        'C' || lpad(cast(number + 1 as varchar), 8, '0') as customer_id,
        chance(number, 'group') as group_chance,
        chance(number, 'buys') < 0.05 as is_prospect
    from range(cast(getvariable('customers') as bigint)) as numbers (number)

)

select
    numbered.number,
    numbered.customer_id,
    numbered.is_prospect,
    planted_groups.planted_group,
    planted_groups.tier,
    planted_groups.return_share,
    planted_groups.lines * exp(0.25 * bell(number, 'lines')) as lines,
    cast(greatest(1, round(planted_groups.orders * exp(0.35 * bell(number, 'orders')))) as integer)
        as orders,
    cast(round(planted_groups.first_day * exp(0.10 * bell(number, 'first'))) as integer)
        as first_day,
    cast(
        round(
            planted_groups.last_day
            * exp(if(planted_group = 'lapsed', 0.12, 0.5) * bell(number, 'last'))
        ) as integer
    ) as last_day,
    cast(round(planted_groups.events * exp(0.3 * bell(number, 'events'))) as integer) as events,
    cast(greatest(18, round(planted_groups.age + 9 * bell(number, 'age'))) as integer) as age
from numbered
inner join planted_groups
    on
        numbered.group_chance >= planted_groups.share_from
        and numbered.group_chance < planted_groups.share_to;

create or replace table raw.customers as
select
    customer_id,
    'Customer ' || (number + 1) as full_name,
    lower(customer_id) || '@example.com' as email,
    case when chance(number, 'age known') > 0.08 then age end as age,
    case
        when chance(number, 'gender') < 0.50 then 'female'
        when chance(number, 'gender') < 0.94 then 'male'
        when chance(number, 'gender') < 0.97 then 'other'
    end as gender,
    case
        when chance(number, 'region') < 0.30 then 'North'
        when chance(number, 'region') < 0.55 then 'South'
        when chance(number, 'region') < 0.78 then 'East'
        when chance(number, 'region') < 0.97 then 'West'
    end as region,
    case
        when chance(number, 'income known') > 0.12
            then
                500 * cast(
                    round(
                        (48 + 0.4 * least(age, 60) + if(tier = 'select', 40, 0))
                        * exp(0.35 * bell(number, 'income'))
                    ) as integer
                )
    end as income,
    days_before_end(
        if(is_prospect, 700 * chance(number, 'signup'), first_day + 20 * chance(number, 'signup'))
    ) as registered_at,
    case when not is_prospect then planted_group end as planted_group
from people
order by number;

create or replace table raw.products as
with

categories (category, base_price, items) as (

    values
    ('Kitchen', 14e0, ['Kettle', 'Teapot', 'Mug', 'Pan', 'Knife', 'Bowl', 'Jug', 'Apron']),
    ('Garden', 18e0, ['Rake', 'Planter', 'Lantern', 'Hose', 'Trowel', 'Seeds', 'Bench', 'Gloves']),
    ('Books', 11e0, ['Novel', 'Atlas', 'Cookbook', 'Diary', 'Comic', 'Guide', 'Poems', 'Puzzle']),
    ('Toys', 15e0, ['Train', 'Blocks', 'Doll', 'Kite', 'Ball', 'Robot', 'Game', 'Bear']),
    ('Clothing', 22e0, ['Scarf', 'Hat', 'Shirt', 'Socks', 'Coat', 'Belt', 'Dress', 'Jumper']),
    ('Beauty', 13e0, ['Soap', 'Cream', 'Perfume', 'Comb', 'Candle', 'Oil', 'Mirror', 'Brush']),
    ('Sports', 20e0, ['Racket', 'Mat', 'Bottle', 'Rope', 'Helmet', 'Cap', 'Weights', 'Bag']),
    ('Office', 12e0, ['Pen', 'Notebook', 'Lamp', 'Stapler', 'Folder', 'Clock', 'Tray', 'Globe'])

),

tiers (tier, tier_number, price_factor) as (

    values ('basic', 0, 0.35e0), ('standard', 1, 1.0e0), ('select', 2, 2.4e0)

),

items as (

    select
        category,
        base_price,
        unnest(items) as item,
        8 * (row_number() over (order by category) - 1) + unnest(range(8)) as item_number
    from categories

)

select
    'P'
    || lpad(cast(64 * tiers.tier_number + items.item_number + 1 as varchar), 4, '0') as product_id,
    upper(tiers.tier[1]) || tiers.tier[2:] || ' ' || lower(items.item) as product_name,
    items.category,
    round(
        items.base_price * tiers.price_factor * (0.7 + 0.6 * chance(items.item_number, 'price')), 2
    ) as list_price
from items
cross join tiers
order by product_id;

-- Every order of the registered customers, then those of guests and a few that are dated
-- after the load (a wrong clock).
create or replace temporary table orders as
with

sequenced as (

    select
        people.*,
        unnest(range(people.orders)) as place
    from people
    where not people.is_prospect

),

dated as (

    select
        number * 1000 + place as order_number,
        customer_id,
        tier,
        lines,
        return_share,
        days_before_end(
            case
                when place = orders - 1 then least(first_day, last_day)
                when place = 0 then greatest(first_day, last_day)
                else
                    first_day
                    - (first_day - last_day)
                    * (place + 0.7 * (chance(number * 1000 + place, 'day') - 0.5)) / (orders - 1)
            end
        ) as ordered_on
    from sequenced

),

guests as (

    select
        -1 - number as order_number,
        null as customer_id,
        'standard' as tier,
        1.6e0 as lines,
        0.03e0 as return_share,
        days_before_end(729 * chance(number, 'guest')) as ordered_on
    from range(cast(getvariable('customers') as bigint) // 4) as numbers (number)

),

misdated as (

    select
        number * 1000 + 999 as order_number,
        customer_id,
        tier,
        lines,
        return_share,
        date '2026-01-01' + cast(30 * chance(number, 'misdated day') as integer) as ordered_on
    from people
    where not is_prospect and chance(number, 'misdated') < 0.003

)

select * from dated
union all
select * from guests
union all
select * from misdated;

create or replace temporary table order_lines as
with

sequenced as (

    select
        orders.*,
        unnest(
            range(
                greatest(
                    1,
                    cast(
                        round(
                            orders.lines * exp(0.4 * bell(orders.order_number, 'lines'))
                        ) as integer
                    )
                )
            )
        ) as place
    from orders

),

chosen as (

    select
        order_number,
        order_number * 100 + place as line_number,
        customer_id,
        ordered_on,
        return_share,
        -- A few products sell often; each tier has its favourites.
        1
        + 64 * (case tier when 'basic' then 0 when 'standard' then 1 else 2 end)
        + (
            cast(floor(64 * pow(chance(order_number * 100 + place, 'product'), 1.6)) as integer)
            + (case tier when 'basic' then 20 when 'standard' then 0 else 41 end)
        ) % 64 as product_number
    from sequenced

)

select
    chosen.line_number,
    1 + chosen.line_number % 100 as order_line,
    if(chosen.order_number < 0, 'G' || -chosen.order_number, 'O' || chosen.order_number)
        as order_id,
    chosen.customer_id,
    at_shop_hours(chosen.ordered_on, chosen.order_number) as ordered_at,
    chosen.ordered_on,
    'P' || lpad(cast(chosen.product_number as varchar), 4, '0') as product_id,
    1 + cast(chance(chosen.line_number, 'quantity') < 0.15 as integer) as quantity,
    products.list_price as unit_price,
    chosen.return_share
from chosen
inner join raw.products as products
    on chosen.product_number = cast(products.product_id[2:] as integer);

create or replace table raw.order_lines as
with

lines as (

    select
        order_id,
        order_line,
        customer_id,
        ordered_at,
        product_id,
        quantity,
        if(chance(line_number, 'free') < 0.003, 0e0, unit_price) as unit_price
    from order_lines
    union all
    -- Scanned twice.
    select
        order_id,
        order_line,
        customer_id,
        ordered_at,
        product_id,
        quantity,
        if(chance(line_number, 'free') < 0.003, 0e0, unit_price)
    from order_lines
    where chance(line_number, 'twice') < 0.003
    union all
    -- Sent back within two weeks.
    select
        'R' || order_id[2:],
        order_line,
        customer_id,
        least(
            ordered_at + to_days(cast(2 + 12 * chance(line_number, 'wait') as integer)),
            timestamp '2025-12-31 12:00:00'
        ),
        product_id,
        -quantity,
        unit_price
    from order_lines
    where chance(line_number, 'return') < return_share and ordered_on <= date '2025-12-31'
    union all
    -- Orders sent by parcel.
    select
        if(order_number < 0, 'G' || -order_number, 'O' || order_number),
        0,
        customer_id,
        at_shop_hours(ordered_on, order_number),
        'SHIPPING',
        1,
        2.9e0
    from orders
    where chance(order_number, 'parcel') < 0.1

)

select
    *,
    timestamp '2025-12-31 23:00:00' as loaded_at
from lines
order by ordered_at, order_id, order_line;

create or replace table raw.events as
with

sequenced as (

    select
        people.*,
        unnest(range(people.events)) as place
    from people

),

dated as (

    select
        customer_id,
        number * 1000 + place as event_number,
        last_day
        + (first_day - last_day) * chance(number * 1000 + place, 'event day') as days
    from sequenced

)

select
    customer_id,
    at_shop_hours(days_before_end(days), event_number) as occurred_at,
    case
        when chance(event_number, 'event type') < 0.60 then 'view'
        when chance(event_number, 'event type') < 0.75 then 'cart'
        when chance(event_number, 'event type') < 0.85 then 'purchase'
        else 'email open'
    end as event_type
from dated
union all
-- Visitors who are not signed in.
select
    null,
    at_shop_hours(days_before_end(729 * chance(number, 'visit')), -1 - number),
    'view'
from range(cast(getvariable('customers') as bigint) // 2) as numbers (number)
order by occurred_at, customer_id, event_type;

drop table order_lines;
drop table orders;
drop table people;
drop table planted_groups;
drop macro at_shop_hours;
drop macro days_before_end;
drop macro bell;
drop macro chance;
