{#- A map by its name (segments, grid) or by its relation, which is checked, as a query. -#}
{% macro rfm_map_query(segment_map) -%}
    {%- if segment_map is string and not segment_map.startswith('(') -%}
        {{ return(segql.rfm_map(segment_map)) }}
    {%- endif -%}
    {%- do segql.check_rfm_map(segment_map) -%}
    {{ return('select cast(rfm_code as string) as rfm_code, rfm_segment from ' ~ segment_map) }}
{%- endmacro %}
