{#- The FROM of segql.segment_profile: the features, with the segments where these are apart. -#}
{% macro features_of_segments(features, segments, id) -%}
    from {{ features }} as features
    {%- if segments is not none %}
    inner join {{ segments }} as segments
        on features.{{ segql.quote_identifier(id) }} = segments.{{ segql.quote_identifier(id) }}
    {%- endif %}
{%- endmacro %}
