{#- The relation of a segmentation without a row, for rows that are too few to segment. -#}
{% macro empty_segmentation(relation, id) -%}
    {{ return(adapter.dispatch('empty_segmentation', 'segql')(relation, id)) }}
{%- endmacro %}

{% macro default__empty_segmentation(relation, id) -%}
select
    {{ segql.quote_identifier(id) }},
    cast(null as integer) as segment_id,
    cast(null as string) as segment_key,
    cast(null as double) as distance,
    cast(null as integer) as next_segment_id,
    cast(null as double) as confidence,
    cast(null as integer) as model_version,
    cast(null as date) as as_of_date
from {{ relation }}
where false
{%- endmacro %}
