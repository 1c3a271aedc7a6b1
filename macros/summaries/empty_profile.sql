{#- The shape of segql.segment_profile without a row. -#}
{% macro empty_profile() -%}
select
    cast(null as varchar) as segment_key,
    cast(null as varchar) as feature,
    cast(null as integer) as feature_position,
    cast(null as bigint) as customers,
    cast(null as double) as mean,
    cast(null as double) as overall_mean,
    cast(null as double) as index_100,
    cast(null as double) as z_score
where false
{%- endmacro %}
