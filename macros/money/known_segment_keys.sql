{#- The keys that a model's segments have or had, as `segment`, with those of no segment. -#}
{% macro known_segment_keys(model) -%}
    {{ return(adapter.dispatch('known_segment_keys', 'segql')(model)) }}
{%- endmacro %}

{% macro default__known_segment_keys(model) -%}
    {#- An older registry does not remember the keys of dropped versions. -#}
    {%- set remembers = execute and segql.registry_has('retired') -%}
    select segment_key as segment
    from segql.segments
    where model_name = {{ segql.string_literal(model) }}
    {%- if remembers %}
    union
    select segment_key as segment
    from segql.retired
    where model_name = {{ segql.string_literal(model) }}
    {%- endif %}
    {%- for key in ['prospect', 'noise', 'unscored'] %}
    union
    select '{{ key }}' as segment
    {%- endfor %}
{%- endmacro %}
