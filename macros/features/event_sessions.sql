{#-
    CTEs of segql.behavior_features: sessions, by the events' own session or by a pause, and how
    many of each customer lie in each window and hold a purchase.
-#}
{% macro event_sessions(options, purchase_types) -%}
    {%- set literals = [] -%}
    {%- for type in purchase_types -%}
        {%- do literals.append(segql.string_literal(type)) -%}
    {%- endfor -%}
{% if options.session is none -%}
paused as (

    select
        customer_id,
        occurred_at,
        days_ago,
        event_slug,
        case
            when occurred_at > lag(occurred_at) over (
                partition by customer_id
                order by occurred_at
            ) + interval '{{ options.session_minutes }} minutes' then 1
            else 0
        end as is_new
    from events

),

visits as (

    select
        customer_id,
        days_ago,
        event_slug,
        sum(is_new) over (
            partition by customer_id
            order by occurred_at
            range between unbounded preceding and current row
        ) as session_id
    from paused

),

{% endif -%}
sessions as (

    select
        customer_id,
        session_id,
        min(days_ago) as days_ago,
        count(case when event_slug in ({{ literals | join(', ') or 'null' }}) then 1 end)
            as purchases
    from {{ 'visits' if options.session is none else 'events' }}
    group by customer_id, session_id

),

visited as (

    select
        customer_id,
        count(*) as sessions
        {%- for days in options.windows %},
        count(case when days_ago < {{ days }} then 1 end) as sessions_{{ days }}_days,
        count(case when days_ago < {{ days }} and purchases > 0 then 1 end)
            as converted_{{ days }}_days
        {%- endfor %}
    from sessions
    group by customer_id

),
{%- endmacro %}
