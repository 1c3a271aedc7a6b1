{#- The event types that get a column: all of them, or none when there are too many. -#}
{% macro event_types(events, max_event_types) -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        select distinct {{ segql.event_slug('event_type') }} as slug
        from {{ events }}
        where event_type is not null
        order by slug
    {%- endset -%}
    {%- set slugs = run_query(query).columns[0].values() | select | list -%}
    {%- if slugs | length > max_event_types -%}
        {%- do log(
            'segql: ' ~ slugs | length ~ ' event types, more than max_event_types = '
            ~ max_event_types ~ ', so there is no column per type',
            info=true
        ) -%}
        {{ return([]) }}
    {%- endif -%}
    {{ return(slugs) }}
{%- endmacro %}
