{#- A name that is read and said must not change from one night to the next. -#}
{%- set kept = none -%}
{%- set kept_columns = [] -%}
{%- if execute and this is not none and not flags.FULL_REFRESH -%}
    {%- set kept = adapter.get_relation(this.database, this.schema, this.identifier) -%}
{%- endif -%}
{%- if kept is not none -%}
    {%- set kept_columns = adapter.get_columns_in_relation(kept) | map(attribute='name') | list -%}
{%- endif -%}
{%- set is_kept = 'model_version' in kept_columns -%}
{%- set nothing -%}
    (select null::string as segment_key, null::string as segment_name, 0 as model_version)
{%- endset -%}
with

suggested as (

    {{ segql.segment_names(
        ref('all_customer_segments'),
        ref('rfm_scores'),
        ref('segment_feature_profiles'),
        rfm_map_var(),
        low_score=var('name_low_score'),
        high_score=var('name_high_score'),
        one_time_orders=var('name_one_time_orders'),
        new_tenure_z_score=var('name_new_tenure_z_score')
    ) | indent(4) }}

),

versions as (

    select max(model_version) as model_version from {{ ref('all_customer_segments') }}

),

kept as (

    select
        segment_key,
        segment_name,
        model_version
    from {{ kept if is_kept else nothing }}

)

select
    suggested.segment_key,
    coalesce(kept.segment_name, suggested.segment_name) as segment_name,
    suggested.archetype,
    suggested.mean_r,
    suggested.mean_f,
    suggested.mean_m,
    versions.model_version
from suggested
cross join versions
left join kept
    on
        suggested.segment_key = kept.segment_key
        and versions.model_version = kept.model_version
