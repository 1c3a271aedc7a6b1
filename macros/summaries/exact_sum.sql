{#-
    The sum of doubles that does not depend on the order of the rows: each value is scaled by a
    power of two, so that the largest has 50 bits, and added as an integer. Whole numbers stay whole.
-#}
{% macro exact_sum(value, largest) -%}
    {{ return(adapter.dispatch('exact_sum', 'segql')(value, largest)) }}
{%- endmacro %}

{% macro default__exact_sum(value, largest) -%}
    {%- set scale = 'power(2e0, ceil(log2(nullif(' ~ largest ~ ', 0))))' -%}
    (
        coalesce(
            cast(
                sum(cast(round({{ value }} / {{ scale }} * 1125899906842624e0) as bigint)) as double
            )
            / 1125899906842624e0 * max({{ scale }}),
            0
        )
    )
{%- endmacro %}
