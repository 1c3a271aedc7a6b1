{#- Fails for each RFM code that a map misses, holds twice or invents. -#}
{% test rfm_map_complete(model) -%}
{{ segql.rfm_map_faults(model) }}
{%- endtest %}
