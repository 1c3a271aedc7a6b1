{% if segql.has_source('events') or not execute -%}
{{ segql.behavior_features(
    ref('stg_events'),
    ref('past_as_of'),
    known_customers=ref('past_known_customers'),
    **behavior_vars()
) }}
{%- else -%}
select customer_id from {{ ref('past_known_customers') }}
{%- endif %}
