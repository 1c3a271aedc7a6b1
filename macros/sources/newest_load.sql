{#-
    When the mapped order lines were last fed, for the loaded_at_query of a source: the newest
    loaded_at, or the newest order where the source does not say. Times after the start of the run
    do not count: one order with a wrong date would hide a stale source.
-#}
{% macro newest_load() -%}
    {%- set source = segql.source_mapping('order_lines') -%}
    {%- set key = 'loaded_at' if 'loaded_at' in source.names else 'timestamp' -%}
    {%- set time = segql.timestamp_expression(
        segql.quote_identifier(source.names[key]), source.types[key],
        source.options.get('timestamp_format')) -%}
select max({{ time }}) as loaded_at
from {{ source.from }}
where {{ time }} <= cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
{%- endmacro %}
