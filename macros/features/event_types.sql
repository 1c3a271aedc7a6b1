{#- The event types that get a column: all of them, or none when there are too many. -#}
{% macro event_types(events, type, max_event_types) -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        select distinct {{ segql.event_slug(type) }} as slug
        from {{ events }} as events
        where {{ type }} is not null
        order by slug
        limit {{ max_event_types + 2 }}
    {%- endset -%}
    {%- set slugs = run_query(query).columns[0].values() | select | list -%}
    {%- if slugs | length > max_event_types -%}
        {%- do log(
            'segql: more event types than max_event_types = ' ~ max_event_types
            ~ ', so there is no column per type',
            info=true
        ) -%}
        {{ return([]) }}
    {%- endif -%}
    {{ return(slugs) }}
{%- endmacro %}
