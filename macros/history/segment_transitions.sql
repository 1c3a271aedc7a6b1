{#-
    Who moved from which segment to which between two dates: customers, their share of the
    population (everybody known at either date; the customers sum to it) and the revenue between
    the dates. Customers that are known only later come from 'entry', those only earlier go to
    'exit'. history is any relation of one row per customer and date with a segment column;
    to_date defaults to its last date, from_date to the date before that. With a single date
    everybody enters.
-#}
{% macro segment_transitions(
    history,
    segment='segment_key',
    id='customer_id',
    date='as_of_date',
    revenue='monetary',
    from_date=none,
    to_date=none
) -%}
    {{ return(adapter.dispatch('segment_transitions', 'segql')(
        history, segment, id, date, revenue, from_date, to_date)) }}
{%- endmacro %}

{% macro default__segment_transitions(history, segment, id, date, revenue, from_date, to_date) -%}
    {%- do segql.check_columns('segment_transitions', history, {
        'segment': segment, 'id': id, 'date': date, 'revenue': revenue
    }) -%}
    {%- do segql.check_transition_dates(history, date, from_date, to_date) -%}
    {%- set amount = segql.exact_amount('coalesce(' ~ segql.quote_identifier(revenue) ~ ', 0)')
        if revenue is not none else '0' -%}
    {%- set date = segql.quote_identifier(date) -%}
with

history as (

    select
        {{ segql.quote_identifier(id) }} as id,
        cast({{ date }} as date) as dated_on,
        {{ segql.segment_key(segql.quote_identifier(segment)) }} as segment,
        {{ amount }} as amount
    from {{ history }}

),

last_date as (

    select
        {{ segql.date_literal('to_date', to_date) if to_date is not none else 'max(dated_on)' }}
            as to_date
    from history

),

dates as (

    select
        {% if from_date is not none -%}
        {{ segql.date_literal('from_date', from_date) }} as from_date,
        {%- else -%}
        max(case when history.dated_on < last_date.to_date then history.dated_on end) as from_date,
        {%- endif %}
        max(last_date.to_date) as to_date
    from history
    cross join last_date

),

earlier as (

    select
        history.id,
        history.segment,
        history.amount
    from history
    inner join dates
        on history.dated_on = dates.from_date

),

later as (

    select
        history.id,
        history.segment,
        history.amount
    from history
    inner join dates
        on history.dated_on = dates.to_date

),

moved as (

    select
        coalesce(earlier.segment, 'entry') as from_segment,
        coalesce(later.segment, 'exit') as to_segment,
        count(*) as customers,
        sum(case when later.id is not null then later.amount - coalesce(earlier.amount, 0) else 0 end)
            as revenue
    from earlier
    full outer join later
        on earlier.id = later.id
    group by coalesce(earlier.segment, 'entry'), coalesce(later.segment, 'exit')

),

totals as (

    select
        sum(customers) as customers
    from moved

),

origins as (

    select
        from_segment,
        sum(customers) as customers
    from moved
    group by from_segment

)

select
    dates.from_date,
    dates.to_date,
    moved.from_segment,
    moved.to_segment,
    moved.customers,
    cast(moved.customers as double) / cast(totals.customers as double) as share,
    cast(moved.customers as double) / cast(origins.customers as double) as share_of_from_segment,
    cast(moved.revenue as double) as revenue
from moved
inner join origins
    on moved.from_segment = origins.from_segment
cross join totals
cross join dates
{%- endmacro %}
