{#- A var that becomes config of a model. dbt stores that in 64 bits, and has no words for more. -#}
{% macro config_var(name) -%}
    {%- set value = var(name) -%}
    {%- set texts = '"(?:[^"\\\\]|\\\\.)*"' -%}
    {%- set numbers = modules.re.sub(texts, '""', tojson(value, '""')) -%}
    {%- if modules.re.search('(?<![0-9.])[0-9]{19}', numbers) -%}
        {%- do exceptions.raise_compiler_error(
            'vars: ' ~ name ~ " got '" ~ value ~ "'; accepted are numbers of up to 18 digits"
        ) -%}
    {%- endif -%}
    {{ return(value) }}
{%- endmacro %}
