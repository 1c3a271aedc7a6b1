{#- One row of a table of checks: a value of one relation against its bound. -#}
{% macro readiness_row(kind, name, value, bound, met, reason, relation) -%}
    select
        {{ segql.string_literal(kind) }} as kind,
        {{ segql.string_literal(name) }} as name,
        cast({{ value }} as double) as value,
        cast({{ bound }} as double) as bound,
        {{ met }} as is_met,
        {{ segql.string_literal(reason) }} as reason
    from {{ relation }}
{%- endmacro %}
