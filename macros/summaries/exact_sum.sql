{#-
    The sum of doubles that does not depend on the order of the rows: each value is taken
    as a share of the largest magnitude, in whole steps of 1e-15, and added as an integer.
-#}
{% macro exact_sum(value, largest) -%}
    {{ return(adapter.dispatch('exact_sum', 'segql')(value, largest)) }}
{%- endmacro %}

{% macro default__exact_sum(value, largest) -%}
    (
        coalesce(
            cast(sum(cast(round({{ value }} / nullif({{ largest }}, 0) * 1e15) as bigint)) as double)
            / 1e15 * max({{ largest }}),
            0
        )
    )
{%- endmacro %}
