{#- The cut points that the vars rfm_recency_cuts, … give, by dimension; none for the others. -#}
{% macro given_cuts() -%}
    {%- set given = {} -%}
    {%- for dimension in ['recency', 'frequency', 'monetary'] -%}
        {%- set name = 'rfm_' ~ dimension ~ '_cuts' -%}
        {%- do given.update({dimension: segql.check_cuts(name, var(name, none))}) -%}
    {%- endfor -%}
    {{ return(given) }}
{%- endmacro %}
