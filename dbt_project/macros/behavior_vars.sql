{#- The vars that say how events are counted, as options of segql.behavior_features. -#}
{% macro behavior_vars() -%}
    {{ return({
        'session': 'session_id' if segql.has_source('events', 'session') else none,
        'session_minutes': var('session_minutes'),
        'windows': var('event_windows'),
        'event_kinds': var('event_kinds'),
        'max_event_types': var('max_event_types'),
    }) }}
{%- endmacro %}
