{#-
    What is wrong with a playbook, one row per fault as a sentence: an archetype of the map or a
    special one that is missing or there twice, and one that nothing is called. It may also name
    segments by their keys, which segment_keys, a relation, lists.
-#}
{% macro playbook_faults(playbook, segment_keys, segment_map='segments') -%}
    {%- set special = [] -%}
    {%- for archetype in segql.special_archetypes() -%}
        {%- do special.append('(' ~ segql.string_literal(archetype) ~ ')') -%}
    {%- endfor -%}
with

playbook as (

    select archetype from {{ playbook }}

),

segment_map as (

    {{ segql.rfm_map_query(segment_map) | indent(4) }}

),

needed as (

    select rfm_segment as archetype
    from segment_map
    union
    select archetype
    from (
        values
        {{ special | join(',\n        ') }}
    ) as special (archetype)

),

known as (

    {{ segql.known_archetypes(segment_map) | indent(4) }}
    union
    select cast(segment_key as string) from {{ segment_keys }}

)

select
    needed.archetype,
    needed.archetype || ' is missing' as fault
from needed
left join playbook
    on needed.archetype = playbook.archetype
where playbook.archetype is null
union all
select
    playbook.archetype,
    playbook.archetype || ' is there ' || cast(count(*) as string) || ' times' as fault
from playbook
where playbook.archetype is not null
group by playbook.archetype
having count(*) > 1
union all
select
    coalesce(playbook.archetype, '') as archetype,
    coalesce(playbook.archetype, 'an empty archetype') || ' is no RFM segment, no segment key'
    || ' and none of {{ segql.special_archetypes() | join(", ") }}' as fault
from playbook
left join known
    on playbook.archetype = known.archetype
where known.archetype is null
group by playbook.archetype
{%- endmacro %}
