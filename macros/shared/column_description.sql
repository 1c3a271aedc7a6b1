{#- What a column of the features means, by its name, where no YAML says it. -#}
{% macro column_description(name) -%}
    {%- set window = modules.re.match('^(.+)_([0-9]+)_days$', name) -%}
    {%- set measures = {
        'events': 'Events',
        'active_days': 'Days with an event',
        'sessions': 'Sessions',
        'views': 'Events that are a view',
        'carts': 'Events that put something in the cart',
        'conversion': 'Share of the sessions with a purchase; empty without a session',
        'campaign_responses': 'Responses to campaigns',
        'campaign_response_rate': 'Responses per contact by a campaign; empty without a contact',
    } -%}
    {%- if window and window.group(1) in measures -%}
        {{ return(
            measures[window.group(1)] ~ ', in the ' ~ window.group(2)
            ~ ' days up to the as-of date.'
        ) }}
    {%- elif name.endswith('_events') -%}
        {{ return('Events of the type ' ~ name[:-7] ~ ' up to the as-of date.') }}
    {%- elif name.endswith('_band') -%}
        {{ return('The band of ' ~ name[:-5] ~ ' as the customers source writes it.') }}
    {%- endif -%}
    {{ return('As in the customers source.') }}
{%- endmacro %}
