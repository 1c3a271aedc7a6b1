{#- The ten segments of the grid of recency and frequency: {segment: codes}, all monetary scores. -#}
{% macro rfm_map_grid() -%}
    {%- set cells = {
        'Hibernating': '11 12 21 22',
        'At Risk': '13 14 23 24',
        'Cannot Lose Them': '15 25',
        'About To Sleep': '31 32',
        'Need Attention': '33',
        'Loyal': '34 35 44 45',
        'Promising': '41',
        'New Customers': '51',
        'Potential Loyalist': '42 43 52 53',
        'Champions': '54 55',
    } -%}
    {%- set map = {} -%}
    {%- for segment, pairs in cells.items() -%}
        {%- set codes = [] -%}
        {%- for pair in pairs.split() -%}
            {%- for score in range(1, 6) -%}
                {%- do codes.append(pair ~ score) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- do map.update({segment: codes | join(' ')}) -%}
    {%- endfor -%}
    {{ return(map) }}
{%- endmacro %}
