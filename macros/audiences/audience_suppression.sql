{#-
    The segments that segql.audience leaves out of the same call: segment_key, segment_name and
    reason, without their sizes. Options as there.

    {{ segql.audience_suppression(ref('customer_segments'), min_size=50) }}
-#}
{% macro audience_suppression(segments, segment='segment_key', id='customer_id', only=none) -%}
    {%- set options = segql.audience_options(
        'audience_suppression', segments, segment, id, only, kwargs) -%}
    {{ return(adapter.dispatch('audience_suppression', 'segql')(segments, segment, id, options)) }}
{%- endmacro %}

{% macro default__audience_suppression(segments, segment, id, options) -%}
with

{{ segql.audience_members(segments, segment, id, options) }},

{{ segql.audience_decisions(options) }}

select
    segment_key,
    segment_name,
    reason
from decisions
where reason is not null
{%- endmacro %}
