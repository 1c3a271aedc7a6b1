{#- CTE of segql.audience: the customers of a relation under fixed names, with their strata. -#}
{% macro audience_members(segments, segment, id, options) -%}
    {%- set id = segql.quote_identifier(id) -%}
    {%- set described = 'segments.' if options.features is none else 'features.' -%}
members as (

    select
        segments.{{ id }} as customer_id,
        cast(segments.{{ id }} as string) as id_text,
        {{ segql.segment_key('segments.' ~ segql.quote_identifier(segment)) }} as segment_key,
        cast({{ 'segments.segment_name' if options.name is not none else 'null' }} as string)
            as name,
        cast({{ 'segments.' ~ options.version if options.version is not none else 'null' }}
            as integer) as model_version,
        cast({{ 'segments.as_of_date' if options.date is not none else 'null' }} as date)
            as as_of_date
        {%- for column in options.strata %},
        cast({{ described }}{{ segql.quote_identifier(column) }} as string)
            as stratum_{{ loop.index0 }}
        {%- endfor %}
        {%- if options.value is not none %},
        cast({{ described }}{{ segql.quote_identifier(options.value) }} as double) as value
        {%- endif %}
    from {{ segments }} as segments
    {%- if options.features is not none %}
    left join {{ options.features }} as features
        on segments.{{ id }} = features.{{ id }}
    {%- endif %}

)
{%- endmacro %}
