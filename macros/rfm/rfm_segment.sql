{#-
    Scores with the name of their segment. The map is segments or grid (see segql.rfm_map), or a
    relation of rfm_code and rfm_segment such as one's own seed, which must cover each code once.
    code is the column of the three scores in any table.
-#}
{% macro rfm_segment(scores, segment_map='segments', code='rfm_code') -%}
    {{ return(adapter.dispatch('rfm_segment', 'segql')(scores, segment_map, code)) }}
{%- endmacro %}

{% macro default__rfm_segment(scores, segment_map, code) -%}
    {%- do segql.check_columns('rfm_segment', scores, {'code': code}) -%}
with

scores as (

    select * from {{ scores }}

),

segment_map as (

    {{ segql.rfm_map_query(segment_map) | indent(4) }}

)

select
    scores.*,
    segment_map.rfm_segment
from scores
left join segment_map
    on cast(scores.{{ segql.quote_identifier(code) }} as string) = segment_map.rfm_code
{%- endmacro %}
