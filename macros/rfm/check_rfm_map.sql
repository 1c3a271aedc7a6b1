{#- Refuses a map with a gap, an overlap or a code that does not exist, listing the codes. -#}
{% macro check_rfm_map(segment_map) -%}
    {%- if execute -%}
    {%- set names = segql.relation_columns(segment_map) | map(attribute='name') | list -%}
    {%- if names -%}
        {%- for column in ['rfm_code', 'rfm_segment'] -%}
            {%- do segql.check_columns('rfm_segment', segment_map, {'segment_map': column}) -%}
        {%- endfor -%}
        {%- set rows = run_query(
            segql.rfm_map_faults(segment_map) ~ ' order by fault, rfm_code').rows -%}
        {%- set faults = {} -%}
        {%- for code, fault in rows -%}
            {%- do faults.setdefault(fault, []).append(code) -%}
        {%- endfor -%}
        {%- set said = [] -%}
        {%- for fault, codes in faults.items() -%}
            {%- do said.append(fault ~ ': ' ~ codes | join(' ')) -%}
        {%- endfor -%}
        {%- if said -%}
            {%- do exceptions.raise_compiler_error(
                'rfm_segment: the map ' ~ segment_map ~ ' must name a segment once for each code'
                ~ ' from 111 to 555; ' ~ said | join('; ')
            ) -%}
        {%- endif -%}
    {%- endif -%}
    {%- endif -%}
{%- endmacro %}
