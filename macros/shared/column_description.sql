{#- What a column of staging or the features means, by its name, where no YAML says it. -#}
{% macro column_description(name) -%}
    {%- set window = modules.re.match('^(.+)_([0-9]+)_days$', name) -%}
    {%- set measure = window.group(1) if window else name -%}
    {%- set period = 'in the ' ~ window.group(2) ~ ' days' if window else '' -%}
    {%- set measures = {
        'events': 'Events',
        'active_days': 'Days with an event',
        'sessions': 'Sessions',
        'views': 'Events that are a view',
        'carts': 'Events that put something in the cart',
        'conversion': 'Share of sessions with a purchase (empty without a session)',
        'campaign_responses': 'Responses to campaigns',
        'campaign_response_rate': 'Responses per contact by a campaign (empty without one)',
    } -%}
    {%- set fixed = {
        'registered_at': 'When the customer registered.',
        'days_since_last_event': 'Days from the last event to the as-of date; empty without one.',
        'age': 'Age in years, at the as-of date where a birth date is known.',
    } -%}
    {%- if name in fixed -%}
        {{ return(fixed[name]) }}
    {%- elif measure in measures -%}
        {{ return([measures[measure], period, 'up to the as-of date.'] | select | join(' ')) }}
    {%- elif name.endswith('_events') -%}
        {{ return('Events of the type ' ~ name[:-7] ~ ' up to the as-of date.') }}
    {%- elif name.endswith('_band') -%}
        {{ return('The band of ' ~ name[:-5] ~ ' as the customers source writes it.') }}
    {%- endif -%}
    {{ return('As in the customers source.') }}
{%- endmacro %}
