{#-
    Fails for each customer that is in no segment or in several: those of another relation (by
    default of the model itself) that the model does not hold once, with a segment.
-#}
{% test in_exactly_one_segment(
    model, segment='segment_key', id='customer_id', customers=none, customers_id=none
) -%}
    {%- set id = segql.quote_identifier(id) -%}
    {%- set customers_id = segql.quote_identifier(customers_id) if customers_id else id -%}
with

segmented as (

    select
        {{ id }} as id,
        count(*) as customer_rows,
        count({{ segql.quote_identifier(segment) }}) as segments
    from {{ model }}
    group by {{ id }}

),

customers as (

    select distinct {{ customers_id }} as id
    from {{ customers or model }}

)

select
    coalesce(customers.id, segmented.id) as id,
    segmented.customer_rows,
    segmented.segments
from customers
full outer join segmented
    on customers.id = segmented.id
where
    customers.id is null
    or segmented.id is null
    or segmented.customer_rows <> 1
    or segmented.segments <> 1
{%- endtest %}
