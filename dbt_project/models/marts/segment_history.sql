{#- Spark deletes no rows of a Parquet table: there the date is a partition, written anew. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite' if target.type == 'spark' else 'delete+insert',
    unique_key='as_of_date',
    partition_by='as_of_date' if target.type == 'spark' else none,
    on_schema_change='fail',
    full_refresh=false
) }}

{#- One date is one snapshot: it is replaced whole, and no other date is touched. -#}
{%- set segment_map = rfm_map_var() -%}
{%- set snapshots = [] -%}
{%- for date in segql.past_month_ends(
    var('history_months'), ref('as_of'), ref('stg_order_lines')) -%}
    {%- do snapshots.append({
        'date': date,
        'features': customer_features_as_of(date),
        'customers': known_customers_as_of(date),
    }) -%}
{%- endfor -%}
-- depends_on: {{ ref('rfm_cuts') }}, {{ ref('stg_customers') }}, {{ ref('stg_events') }}
with

all_customer_segments as (

    select * from {{ ref('all_customer_segments') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

present as (

    select
        all_customer_segments.customer_id,
        all_customer_segments.as_of_date,
        all_customer_segments.segment_key,
        coalesce(rfm_segments.rfm_segment, 'prospect') as rfm_segment,
        rfm_segments.monetary,
        all_customer_segments.model_version,
        rfm_segments.cuts_version
    from all_customer_segments
    left join rfm_segments
        on all_customer_segments.customer_id = rfm_segments.customer_id

)

select * from present
{%- if snapshots %}
union all
{{ segql.segment_history(snapshots, 'customers', ref('rfm_cuts'), segment_map) }}
{%- endif %}
