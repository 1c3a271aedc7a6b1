{% if segql.has_source('events') or not execute -%}
{{ segql.behavior_features(
    ref('stg_events'),
    ref('as_of'),
    known_customers=ref('known_customers'),
    **behavior_vars()
) }}
{%- else -%}
select customer_id from {{ ref('known_customers') }}
{%- endif %}
