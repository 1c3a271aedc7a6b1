{#- A share as text with three digits, such as 0.311. -#}
{% macro rounded_text(value) -%}
    cast(cast({{ value }} as decimal(18, 3)) as string)
{%- endmacro %}
