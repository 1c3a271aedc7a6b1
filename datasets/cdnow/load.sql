-- CDNOW: the transactions of a CD shop's customers, 1997-01 to 1998-06, in fixed width
-- separated by blanks. A transaction is an order of one product, and its price the
-- value of one CD; the file names no products.
create or replace table raw.order_lines as
with

lines as (

    select string_split_regex(trim(line), '\s+') as fields
    from (
        select unnest(string_split(replace(content, chr(13), ''), chr(10))) as line
        from read_text(getvariable('data') || '/cdnow_master.txt')
    ) as text_lines
    where regexp_matches(line, '^\s*[0-9]')

)

select
    fields[1] as customer_id,
    fields[1] || '-' || fields[2] as order_id,
    strptime(fields[2], '%Y%m%d') as ordered_at,
    'CD' as product_id,
    cast(fields[3] as integer) as quantity,
    cast(fields[4] as double) / cast(fields[3] as integer) as unit_price,
    cast(fields[4] as decimal(18, 2)) as dollar_value
from lines;
