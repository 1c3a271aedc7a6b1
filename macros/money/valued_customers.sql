{#- The customers that segql.customer_values looks at, under fixed names, with a mark of prospects. -#}
{% macro valued_customers(relation, segment, rfm_segment, id, prospect) -%}
    {%- set segment = segql.segment_key(segql.quote_identifier(segment)) -%}
    select
        {{ id }} as customer_id,
        {{ segment }} as segment_key,
        {{ segql.segment_key(segql.quote_identifier(rfm_segment)) }} as rfm_segment,
        {{ segment }} = {{ segql.string_literal(prospect) }} as is_prospect
    from {{ relation }}
{%- endmacro %}
