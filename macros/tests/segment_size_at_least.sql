{#- Fails for each segment with fewer rows than the least. -#}
{% test segment_size_at_least(model, least, segment='segment_key', except=[]) -%}
    {%- set key = segql.segment_key(segql.quote_identifier(segment)) -%}
with

sized as (

    select
        {{ key }} as segment_key,
        count(*) as customers
    from {{ model }}
    group by {{ key }}

)

select *
from sized
where
    customers < {{ least }}
    {%- for excepted in except %}
    and segment_key <> {{ segql.string_literal(excepted) }}
    {%- endfor %}
{%- endtest %}
