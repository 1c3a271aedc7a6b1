{#- Fails for each segment whose share of the rows lies outside the bounds. -#}
{% test segment_share_between(model, lowest=0, highest=1, segment='segment_key', except=[]) -%}
    {%- set key = segql.segment_key(segql.quote_identifier(segment)) -%}
with

sized as (

    select
        {{ key }} as segment_key,
        cast(count(*) as double) / sum(count(*)) over () as share
    from {{ model }}
    group by {{ key }}

)

select *
from sized
where
    share not between {{ lowest }} and {{ highest }}
    {%- for excepted in except %}
    and segment_key <> {{ segql.string_literal(excepted) }}
    {%- endfor %}
{%- endtest %}
