{#- Says that cut points in vars differ from the stored ones, which stay in use. -#}
{% macro log_unused_cuts(cuts) -%}
    {%- if execute -%}
    {%- for dimension, given in segql.given_cuts().items() if given -%}
        {%- set stored = run_query(
            'select cut_1, cut_2, cut_3, cut_4 from ' ~ cuts ~ " where dimension = '"
            ~ dimension ~ "' order by version desc limit 1"
        ).rows[0] -%}
        {%- if stored | map('float') | list != given | map('float') | list -%}
            {%- do log(
                'segql: rfm_' ~ dimension ~ '_cuts is not the stored cut points, which are'
                ~ ' kept; --full-refresh takes it',
                info=true
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
