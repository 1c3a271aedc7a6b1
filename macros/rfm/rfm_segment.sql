{#- Scores with the name of their segment, read from a map of codes to names. -#}
{% macro rfm_segment(scores, segment_map) -%}
with

scores as (

    select * from {{ scores }}

),

segment_map as (

    select * from {{ segment_map }}

)

select
    scores.*,
    segment_map.rfm_segment
from scores
left join segment_map
    on scores.rfm_code = segment_map.rfm_code
{%- endmacro %}
