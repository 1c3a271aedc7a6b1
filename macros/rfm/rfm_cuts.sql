{#-
    The cut points between the scores 1 to 5, one row per version and score, for a model of
    materialized='incremental', incremental_strategy='append', full_refresh=false. The first run
    learns version 1, --full-refresh adds a version, other runs add nothing: scores move when
    customers do, not when others join.
-#}
{% macro rfm_cuts(features) -%}
    {%- set kept = config.get('full_refresh') is not none and not config.get('full_refresh') -%}
    {%- set unit_tested = config.get('materialized') == 'unit' -%}
    {%- if execute and not unit_tested
        and (config.get('materialized') != 'incremental' or not kept) -%}
        {%- do exceptions.raise_compiler_error(
            "rfm_cuts: the model must keep what it learned; accepted is config(materialized="
            ~ "'incremental', incremental_strategy='append', full_refresh=false)"
        ) -%}
    {%- endif -%}
    {%- if not is_incremental() -%}
        {{ return(segql.learned_rfm_cuts(features)) }}
    {%- elif flags.FULL_REFRESH -%}
        {{ return(segql.learned_rfm_cuts(
            features, version='(select max(version) + 1 from ' ~ this ~ ')')) }}
    {%- endif -%}
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
{%- endmacro %}
