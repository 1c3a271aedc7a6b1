{#- The shape of segql.segment_profile without a row. -#}
{% macro empty_profile() -%}
select
    cast(null as string) as segment_key,
    cast(null as string) as feature,
    cast(null as string) as level,
    cast(null as integer) as feature_position,
    cast(null as bigint) as customers,
    cast(null as double) as mean,
    cast(null as double) as overall_mean,
    cast(null as double) as index_100,
    cast(null as double) as z_score,
    cast(null as double) as eta_squared,
    cast(null as bigint) as feature_rank,
    cast(null as bigint) as place
where false
{%- endmacro %}
