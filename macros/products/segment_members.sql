{#- The customers of any relation with a segment column, under fixed names. -#}
{% macro segment_members(segments, segment, id) -%}
select
    {{ segql.quote_identifier(id) }} as customer_id,
    {{ segql.segment_key(segql.quote_identifier(segment)) }} as segment_key
from {{ segments }}
where {{ segql.quote_identifier(id) }} is not null
{%- endmacro %}
