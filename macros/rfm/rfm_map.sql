{#-
    A map from the 125 RFM codes to segment names, one row per code: segments (the eleven segments
    of the code map) or grid (ten segments by recency and frequency alone).
-#}
{% macro rfm_map(name='segments') -%}
    {%- set maps = {'segments': segql.rfm_map_segments(), 'grid': segql.rfm_map_grid()} -%}
    {%- do segql.choice_option('rfm_map', 'name', name, maps | list) -%}
    {%- set rows = [] -%}
    {%- for segment, codes in maps[name].items() -%}
        {%- for code in codes.split() -%}
            {%- do rows.append("('" ~ code ~ "', " ~ segql.string_literal(segment) ~ ')') -%}
        {%- endfor -%}
    {%- endfor -%}
select
    cast(rfm_code as string) as rfm_code,
    cast(rfm_segment as string) as rfm_segment
from (
    values
    {{ rows | sort | join(',\n    ') }}
) as codes (rfm_code, rfm_segment)
{%- endmacro %}
