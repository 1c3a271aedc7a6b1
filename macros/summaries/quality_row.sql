{#- One row of segql.data_quality: the lines for which a condition holds. -#}
{% macro quality_row(source, reason, condition, is_flag, place) -%}
    select
        {{ segql.string_literal(source) }} as source,
        {{ segql.string_literal(reason) }} as reason,
        {{ is_flag | lower }} as is_flag,
        cast(coalesce(sum(order_lines), 0) as bigint) as order_lines,
        coalesce(cast(sum(amount) as double), 0) as amount,
        {{ place }} as place
    from order_lines
    where {{ condition }}
{%- endmacro %}
