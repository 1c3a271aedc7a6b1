{#- The incremental profit of a spending on the curve of segql.response_curves, as an expression. -#}
{% macro response_profit(gain, scale, spend) -%}
    {{ gain }} * (1 - exp(-{{ spend }} / {{ scale }})) - {{ spend }}
{%- endmacro %}
