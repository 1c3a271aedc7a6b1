{#-
    What the events say, up to the as-of date: how many, on how many days, how long ago,
    and how many of each type. One row per known customer; no columns without events.
-#}
{% macro behavior_features(
    known_customers, events, as_of, recent_days=90, max_event_types=8, has_events=true
) -%}
    {%- if not has_events -%}
        {{ return('select customer_id from ' ~ known_customers) }}
    {%- endif -%}
    {%- set slugs = segql.event_types(events, max_event_types) -%}
with

known_customers as (

    select * from {{ known_customers }}

),

as_of as (

    select * from {{ as_of }}

),

events as (

    select
        events.customer_id,
        cast(events.occurred_at as date) as occurred_on,
        {{ segql.event_slug('events.event_type') }} as event_slug,
        {{ segql.days_between('cast(events.occurred_at as date)', 'as_of.as_of_date') }} as days_ago
    from {{ events }} as events
    cross join as_of
    where
        events.customer_id is not null
        and cast(events.occurred_at as date) <= as_of.as_of_date

),

counted as (

    select
        customer_id,
        count(*) as events,
        count(distinct occurred_on) as active_days,
        min(days_ago) as days_since_last_event,
        count(case when days_ago < {{ recent_days }} then 1 end) as events_{{ recent_days }}_days
        {%- for slug in slugs %},
        count(case when event_slug = {{ segql.string_literal(slug) }} then 1 end)
            as {{ segql.quote_identifier(slug ~ '_events') }}
        {%- endfor %}
    from events
    group by customer_id

),

behaved as (

    select
        known_customers.customer_id,
        coalesce(counted.events, 0) as events,
        coalesce(counted.active_days, 0) as active_days,
        counted.days_since_last_event,
        coalesce(counted.events_{{ recent_days }}_days, 0) as events_{{ recent_days }}_days
        {%- for slug in slugs %},
        {%- set name = segql.quote_identifier(slug ~ '_events') %}
        coalesce(counted.{{ name }}, 0) as {{ name }}
        {%- endfor %}
    from known_customers
    left join counted
        on known_customers.customer_id = counted.customer_id

)

select * from behaved
{%- endmacro %}
