{#- Money as a decimal: decimal sums do not depend on the order of the rows. -#}
{% macro exact_amount(expression) -%}
    cast({{ expression }} as decimal(38, 6))
{%- endmacro %}
