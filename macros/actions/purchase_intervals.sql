{#-
    The days from one order to the next, one row per customer and length: interval_days and how
    often it occurred (intervals). Orders of the same day are one. From the used order lines up to
    the as-of date; the options are those of segql.order_line_options.

    {{ segql.purchase_intervals(ref('invoices'), as_of='2025-12-31', customer='client_no') }}
-#}
{% macro purchase_intervals(order_lines, as_of=none) -%}
    {%- set options = segql.macro_options(
        'purchase_intervals', segql.order_line_options(), kwargs) -%}
    {{ return(adapter.dispatch('purchase_intervals', 'segql')(order_lines, as_of, options)) }}
{%- endmacro %}

{% macro default__purchase_intervals(order_lines, as_of, options) -%}
with

order_line_reasons as (

    {{ segql.default__order_line_reasons(
        order_lines, as_of, options, flag_duplicates=options.drop_duplicate_lines
    ) | indent(4) }}

),

order_days as (

    select
        customer_id,
        ordered_on
    from order_line_reasons
    where reason = 'used'
    group by customer_id, ordered_on

),

previous_days as (

    select
        customer_id,
        ordered_on,
        lag(ordered_on) over (
            partition by customer_id
            order by ordered_on
        ) as previous_on
    from order_days

),

lengths as (

    select
        customer_id,
        {{ segql.days_between('previous_on', 'ordered_on') }} as interval_days
    from previous_days
    where previous_on is not null

)

select
    customer_id,
    cast(interval_days as integer) as interval_days,
    count(*) as intervals
from lengths
group by customer_id, interval_days
{%- endmacro %}
