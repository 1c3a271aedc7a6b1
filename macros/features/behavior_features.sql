{#-
    What the events say about each customer up to the as-of date: how many there are, on how many
    days, in how many sessions, how long ago; and for each window of days also views, carts, the
    share of sessions with a purchase (conversion), responses to campaigns and their rate. One
    column more counts each type of event, unless there are too many types.

    Options: known_customers (a relation of the ids that get a row; none takes those with
    events); the columns customer, timestamp, type and session (none: a session ends after
    session_minutes without an event); windows in days; event_kinds (see segql.event_kinds);
    max_event_types.
-#}
{% macro behavior_features(events, as_of) -%}
    {%- set options = segql.macro_options('behavior_features', {
        'known_customers': none,
        'customer': 'customer_id',
        'timestamp': 'occurred_at',
        'type': 'event_type',
        'session': none,
        'windows': [30, 90, 365],
        'session_minutes': 30,
        'event_kinds': none,
        'max_event_types': 8,
    }, kwargs) -%}
    {{ return(adapter.dispatch('behavior_features', 'segql')(events, as_of, options)) }}
{%- endmacro %}

{% macro default__behavior_features(events, as_of, options) -%}
    {%- set macro = 'behavior_features' -%}
    {%- do segql.number_option(macro, 'max_event_types', options.max_event_types) -%}
    {%- do segql.number_option(macro, 'session_minutes', options.session_minutes, lowest=1) -%}
    {%- if options.windows is string or options.windows is mapping
        or options.windows is not iterable -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ": windows got '" ~ options.windows ~ "'; accepted is a list such as [30, 90]"
        ) -%}
    {%- endif -%}
    {%- for days in options.windows -%}
        {%- do segql.number_option(macro, 'windows', days, lowest=1) -%}
    {%- endfor -%}
    {%- do segql.check_columns(macro, events, {
        'customer': options.customer, 'timestamp': options.timestamp, 'type': options.type,
        'session': options.session,
    }, kinds={'timestamp': 'timestamp'}) -%}
    {%- set customer = 'events.' ~ segql.quote_identifier(options.customer) -%}
    {%- set timestamp = 'events.' ~ segql.quote_identifier(options.timestamp) -%}
    {%- set type = 'events.' ~ segql.quote_identifier(options.type)
        if options.type is not none else 'cast(null as string)' -%}
    {%- set kinds = segql.event_kinds(options.event_kinds) -%}
    {%- set slugs = segql.event_types(events, type, options.max_event_types)
        if options.type is not none else [] -%}
with

as_of as (

    {{ segql.as_of_row(as_of, events, segql.quote_identifier(options.timestamp)) | indent(4) }}

),

events as (

    select
        {{ customer }} as customer_id,
        cast({{ timestamp }} as timestamp) as occurred_at,
        cast({{ timestamp }} as date) as occurred_on,
        {{ segql.event_slug(type) }} as event_slug,
        {% if options.session is not none -%}
        events.{{ segql.quote_identifier(options.session) }} as session_id,
        {% endif -%}
        {{ segql.days_between('cast(' ~ timestamp ~ ' as date)', 'as_of.as_of_date') }} as days_ago
    from {{ events }} as events
    cross join as_of
    where
        {{ customer }} is not null
        and cast({{ timestamp }} as date) <= as_of.as_of_date

),

known_customers as (

    {% if options.known_customers is none -%}
    select distinct customer_id from events
    {%- else -%}
    select customer_id from {{ options.known_customers }}
    {%- endif %}

),

days as (

    select
        customer_id,
        occurred_on,
        min(days_ago) as days_ago,
        {{- segql.event_counts(kinds, slugs) }}
    from events
    group by customer_id, occurred_on

),

daily as (

    select
        customer_id,
        sum(event_count) as events,
        count(*) as active_days,
        min(days_ago) as days_since_last_event
        {%- for days in options.windows %}
        {%- set recent = 'case when days_ago < ' ~ days ~ ' then ' %},
        sum({{ recent }}event_count else 0 end) as events_{{ days }}_days,
        count({{ recent }}1 end) as active_days_{{ days }}_days,
        sum({{ recent }}view_count else 0 end) as views_{{ days }}_days,
        sum({{ recent }}cart_count else 0 end) as carts_{{ days }}_days,
        sum({{ recent }}contact_count else 0 end) as contacts_{{ days }}_days,
        sum({{ recent }}response_count else 0 end) as campaign_responses_{{ days }}_days
        {%- endfor %}
        {%- for slug in slugs %},
        sum(type_{{ loop.index }}_count) as {{ segql.quote_identifier(slug ~ '_events') }}
        {%- endfor %}
    from days
    group by customer_id

),

{{ segql.event_sessions(options, kinds.purchase) }}

behaved as (

    select
        known_customers.customer_id,
        cast(coalesce(daily.events, 0) as bigint) as events,
        coalesce(daily.active_days, 0) as active_days,
        daily.days_since_last_event,
        coalesce(visited.sessions, 0) as sessions
        {%- for days in options.windows %}
        {%- for measure in ['events', 'active_days'] %},
        cast(coalesce(daily.{{ measure }}_{{ days }}_days, 0) as bigint)
            as {{ measure }}_{{ days }}_days
        {%- endfor %},
        coalesce(visited.sessions_{{ days }}_days, 0) as sessions_{{ days }}_days
        {%- for measure in ['views', 'carts'] %},
        cast(coalesce(daily.{{ measure }}_{{ days }}_days, 0) as bigint)
            as {{ measure }}_{{ days }}_days
        {%- endfor %},
        cast(visited.converted_{{ days }}_days as double)
        / nullif(visited.sessions_{{ days }}_days, 0) as conversion_{{ days }}_days,
        cast(coalesce(daily.campaign_responses_{{ days }}_days, 0) as bigint)
            as campaign_responses_{{ days }}_days,
        cast(daily.campaign_responses_{{ days }}_days as double)
        / nullif(daily.contacts_{{ days }}_days, 0) as campaign_response_rate_{{ days }}_days
        {%- endfor %}
        {%- for slug in slugs %},
        {%- set name = segql.quote_identifier(slug ~ '_events') %}
        cast(coalesce(daily.{{ name }}, 0) as bigint) as {{ name }}
        {%- endfor %}
    from known_customers
    left join daily
        on known_customers.customer_id = daily.customer_id
    left join visited
        on known_customers.customer_id = visited.customer_id

)

select * from behaved
{%- endmacro %}
