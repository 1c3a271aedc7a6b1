{#- Whether a column of given holds what its assumption accepts. -#}
{% macro money_accepted(column, known) -%}
    case given.assumption
        {%- for name, assumption in known.items() %}
        when {{ segql.string_literal(name) }} then given.{{ column }} {{ assumption.accepted }}
        {%- endfor %}
    end
{%- endmacro %}
