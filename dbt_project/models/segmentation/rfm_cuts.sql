{{ config(
    materialized='incremental',
    incremental_strategy='append',
    schema='segql',
    alias='rfm_cuts',
    full_refresh=false
) }}

{#- After the model, so that a refit that fails leaves the cuts as they are too. -#}
{%- set after = ref('kmeans_segments') -%}
{#- The table is never dropped: --full-refresh adds a version, other runs add nothing. -#}
{%- if not is_incremental() -%}
    {{ segql.rfm_cuts(ref('customer_features')) }}
{%- elif flags.FULL_REFRESH -%}
    {{ segql.rfm_cuts(
        ref('customer_features'),
        version='(select max(version) + 1 from ' ~ this ~ ')'
    ) }}
{%- else -%}
    {%- do segql.log_unused_cuts(this) -%}
    select
        version,
        dimension,
        cut_1,
        cut_2,
        cut_3,
        cut_4,
        method,
        as_of_date,
        customers
    from {{ this }}
    where false
{%- endif -%}
