{#- The body of stg_customers: the id and the demographic columns, one row per customer. -#}
{% macro stage_customers() -%}
    {%- if not execute -%}{{ return('select 1 as parsed') }}{%- endif -%}
    {%- set source = segql.source_mapping('customers') -%}
    {%- if source is none -%}
        {{ return('select cast(null as string) as customer_id where false') }}
    {%- endif -%}
    {%- do segql.check_unique_ids(source, 'customer') -%}
    {%- do segql.check_source(source, timestamps=['registered']) -%}
    {%- set id = segql.customer_id_expression(
        segql.quote_identifier(source.names.customer), source.types.customer) -%}
with

registered as (

    select
        {{ id }} as customer_id
        {%- if 'registered' in source.names %},
        {{ segql.timestamp_expression(
            segql.quote_identifier(source.names.registered), source.types.registered,
            source.options.get('timestamp_format')) }} as registered_at
        {%- endif %}
        {%- for column in segql.demographic_columns(source) %},
        {{ segql.quote_identifier(column.source) }} as {{ segql.quote_identifier(column.name) }}
        {%- endfor %}
    from {{ source.from }}

)

select * from registered
where customer_id is not null
{%- endmacro %}
