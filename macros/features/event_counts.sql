{#- Counts of the events of each kind, and of each type that has a column, as select items. -#}
{% macro event_counts(kinds, slugs) -%}
    {%- for kind in kinds %}
        {%- set literals = [] -%}
        {%- for type in kinds[kind] -%}
            {%- do literals.append(segql.string_literal(type)) -%}
        {%- endfor %}
        count(case when event_slug in ({{ literals | join(', ') or 'null' }}) then 1 end)
            as {{ kind }}_count,
    {%- endfor %}
    {%- for slug in slugs %}
        count(case when event_slug = {{ segql.string_literal(slug) }} then 1 end)
            as type_{{ loop.index }}_count,
    {%- endfor %}
        count(*) as event_count
{%- endmacro %}
