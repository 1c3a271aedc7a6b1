{#- The names of the models that have a current version. -#}
{% macro model_names() -%}
    {{ return(run_query(
        'select distinct model_name from segql.models where is_current order by 1'
    ).columns[0].values() | list) }}
{%- endmacro %}
