{#- The body of stg_events: who did what when. -#}
{% macro stage_events() -%}
    {%- if not execute -%}{{ return('select 1 as parsed') }}{%- endif -%}
    {%- set source = segql.source_mapping('events') -%}
    {%- if source is none -%}
select
    cast(null as string) as customer_id,
    cast(null as timestamp) as occurred_at,
    cast(null as string) as event_type,
    cast(null as string) as session_id
where false
    {%- else -%}
    {%- do segql.check_source(source, timestamps=['timestamp']) -%}
    {%- set names = source.names -%}
    {%- set format = source.options.get('timestamp_format') -%}
    {%- set type = segql.quote_identifier(names.type) if 'type' in names else 'null' -%}
select
    {{ segql.customer_id_expression(
        segql.quote_identifier(names.customer), source.types.customer) }} as customer_id,
    {{ segql.timestamp_expression(
        segql.quote_identifier(names.timestamp), source.types.timestamp, format) }} as occurred_at,
    cast({{ type }} as string) as event_type,
    {{ segql.id_expression(segql.quote_identifier(names.session), source.types.session)
        if 'session' in names else 'cast(null as string)' }} as session_id
from {{ source.from }}
    {%- endif -%}
{%- endmacro %}
