{#-
    One row: the date the features look back from, and the load date. The load date is the
    var loaded_at, then the newest loaded_at of the order lines, then the start of the run;
    the as-of date is the var as_of_date, then the last order date not after the load.
-#}
{% macro as_of(order_lines) -%}
    {{ return(adapter.dispatch('as_of', 'segql')(order_lines)) }}
{%- endmacro %}

{% macro default__as_of(order_lines) -%}
    {%- set loaded_at = segql.date_option('loaded_at') -%}
    {%- set as_of_date = segql.date_option('as_of_date') -%}
with

order_lines as (

    select * from {{ order_lines }}

),

load_date as (

    {% if loaded_at -%}
    select {{ loaded_at }} as loaded_on
    {%- else -%}
    select
        coalesce(
            cast(max(loaded_at) as date),
            cast('{{ run_started_at.strftime("%Y-%m-%d") }}' as date)
        ) as loaded_on
    from order_lines
    {%- endif %}

),

order_dates as (

    select
        min(cast(order_lines.ordered_at as date)) as first_order_on,
        max(cast(order_lines.ordered_at as date)) as last_order_on
    from order_lines
    inner join load_date
        on cast(order_lines.ordered_at as date) <= load_date.loaded_on

)

select
    {% if as_of_date -%}
    case
        when {{ as_of_date }} < order_dates.first_order_on
            then cast({{ segql.raise_in_query(
                "'as_of_date: ' || " ~ as_of_date ~ " || ' is before the first order, which is of '"
                ~ " || order_dates.first_order_on || '; accepted is a date from then on'"
            ) }} as date)
        else {{ as_of_date }}
    end as as_of_date,
    {%- else -%}
    case
        when order_dates.last_order_on is null
            then cast({{ segql.raise_in_query(
                "'no order is dated on or before the load date ' || load_date.loaded_on"
                ~ " || '; set the var as_of_date or loaded_at'"
            ) }} as date)
        else order_dates.last_order_on
    end as as_of_date,
    {%- endif %}
    cast(load_date.loaded_on as timestamp) as loaded_at
from load_date
cross join order_dates
{%- endmacro %}
