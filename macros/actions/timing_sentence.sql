{#- When to write, said as a sentence, from the columns of segql.segment_timing. -#}
{% macro timing_sentence(timing, archetype) -%}
    case
        when {{ archetype }} = 'Prospects'
            then 'Now: there is no order to count from'
        when {{ timing }}.timing_basis = 'segment'
            then
                cast({{ timing }}.contact_after_days as string)
                || ' days after the last order: three in four of this segment''s next orders'
                || ' came by then'
        when {{ timing }}.timing_basis = 'all customers'
            then
                cast({{ timing }}.contact_after_days as string)
                || ' days after the last order: three in four of all customers'' next orders came'
                || ' by then, this segment has too few of its own'
        else 'Now: nobody has ordered twice yet'
    end
{%- endmacro %}
