{#- How many customers at least are compared as having bought equally many products. -#}
{% macro stratum_size() -%}
    {{ return(20) }}
{%- endmacro %}
