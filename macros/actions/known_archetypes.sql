{#-
    What a seed may call segments by besides their keys, as `archetype`: the RFM segments of a map,
    those of the package's own, so that a seed written for one of its maps also serves the other, and
    the special ones.

    select archetype from ({{ segql.known_archetypes('grid') }}) as known
-#}
{% macro known_archetypes(segment_map='segments') -%}
    {%- for query in [
        segql.rfm_map_query(segment_map), segql.rfm_map('segments'), segql.rfm_map('grid')
    ] | unique %}
select rfm_segment as archetype from ({{ query | indent(4) }}) as map_{{ loop.index }}
union
    {%- endfor %}
    {%- for archetype in segql.special_archetypes() %}
select {{ segql.string_literal(archetype) }} as archetype
    {{- '\nunion' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
